"""Averages of predictions, and the authors' search of their weights."""

import itertools

import numpy as np
import pytest

from alexnet_jax.results import averages

M, N, CLASSES = 3, 120, 12


@pytest.fixture(scope='module')
def predictions():
  """(M x [N, 12], labels): a good network, a weak one and one that guesses."""
  draw = np.random.default_rng(0)
  labels = draw.integers(0, CLASSES, N)
  logits = draw.normal(0, 1, (M, N, CLASSES))
  logits[:, np.arange(N), labels] += np.array([1.5, 0.6, 0])[:, None]
  exp = np.exp(logits)
  return list(np.float32(exp / exp.sum(-1, keepdims=True))), labels


def count_errors(scores, labels, k=5):
  """Images whose label is not among the k best; classes that tie share."""
  count = 0
  for row, label in zip(scores, labels, strict=True):
    above, tied = sum(row > row[label]), sum(row == row[label])
    count += 1 - min(max((k - above) / tied, 0), 1)
  return count


def plain_search(probabilities, labels):
  """The search of avg-valid.py, written independently."""
  weights = [0.5] * len(probabilities)
  fewest = count_errors(np.tensordot(weights, probabilities, 1), labels)
  for _, m, step in itertools.product(
      range(5), range(len(weights)), range(21)):
    tried = [*weights[:m], step / 20, *weights[m + 1:]]
    count = count_errors(np.tensordot(tried, probabilities, 1), labels)
    if count < fewest:
      fewest, weights = count, tried
  return weights


def test_an_average_is_the_weighted_mean_of_the_outputs(predictions):
  probabilities, _ = predictions
  one, two, three = probabilities
  np.testing.assert_allclose(
      averages.average(probabilities, [1, 1, 2]),
      (one + two + 2 * three) / 4, rtol=1e-5)
  np.testing.assert_array_equal(averages.average([two], [0.3]), two)


def test_errors_are_those_of_the_outputs(predictions):
  (one, *_), labels = predictions
  errors = averages.mean_errors(averages.per_image(one, labels))
  assert errors == pytest.approx({
      'loss': -np.log(one[np.arange(N), labels]).mean(),
      'top1_error': (one.argmax(-1) != labels).mean(),
      'top5_error': count_errors(one, labels) / N})
  assert 0.2 < errors['top1_error'] < 0.8


def test_classes_that_tie_in_an_average_share_the_credit():
  each = np.float32([[0.6, 0.4, 0], [0.4, 0.6, 0]])
  averaged = averages.average([each, each[::-1]], [1, 1])
  errors = averages.per_image(averaged, np.zeros(2, int))
  assert list(errors['top1_error']) == [0.5, 0.5]


def test_an_average_of_any_size_counts_all_choices_of_networks():
  # The first two know the first of two images, the third the second.
  of_label = np.float32([[0.9, 0.4], [0.6, 0.3], [0.2, 0.9]])
  outputs = np.stack([of_label, 1 - of_label], -1)
  alone, pairs, all_three = averages.by_size(outputs, np.zeros(2, int))
  assert list(alone['top1_error']) == pytest.approx([1 / 3, 2 / 3])
  assert list(pairs['top1_error']) == pytest.approx([1 / 3, 1 / 3])
  assert list(all_three['top1_error']) == [0, 0]
  assert all_three['loss'] == pytest.approx(-np.log(of_label.mean(0)))


def test_a_gain_has_the_standard_error_of_differences_of_images():
  before = {'top1_error': np.array([1, 0.5, 0, 0.5]), 'top5_error': np.ones(4)}
  after = {'top1_error': np.array([0.0, 0, 0, 1]), 'top5_error': np.zeros(4)}
  gains = averages.gains(before, after)
  # Differences 1, 0.5, 0 and -0.5: their sample variance is 1.25 / 3.
  assert gains['top1_error'].mean == 0.25
  assert gains['top1_error'].standard_error == pytest.approx(
      (1.25 / 3 / 4) ** 0.5)
  assert gains['top5_error'] == (1, 0)


def test_the_search_finds_the_weights_of_avg_valid(predictions):
  probabilities, labels = (predictions[0], predictions[1][:40])
  probabilities = [outputs[:40] for outputs in probabilities]
  weights = averages.search(probabilities, labels)
  assert list(weights) == plain_search(probabilities, labels)
  assert len(set(weights)) > 1


def test_a_search_lowers_the_error_of_the_images_it_sees(predictions):
  probabilities, labels = predictions
  weights = averages.search(probabilities, labels)
  searched, equal = (
      averages.mean_errors(averages.per_image(
          averages.average(probabilities, shares), labels))
      for shares in (weights, [1] * M))
  assert searched['top5_error'] < equal['top5_error']


def test_networks_that_agree_keep_equal_weights(predictions):
  (one, *_), labels = predictions
  assert list(averages.search([one, one], labels)) == [0.5, 0.5]


def test_a_search_leaves_at_least_one_network():
  # Every network puts the label last: a tie of all classes would be better.
  probabilities = np.float32([[0] + [1 / 11] * 11] * 4)
  assert averages.search([probabilities] * 2, np.zeros(4, int)).any()


@pytest.mark.parametrize('labels', [
    np.repeat(np.arange(4), 6), np.arange(24) % 4], ids=['sorted', 'in turn'])
def test_both_halves_of_the_images_have_every_class(labels):
  first, second = averages.halves(labels)
  assert (first != second).all()
  assert list(np.bincount(labels[first])) == [3] * 4
