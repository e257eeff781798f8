"""The response norms, against appendix A, plain loops and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from by_differences import both_ways, check
from jax import lax

from alexnet_jax.network.response_norm import (
  local_response_norm,
  within_map_norm,
)

A2 = np.float32([-100, 200, -300, 400, 500, -600, 0, 50])
relu = jax.nn.relu


def norm_by_hand(a, k, n, alpha, beta):
  b = np.empty_like(a)
  for i in range(a.shape[-1]):
    low = i - n // 2
    window = a[..., max(0, low) : low + n]
    b[..., i] = a[..., i] / (k + alpha * np.square(window).sum(-1)) ** beta
  return b


def within_by_hand(a, size, alpha, beta):
  b = np.empty_like(a)
  for y, x in np.ndindex(a.shape[1:3]):
    top, left = y - size // 2, x - size // 2
    square = a[:, max(0, top) : top + size, max(0, left) : left + size]
    d = 1 + alpha * np.square(square).sum((1, 2))
    b[:, y, x] = a[:, y, x] / d**beta
  return b


@pytest.mark.parametrize('form, expected', [
    (lambda a: local_response_norm(a, alpha=2e-5),
     [-30.83678352, 42.04482076, -43.81912897, 42.29485054, 54.51224684,
      -70.27561856, 0, 9.42678723]),
    (lambda a: relu(local_response_norm(a, alpha=2e-5)),
     [0, 42.04482076, 0, 42.29485054, 54.51224684, 0, 0, 9.42678723]),
    (lambda a: local_response_norm(relu(a), alpha=2e-5),
     [0, 52.169486, 0, 66.22401043, 87.60318084, 0, 0, 29.18465801]),
    (lambda a: local_response_norm(relu(a)),
     [0, 19.6885161, 0, 22.28366382, 29.77615816, 0, 0, 27.2165527]),
    (lambda a: jnp.concatenate([local_response_norm(own, alpha=2e-5)
                                for own in jnp.split(a, 2, -1)], -1),
     [-30.83678352, 42.04482076, -63.06723114, 85.70162156, 68.35239652,
      -81.80693134, 0, 9.42678723]),
], ids=['signed', 'signed then relu', 'relu first', 'paper', 'two columns'])
def test_local_response_norm_gives_the_numbers_of_2012(form, expected):
  ours = form(jnp.asarray(A2).reshape(1, 1, 1, 8))[0, 0, 0]
  np.testing.assert_allclose(ours, expected, rtol=2e-6)


def test_an_even_window_reaches_one_map_further_down():
  ours = local_response_norm(jnp.full((1, 1, 1, 6), 1000.0), k=1.0, n=4,
                               alpha=1e-4 / 4)[0, 0, 0]
  np.testing.assert_allclose(
      ours, [52.39892388, 38.8498911, 31.38766218, 31.38766218, 31.38766218,
             38.8498911], rtol=2e-6)


def test_the_within_map_norm_clips_its_square_at_the_border():
  ours = within_map_norm(jnp.full((1, 7, 7, 1), 100.0))[0, ..., 0]
  for place, expected in (
      ((0, 0), 31.83696253), ((0, 1), 26.75648163), ((0, 2), 23.23680802),
      ((1, 1), 22.2882623), ((1, 2), 19.24500897), ((2, 2), 16.55600261)):
    np.testing.assert_allclose(ours[place], expected, rtol=2e-6)


@pytest.mark.parametrize('k, n, beta', [
    (2.0, 5, 0.75), (2.0, 4, 0.75), (1.0, 3, 0.5), (1.0, 9, 0.75),
    (2.0, 5, 0.6), (1.0, 5, 1.0)])
def test_the_norm_and_its_gradient_are_exact(k, n, beta):
  check(lambda x: local_response_norm(x, k, n, 1e-4, beta),
        lambda x: norm_by_hand(x, k, n, 1e-4, beta), (2, 2, 1, 7), 100, 1e-2)


@pytest.mark.parametrize('size', [5, 4, 3])
def test_the_within_map_norm_and_its_gradient_are_exact(size):
  check(lambda x: within_map_norm(x, size, 4e-5, 0.75),
        lambda x: within_by_hand(x, size, 4e-5, 0.75), (1, 5, 6, 2), 100, 1e-2)


def test_in_float32_the_norm_agrees_with_reduce_window():
  def plain(x):
    sums = lax.reduce_window(x * x, 0.0, lax.add, (1, 1, 1, 5), (1,) * 4,
                             'SAME')
    return x / (2.0 + 1e-4 * sums) ** 0.75

  x, g = jnp.float32(
      np.random.default_rng(0).normal(0, 100, (2, 2, 9, 9, 16)))
  ours, theirs = (both_ways(f, x, g) for f in (local_response_norm, plain))
  np.testing.assert_allclose(ours[0], theirs[0], rtol=3e-6)
  np.testing.assert_allclose(ours[1], theirs[1], rtol=2e-5, atol=1e-5)
