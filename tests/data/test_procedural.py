import hashlib

import numpy as np

from alexnet_jax.data.procedural import CLASS_NAMES, Procedural, picture


def _set(split, count, size=24):
  return np.stack([picture(split, i, size) for i in range(count)])


def test_a_picture_is_a_pure_function_of_split_index_and_size():
  first, second = Procedural('train', 40), Procedural('train', 40)
  second[3]
  assert np.array_equal(first[17]['image'], second[17]['image'])
  assert first[17]['image'].shape == (40, 40, 3)
  assert first[17]['image'].dtype == np.uint8


def test_no_two_pictures_are_equal_within_or_between_splits():
  digests = {hashlib.sha256(image.tobytes()).digest()
             for split in ('train', 'validation')
             for image in _set(split, 300)}
  assert len(digests) == 600


def test_the_twelve_classes_come_equally_often():
  source = Procedural('train', 16, 240)
  labels = [int(source[i]['label']) for i in range(len(source))]
  assert np.bincount(labels).tolist() == [20] * 12
  assert source[0]['label'].dtype == np.int32
  assert len(set(CLASS_NAMES)) == 12
  assert 'red striped disc' in CLASS_NAMES


def test_lengths_default_to_8192_and_1024():
  assert len(Procedural('train', 16)) == 8192
  assert len(Procedural('validation', 16)) == 1024
  assert len(Procedural('train', 16, 10**9)) == 10**9


def test_it_cannot_be_learned_from_pixels_by_a_linear_classifier():
  train, test = _set('train', 1200, 24), _set('validation', 600, 24)
  assert _ridge_error(train, test) > 0.65


def test_the_mean_color_does_not_give_the_class_away():
  train, test = _set('train', 1200, 24), _set('validation', 600, 24)
  error = _ridge_error(train.mean((1, 2)), test.mean((1, 2)))
  assert error > 0.8


def test_the_color_in_the_middle_says_which_family():
  """The classes are there to be seen, so this much must be easy."""
  middle = _set('train', 1200, 24)[:, 9:15, 9:15].astype(float).mean((1, 2))
  blue = np.arange(1200) % 12 >= 6
  assert np.mean((middle[:, 2] > middle[:, 0]) == blue) > 0.8


def _ridge_error(train, test):
  train = train.reshape(len(train), -1).astype(np.float64) / 255
  test = test.reshape(len(test), -1).astype(np.float64) / 255
  mean = train.mean(0)
  train, test = train - mean, test - mean
  targets = np.eye(12)[np.arange(len(train)) % 12] - 1 / 12
  kernel = train @ train.T + np.eye(len(train))
  scores = test @ (train.T @ np.linalg.solve(kernel, targets))
  return np.mean(scores.argmax(1) != np.arange(len(test)) % 12)
