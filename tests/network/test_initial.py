"""The deviations of first weights."""

import jax
import numpy as np
import pytest

from alexnet_jax.network import initial

CONV, FULL = (3, 5, 20, 40), (60, 200)
# Inputs and outputs of a unit, each position of a kernel counted.
FANS = {CONV: (300, 600), FULL: (60, 200)}
VARIANCES = {
    'gaussian': (initial.gaussian(0.05), lambda inputs, outputs: 0.0025),
    'he_normal': (initial.he_normal, lambda inputs, outputs: 2 / inputs),
    'glorot': (initial.glorot, lambda inputs, outputs: 2 / (inputs + outputs)),
    'xavier': (initial.xavier, lambda inputs, outputs: 1 / inputs)}


@pytest.mark.parametrize('shape', [CONV, FULL], ids=['conv', 'full'])
@pytest.mark.parametrize('name', VARIANCES)
def test_weights_have_mean_zero_and_the_variance_of_their_inputs(name, shape):
  draw, variance_of = VARIANCES[name]
  weights = np.asarray(draw(jax.random.key(0), shape))
  stddev = np.sqrt(variance_of(*FANS[shape]))
  assert weights.shape == shape and weights.dtype == np.float32
  # Five standard deviations of the mean, and of the deviation, of that many.
  assert abs(weights.mean()) < 5 * stddev / np.sqrt(weights.size)
  assert weights.std() == pytest.approx(
      stddev, rel=5 / np.sqrt(2 * weights.size))
  if name == 'xavier':  # uniform: no weight is further out
    limit = np.sqrt(3) * stddev
    assert 0.99 * limit < np.abs(weights).max() <= limit * (1 + 1e-6)
  else:  # Gaussian: 0.27 % are further out than three deviations
    assert np.mean(np.abs(weights) > 3 * stddev) == pytest.approx(
        0.0027, abs=5 * np.sqrt(0.0027 / weights.size))


@pytest.mark.parametrize('name', VARIANCES)
def test_a_key_decides_the_weights_and_the_type_is_as_asked(name):
  draw, _ = VARIANCES[name]
  first, again, other = (
      draw(jax.random.key(seed), FULL) for seed in (0, 0, 1))
  np.testing.assert_array_equal(first, again)
  assert not np.isin(first, other).all()
  assert draw(jax.random.key(0), FULL, 'bfloat16').dtype == 'bfloat16'
