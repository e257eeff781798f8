"""Labels, features and logits in a program of one's own."""

import itertools
import json

import jax
import numpy as np
import pytest
from PIL import Image

from alexnet_jax.analysis import features
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment
from alexnet_jax.library import network
from alexnet_jax.run import typed_config
from alexnet_jax.tasks import predict


@pytest.mark.parametrize('views', [1, 10])
def test_labels_and_probabilities_are_those_of_the_task(
    views, net, photos, capsys):
  predict.predict(net.trained.workdir, 'latest', photos, views, as_json=True)
  said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
  for one, prediction in zip(
      said, net.predict(photos, views=views), strict=True):
    assert one['labels'] == list(prediction.labels)
    assert one['probabilities'] == [
        round(p, 6) for p in prediction.probabilities]


def test_one_list_tuple_array_and_generator_give_the_same(net, photos):
  several = net.predict(photos, views=1)
  assert isinstance(several, list) and len(several) == 5
  assert net.predict(tuple(photos), views=1) == several
  generated = net.predict((path for path in photos), views=1)
  assert next(generated) == several[0] and list(generated) == several[1:]
  alone = net.predict(photos[1], views=1)  # a program of its own
  assert alone.labels == several[1].labels
  assert alone.probabilities == pytest.approx(several[1].probabilities, 1e-6)
  assert net.predict([], views=1) == []
  pixels = np.stack([np.asarray(Image.open(photos[0]))] * 2)
  assert net.predict(pixels, views=1) == [several[0]] * 2
  assert net.predict([Image.open(path) for path in photos], views=1) == several


def test_top_says_how_many_labels(net, photos):
  all_of_them = net.predict(photos[0], top=100, views=1)
  assert sorted(all_of_them.labels) == sorted(net.class_names)
  assert sum(all_of_them.probabilities) == pytest.approx(1, abs=1e-5)
  assert net.predict(photos[0], top=2, views=1).labels == (
      all_of_them.labels[:2])


def test_images_are_streamed(net, photos, monkeypatch):
  monkeypatch.setattr(network, 'BATCH', 2)
  asked = itertools.count()
  endless = (photos[next(asked) % 5] for _ in itertools.count())
  predictions = net.predict(endless, views=1)
  first = list(itertools.islice(predictions, 7))
  assert first[:5] == net.predict(photos, views=1) and first[5] == first[0]
  assert next(asked) < 20


def test_a_bad_picture_is_an_error_or_stands_in_its_place(
    net, photos, tmp_path):
  bad = tmp_path / 'bad.jpg'
  bad.write_bytes(b'no picture')
  with pytest.raises(InputError, match='bad.jpg cannot be read as a picture'):
    net.predict([photos[0], bad], views=1)
  with pytest.raises(InputError, match='bad.jpg cannot be read as a picture'):
    net.features(bad)
  first, error = net.probabilities([photos[0], bad], views=1)
  assert first.shape == (12,) and isinstance(error, InputError)


def test_features_are_those_of_the_task(net, trained):
  source = typed_config.read(trained[0]).open_split('validation')
  expected, _ = features.compute_features(
      net.trained, features.make_feature_step(net.trained), source)
  ours = net.features([source[i]['image'] for i in range(len(source))])
  np.testing.assert_array_equal(ours, expected)
  assert net.features([]).shape == (0, 32)
  one = net.features(source[3]['image'])
  np.testing.assert_allclose(one, expected[3], rtol=1e-5)
  generated = net.features(iter([source[3]['image']]))
  np.testing.assert_array_equal(next(generated), one)


def test_logits_of_patches_are_those_of_the_network(net, photos):
  patches = net.patches(photos)
  assert patches.shape == (5, 64, 64, 3) and patches.dtype == np.float32
  logits = np.asarray(net.logits(patches))
  np.testing.assert_allclose(
      jax.nn.softmax(logits), np.stack(list(net.probabilities(photos, 1))),
      rtol=1e-5)
  mean = augment.central_crop(np.asarray(net.trained.input_stats.mean), 64)
  pixels = np.round(patches + mean).astype(np.uint8)
  np.testing.assert_array_equal(net.logits(pixels), logits)
  assert net.patches([]).shape == (0, 64, 64, 3)
  assert net.patches(photos[0]).shape == (64, 64, 3)


def test_a_network_shows_its_parts(net, trained):
  assert net.config.model.kernels == (4, 4, 6, 6, 4)
  assert len(net.class_names) == 12
  assert net.params['columns']['conv1']['kernel'].shape == (2, 11, 11, 3, 4)
  assert repr(net) == (
      f'<Network alexnet of {trained[1]}, step 6, 12 classes>')


@pytest.mark.parametrize('call, sentence', [
    (lambda net: net.predict('nowhere.png'), 'nowhere.png cannot be read'),
    (lambda net: net.predict(3), 'int is no image: give a file name'),
    (lambda net: net.predict([3]), 'int is no image: give a file name'),
    (lambda net: net.predict(np.zeros((9, 9, 3))), 'an array of float64'),
    (lambda net: net.predict('a.png', top=0), 'top=0 is no number of labels'),
    (lambda net: net.predict('a.png', views=5), 'views=5 is no test of 2012'),
    (lambda net: net.logits(np.zeros((64, 64, 3))), r'\[64, 64, 3\] do not fit:'
     r' give \[N, 64, 64, 3\]'),
    (lambda net: net.logits(np.zeros((1, 64, 64, 3), np.int32)),
     'patches of int32 do not fit: give float32'),])
def test_what_cannot_work_is_said_in_one_sentence(call, sentence, net):
  with pytest.raises(InputError, match=sentence) as error:
    call(net)
  assert '\n' not in str(error.value)
