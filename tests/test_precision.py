"""Precision counts, of what was found first, how much is of the right class."""

import numpy as np

from alexnet_jax.learning import metrics


def test_precision_is_the_share_of_the_right_class_among_the_first():
  precision = metrics.precision_at(
      np.array([3, 5]), np.array([[3, 4, 3, 4], [4, 5, 5, 5]]))
  np.testing.assert_allclose(precision, [1 / 2, 1 / 2, 4 / 6, 5 / 8])


def test_precision_is_that_of_a_loop():
  draw = np.random.default_rng(0)
  labels, found = draw.integers(0, 4, 9), draw.integers(0, 4, (9, 7))
  expected = [
      np.mean([np.mean([label == other for other in others[:k]])
               for label, others in zip(labels, found, strict=True)])
      for k in range(1, 8)]
  np.testing.assert_allclose(metrics.precision_at(labels, found), expected)


def test_a_query_of_no_known_class_finds_nothing_of_it():
  assert not metrics.precision_at(np.array([-1]), np.array([[0, 1]])).any()
