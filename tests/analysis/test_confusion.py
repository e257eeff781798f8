"""Answers are those of the softmax outputs; counts are those of counting."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from alexnet_jax.analysis import answers as measuring
from alexnet_jax.analysis import confusion
from alexnet_jax.analysis.answers import Answers
from alexnet_jax.errors import InputError
from alexnet_jax.learning.augment import PixelStats
from alexnet_jax.results import predictions
from alexnet_jax.run import experiment, typed_config
from alexnet_jax.run import trained as opened
from alexnet_jax.run.trained import Trained


def answers_of(labels, predicted, probability=0.5, classes=None, **fields):
  """Answers written by hand; an image that is wrong is wrong in its top 5."""
  labels, predicted = (np.asarray(one, np.int32)
                       for one in (labels, predicted))
  names = tuple(f'class {i}' for i in range(
      classes or max(labels.max(), predicted.max()) + 1))
  wrong = (labels != predicted).astype(np.float32)
  probability = np.broadcast_to(np.float32(probability), labels.shape)
  return Answers(**{
      'class_names': names, 'crops': 1, 'errors': {'loss': 1.0},
      'labels': labels, 'predicted': predicted, 'second': labels,
      'probability': probability, 'second_probability': probability / 2,
      'label_probability': np.where(wrong, 0, probability), 'top1_error': wrong,
      'top5_error': wrong} | fields)


# --- Measuring ----------------------------------------------------------------


@pytest.fixture(scope='module')
def asked(trained):
  """(network, source, answers with ten crops) of the small run."""
  network = opened.open_trained(trained[1])
  source = opened.open_split(network, 'validation')
  return network, source, measuring.measure(network, source, 10)


def test_answers_are_those_of_the_softmax_outputs(asked, trained):
  network, source, found = asked
  probabilities, labels = predictions.predict(network, source, 10, 7)
  order = np.argsort(-probabilities, axis=1)
  rows = np.arange(len(labels))
  np.testing.assert_array_equal(found.labels, labels)
  np.testing.assert_array_equal(found.predicted, order[:, 0])
  np.testing.assert_array_equal(found.second, order[:, 1])
  for ours, classes in ((found.probability, order[:, 0]),
                        (found.second_probability, order[:, 1]),
                        (found.label_probability, labels)):
    np.testing.assert_allclose(ours, probabilities[rows, classes], rtol=1e-5)
  rank = (probabilities > probabilities[rows, labels][:, None]).sum(1)
  np.testing.assert_array_equal(found.top1_error, rank >= 1)
  np.testing.assert_array_equal(found.top5_error, rank >= 5)
  assert found.class_names == source.class_names


def test_their_means_are_the_errors_of_the_final_test(asked, trained):
  found, errors = asked[2], trained[2]
  assert found.errors == pytest.approx({
      name: errors[f'ten_crop_{name}'] for name in (
          'loss', 'top1_error', 'top5_error')}, rel=1e-5)


def test_on_four_devices_they_are_the_same(asked, trained):
  network = opened.open_trained(trained[1], data=2, column=2)
  theirs = measuring.measure(network, asked[1], 10)
  for name, ours in asked[2]._asdict().items():
    if isinstance(ours, np.ndarray):
      np.testing.assert_allclose(ours, getattr(theirs, name), atol=1e-5)


def test_outputs_that_are_not_finite_are_refused(asked):
  network, source, _ = asked
  broken = network._replace(params=jax.tree.map(
      lambda leaf: jnp.full_like(leaf, jnp.nan), network.params))
  with pytest.raises(InputError, match='not finite for 24 of 24 images: give'):
    measuring.measure(broken, source, 1)


def test_two_classes_have_a_first_and_a_second(tmp_path):
  photos = tiny.write_photos(tmp_path, train=1, val=3)
  settings = typed_config.read(tiny.config({
      'data.name': 'folder', 'data.path': photos,
      'data.validation_examples': 0}))
  source = settings.open_split('validation')
  built = experiment.build(settings, 2, 64)
  params = jax.jit(built.model.init)(jax.random.key(0))
  stats = PixelStats(
      np.zeros((72, 72, 3), np.float32), np.eye(3), np.ones(3))
  found = measuring.measure(
      Trained('run', 0, settings, source.class_names, built.mesh, built.model,
              params, stats), source, 1)
  assert found.labels.tolist() == [0, 0, 0, 1, 1, 1]
  np.testing.assert_array_equal(found.second, 1 - found.predicted)
  np.testing.assert_allclose(
      found.probability + found.second_probability, 1, rtol=1e-5)
  np.testing.assert_array_equal(
      found.top1_error, found.predicted != found.labels)
  assert not found.top5_error.any()


def test_the_images_shown_are_the_most_and_the_least_certain(asked):
  _, source, found = asked
  worst = measuring.worst(found, source, 5)
  wrong = [i for i in range(24) if found.predicted[i] != found.labels[i]]
  assert len(worst) == 5 and {one.index for one in worst} <= set(wrong)
  assert min(one.probability for one in worst) >= max(
      found.probability[i] for i in wrong
      if i not in [one.index for one in worst])
  shown = measuring.uncertain(found, source)
  assert [one.probability for one in shown] == sorted(found.probability)
  for one in (*worst, *shown):
    example = source[one.index]
    np.testing.assert_array_equal(one.picture, example['image'])
    assert (one.true, one.where) == (example['label'], source.where(one.index))
    assert one.predicted == found.predicted[one.index]
    assert one.label_probability <= one.probability >= one.second_probability


# --- Counting -----------------------------------------------------------------


def test_images_and_errors_of_a_class_are_counted():
  counted = confusion.per_class(answers_of(
      [0, 0, 0, 2, 2], [0, 2, 2, 2, 0], classes=4,
      top5_error=np.float32([0, 0, 1, 0, 0])))
  assert counted.images.tolist() == [3, 0, 2, 0]
  assert counted.predicted.tolist() == [2, 0, 3, 0]
  assert counted.top1_errors.tolist() == [2, 0, 1, 0]
  assert counted.top5_errors.tolist() == [1, 0, 0, 0]


@pytest.mark.parametrize('found, count, low, high', [
    (0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0),
    (1, 50, 0.0035, 0.1050), (0, 0, 0.0, 1.0)])
def test_the_interval_is_wilsons(found, count, low, high):
  assert confusion.wilson(found, count) == pytest.approx((low, high), abs=1e-4)


def test_confusions_are_in_the_order_of_their_number():
  found = answers_of([0, 0, 0, 1, 1, 2, 2, 2], [0, 2, 2, 0, 1, 0, 0, 0])
  assert confusion.pairs(found).tolist() == [
      [0, 0, 1], [0, 2, 2], [1, 0, 1], [1, 1, 1], [2, 0, 3]]
  assert confusion.confused_pairs(found).tolist() == [
      [2, 0, 3], [0, 2, 2], [1, 0, 1]]


def test_the_matrix_of_few_classes_is_whole_and_keeps_their_order():
  block = confusion.most_confused(answers_of([0, 1, 1], [1, 1, 0], classes=3))
  assert block.classes.tolist() == [0, 1, 2]
  assert block.counts.tolist() == [[0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]


def test_of_many_classes_those_that_are_mixed_up_are_side_by_side():
  labels = [7] * 5 + [90] * 4 + [30] * 3 + [40] * 3 + [55] * 9
  predicted = [90] * 5 + [7] * 4 + [7] * 2 + [1] + [41] * 3 + [55] * 9
  block = confusion.most_confused(
      answers_of(labels, predicted, classes=100), most=5)
  assert block.classes.tolist() == [7, 90, 30, 40, 41]
  assert block.counts.tolist() == [
      [0, 5, 0, 0, 0, 0], [4, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0, 1],
      [0, 0, 0, 0, 3, 0], [0, 0, 0, 0, 0, 0]]


def test_without_a_confusion_the_block_has_classes_that_are_there():
  block = confusion.most_confused(
      answers_of([8, 30, 31], [8, 30, 31], classes=50), most=2)
  assert block.classes.tolist() == [8, 30]
  assert block.counts.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_calibration_compares_probabilities_with_what_is_right():
  found = confusion.calibration(answers_of(
      [0, 0, 0, 0], [0, 1, 0, 0], [0.1, 0.7, 0.9, 1.0]), bins=2)
  assert found.images.tolist() == [1, 3]
  assert found.right.tolist() == [1, 2]
  np.testing.assert_allclose(found.probability, [0.1, 2.6 / 3], rtol=1e-6)
  assert found.error == pytest.approx((0.9 + 0.6) / 4)
  alone = confusion.calibration(answers_of([0], [0], 0.9), bins=2)
  assert np.isnan(alone.probability[0])
