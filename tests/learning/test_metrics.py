"""Top-1 and top-5 errors, and sums that make exact means."""

import jax.numpy as jnp
import numpy as np
import pytest

from alexnet_jax.learning import metrics


def credit(scores, label, k=5):
  return float(metrics.top_credit(
      jnp.float32([scores]), jnp.int32([label]), k)[0])


def test_three_that_tie_for_the_last_place_share_it():
  assert credit([9, 8, 7, 6, 5, 5, 5, 1], 5) == pytest.approx(1 / 3)


@pytest.mark.parametrize('scores, label, k, expected', [
    ([3, 2, 1], 0, 1, 1), ([3, 2, 1], 1, 1, 0), ([3, 3, 1], 1, 1, 1 / 2),
    ([9, 8, 7, 6, 5, 4], 4, 5, 1), ([9, 8, 7, 6, 5, 4], 5, 5, 0),
    ([9, 8, 7, 5, 5, 4], 4, 5, 1),  # two tie for two places
    ([0] * 10, 3, 5, 1 / 2), ([0] * 10, 3, 1, 1 / 10), ([0] * 3, 0, 5, 1),
])
def test_credit_is_one_within_the_best_and_shared_among_equals(
    scores, label, k, expected):
  assert credit(scores, label, k) == pytest.approx(expected)


def batch(size, seed=0):
  draw = np.random.default_rng(seed)
  scores = draw.normal(size=(size, 10)).astype(np.float32)
  labels = draw.integers(0, 10, size)
  return jnp.asarray(scores), jnp.asarray(labels)


def by_hand(scores, labels):
  places = (np.asarray(scores) > np.take_along_axis(
      np.asarray(scores), np.asarray(labels)[:, None], 1)).sum(1)
  return {
      'loss': -np.mean([scores[i, label] for i, label in enumerate(labels)]),
      'top1_error': (places > 0).mean(), 'top5_error': (places > 4).mean()}


def test_sums_and_counts_make_loss_and_errors():
  scores, labels = batch(64)
  sums = metrics.classification_sums(scores, labels, jnp.ones(64, bool))
  assert metrics.means([sums]) == pytest.approx(
      by_hand(scores, labels), rel=1e-5)


@pytest.mark.parametrize('padding', [0.0, np.nan, -np.inf])
def test_padding_counts_nothing_whatever_it_holds(padding):
  scores, labels = batch(8)
  valid = jnp.arange(8) < 5
  padded = jnp.where(valid[:, None], scores, jnp.float32(padding))
  sums = metrics.classification_sums(padded, labels, valid)
  assert {float(count) for _, count in sums.values()} == {5}
  assert metrics.means([sums]) == pytest.approx(
      by_hand(scores[:5], labels[:5]), rel=1e-5)


def test_sums_over_uneven_batches_make_the_mean_over_all():
  scores, labels = batch(21)
  sums = []
  for start in (0, 8, 16):
    valid = jnp.arange(start, start + 8) < 21
    rows = np.minimum(np.arange(start, start + 8), 20)
    sums.append(metrics.classification_sums(
        scores[rows], labels[rows], valid))
  assert metrics.means(sums) == pytest.approx(
      by_hand(scores, labels), rel=1e-6)


def test_long_sums_do_not_lose_small_batches():
  # In float32 adding 1 to 2**24 changes nothing.
  large = {'loss': (np.float32(2**24), np.float32(2**24))}
  small = {'loss': (jnp.float32(2), jnp.float32(1))}
  assert metrics.means([large, small])['loss'] == (2**24 + 2) / (2**24 + 1)


def test_a_net_that_puts_out_no_numbers_is_never_right():
  scores = jnp.full((2, 10), jnp.nan)
  sums = metrics.classification_sums(
      scores, jnp.int32([0, 7]), jnp.ones(2, bool))
  means = metrics.means([sums])
  assert np.isnan(means['loss'])
  assert means['top1_error'] == means['top5_error'] == 1
