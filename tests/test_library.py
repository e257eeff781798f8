"""A network in a program of one's own."""

import itertools
import json
import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
import tiny
from PIL import Image

import alexnet_jax
from alexnet_jax import library
from alexnet_jax.analysis import features
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment
from alexnet_jax.run import experiment
from alexnet_jax.tasks import export, predict

ROOT = os.path.dirname(os.path.dirname(__file__))


@pytest.fixture(scope='module')
def net(trained):
  return alexnet_jax.load(trained[1])


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  """Five pictures of different sizes, as files."""
  folder, draw = tmp_path_factory.mktemp('photos'), np.random.default_rng(0)
  paths = []
  for i in range(5):
    pixels = draw.integers(0, 256, (60 + 20 * i, 110, 3)).astype(np.uint8)
    paths.append(str(folder / f'{i}.{"jpg" if i % 2 else "png"}'))
    Image.fromarray(pixels).save(paths[-1])
  return paths


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
  assert net.predict(photos[1], views=1) == several[1]
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
  monkeypatch.setattr(library, 'BATCH', 2)
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
  source = experiment.read(trained[0]).open_split('validation')
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


@pytest.mark.parametrize('path, step', [('', 6), ('@latest', 6), ('@4', 4)])
def test_a_checkpoint_is_chosen_behind_the_at_sign(path, step, trained):
  assert alexnet_jax.load(trained[1] + path).trained.step == step


def test_the_best_checkpoint_can_be_loaded(trained):
  best = alexnet_jax.load(pathlib.Path(trained[1] + '@best'))
  assert best.trained.step in (4, 6)


@pytest.mark.parametrize('kind', ['npz', 'safetensors'])
def test_an_exported_file_gives_the_same_digits(
    kind, net, photos, tmp_path, capsys):
  path = export.export(net.trained.workdir, out=str(tmp_path / f'a.{kind}'))
  read = alexnet_jax.load(path)
  assert read.predict(photos) == net.predict(photos)
  np.testing.assert_array_equal(read.features(photos), net.features(photos))
  assert read.config == net.config and read.trained.step == 6
  assert f'alexnet_jax.load({path!r}) reads it' in capsys.readouterr().out


# --- A new network ------------------------------------------------------------


def test_a_new_network_has_the_parameters_that_a_run_begins_with(net):
  built = alexnet_jax.build(tiny.config())
  assert built.class_names == net.class_names
  begun = experiment.build(experiment.read(tiny.config()), 12, 64)
  jax.tree.map(np.testing.assert_array_equal, built.params,
               begun.new_state(built.trained.input_stats).params)


def test_classes_are_given_or_a_thousand_if_there_are_no_data(tmp_path):
  nowhere = tiny.config({'data.name': 'folder', 'data.path': str(tmp_path)})
  assert alexnet_jax.build(nowhere).class_names[997:] == (
      'class 997', 'class 998', 'class 999')
  pets = alexnet_jax.build(nowhere, ['cat', 'dog'])
  assert pets.class_names == ('cat', 'dog')
  assert pets.logits(np.zeros((3, 64, 64, 3), np.uint8)).shape == (3, 2)


def test_a_config_file_is_found_from_another_folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  before = list(sys.path)
  built = alexnet_jax.build(os.path.join(ROOT, 'configs/quickstart.py'), 2)
  assert built.class_names == ('class 0', 'class 1')
  assert built.config.model.kernels == (16, 32, 48, 48, 32)
  assert sys.path == before


# --- Importing it -------------------------------------------------------------


def test_importing_prints_nothing_starts_nothing_and_leaves_jax_for_later():
  code = ('import os, sys; pid = os.getpid(); before = dict(os.environ);'
          ' import alexnet_jax; assert os.getpid() == pid;'
          ' assert dict(os.environ) == before;'
          ' assert not {"jax", "numpy", "absl", "orbax"} & set(sys.modules)')
  done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, text=True,
                        capture_output=True)
  assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_loading_prints_nothing(trained, capfd):
  alexnet_jax.load(trained[1]).logits(np.zeros((1, 64, 64, 3), np.uint8))
  assert capfd.readouterr() == ('', '')


# --- Bad input ----------------------------------------------------------------


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
     'patches of int32 do not fit: give float32'),
    (lambda net: alexnet_jax.load('nowhere'), 'there is no nowhere: give the'
     ' workdir of a run'),
    (lambda net: alexnet_jax.load('nowhere@best'), 'there is no nowhere'),
    (lambda net: alexnet_jax.load('tests'), 'tests holds no checkpoint'),
    (lambda net: alexnet_jax.load(net.trained.workdir + '@7'), '7 is not in'),
    (lambda net: alexnet_jax.load('README.md'), 'README.md cannot be read as'
     ' weights'),
    (lambda net: alexnet_jax.build('nowhere.py'), 'there is no config'),
    (lambda net: alexnet_jax.build('README.md'), 'README.md cannot be used as a'
     ' config'),
    (lambda net: alexnet_jax.build('configs/ablations.py:no_nrm'), 'no_nrm'),
    (lambda net: alexnet_jax.build(tiny.config({'augment.crop': 80})),
     'config.augment.crop=80'),
    (lambda net: alexnet_jax.build('configs/codes.py'), 'the config describes'
     ' no network'),
    (lambda net: alexnet_jax.build(tiny.config(), 0), 'classes=0 is no number'),
])
def test_what_cannot_work_is_said_in_one_sentence(
    call, sentence, net, monkeypatch):
  monkeypatch.chdir(ROOT)
  with pytest.raises(InputError, match=sentence) as error:
    call(net)
  assert '\n' not in str(error.value)
