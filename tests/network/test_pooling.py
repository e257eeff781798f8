"""Pooling, against plain loops and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_differences import both_ways, check
from jax import lax

from alexnet_jax.network.pooling import max_pool
from alexnet_jax.network.response_norm import local_response_norm


def pool_by_hand(a, size, stride):
  count = [1 + -(-(side - size) // stride) for side in a.shape[1:3]]
  b = np.empty((len(a), *count, a.shape[-1]))
  for y, x in np.ndindex(*count):
    top, left = y * stride, x * stride
    b[:, y, x] = a[:, top : top + size, left : left + size].max((1, 2))
  return b


@pytest.mark.parametrize('size, stride, shape', [
    (3, 2, (2, 7, 9, 2)),  # fits
    (3, 2, (2, 8, 6, 2)),  # hangs over
    (2, 2, (2, 6, 6, 2)),  # does not overlap
    (2, 2, (1, 5, 7, 2)),  # does not overlap and hangs over
    (3, 1, (1, 5, 5, 2)),
    (2, 3, (1, 8, 7, 2)),  # leaves units unread
])
def test_pooling_and_its_gradient_are_exact(size, stride, shape):
  check(lambda x: max_pool(x, size, stride),
        lambda x: pool_by_hand(x, size, stride), shape, 10, 1e-6)


@pytest.mark.parametrize('side, pooled', [(55, 27), (27, 13), (13, 6),
                                          (56, 28), (12, 6)])
def test_the_number_of_windows_is_rounded_up(side, pooled):
  out = jax.eval_shape(max_pool, jnp.zeros((1, side, side, 1)))
  assert out.shape == (1, pooled, pooled, 1)


def test_what_hangs_over_never_wins():
  x = jnp.full((1, 4, 4, 1), -7.0)
  assert (max_pool(x) == -7).all()


def test_in_float32_pooling_agrees_with_reduce_window():
  def plain(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1),
                             'VALID')

  draw = np.random.default_rng(0)
  x = jnp.float32(draw.normal(size=(2, 13, 13, 8)))
  g = jnp.float32(draw.normal(size=(2, 6, 6, 8)))
  ours, theirs = (both_ways(f, x, g) for f in (max_pool, plain))
  np.testing.assert_array_equal(ours[0], theirs[0])
  np.testing.assert_allclose(ours[1], theirs[1], atol=1e-6)


def test_units_that_tie_for_the_maximum_each_get_the_whole_gradient():
  x = jnp.array([[1.0, 5, 5], [0, 5, 2], [3, 4, 1]]).reshape(1, 3, 3, 1)
  gradient = jax.grad(lambda x: 7 * max_pool(x).sum())(x)[0, ..., 0]
  np.testing.assert_array_equal(gradient, [[0, 7, 7], [0, 7, 0], [0, 0, 0]])


@pytest.mark.slow
@pytest.mark.parametrize('size, stride', [(3, 2), (2, 2), (3, 1), (2, 3)])
@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16], ids=str)
@pytest.mark.parametrize('f', [jax.nn.relu, jnp.tanh], ids=['relu', 'tanh'])
def test_every_window_finds_its_maximum_again(f, dtype, size, stride):
  # One program may work the maps out anew for the gradient, and rounds them
  # where it likes: the units that equal the maximum must still be the same.
  x = jax.random.normal(jax.random.key(0), (4, 13, 13, 8), dtype)
  below = lambda x: local_response_norm(50 * f(x))
  pool = lambda x: max_pool(x, size, stride)
  y = jax.jit(below)(x)
  g = jnp.ones_like(pool(y))
  in_pieces = jax.vjp(below, x)[1](jax.jit(
      lambda y: jax.vjp(pool, y)[1](g)[0])(y))[0]
  in_one = jax.jit(lambda x: jax.vjp(lambda x: pool(below(x)), x)[1](g)[0])(x)
  # A window whose gradient is lost would be a difference of 20 or more.
  error = 0.5 if dtype == jnp.bfloat16 else 1e-3
  np.testing.assert_allclose(
      in_one.astype(jnp.float32), in_pieces.astype(jnp.float32),
      rtol=error / 10, atol=error)


def test_overlapping_windows_add_their_gradients():
  x = jnp.zeros((1, 5, 5, 1)).at[0, 2, 2, 0].set(1.0)  # in all four windows
  gradient = jax.grad(lambda x: max_pool(x).sum())(x)
  np.testing.assert_array_equal(gradient, 4 * x)
