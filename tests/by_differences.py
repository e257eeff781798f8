"""Values and gradients of an operation against loops in float64."""

import jax
import jax.numpy as jnp
import numpy as np


def gradient_by_differences(f, x, g, h):
  gradient = np.empty_like(x)
  for place in np.ndindex(x.shape):
    step = np.zeros_like(x)
    step[place] = h
    gradient[place] = (g * (f(x + step) - f(x - step))).sum() / (2 * h)
  return gradient


def both_ways(f, x, g):
  """(f(x), gradient of sum(g * f(x)))."""

  def run(x, g):
    y, pull = jax.vjp(f, x)
    return y, pull(g)[0]

  return jax.jit(run)(x, g)


def check(ours, by_hand, shape, spread, h):
  """Value and gradient in float64, against loops and central differences."""
  draw = np.random.default_rng(0)
  x = draw.normal(0, spread, shape)
  with jax.enable_x64(True):
    g = draw.normal(size=by_hand(x).shape)
    y, gradient = both_ways(ours, jnp.asarray(x), jnp.asarray(g))
    np.testing.assert_allclose(y, by_hand(x), rtol=1e-12)
    np.testing.assert_allclose(
        gradient, gradient_by_differences(by_hand, x, g, h),
        rtol=1e-6, atol=1e-8 * np.abs(gradient).max())
