"""The forms for a TPU compute what the others do, and are what it runs."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from alexnet_jax.network import on_tpu
from alexnet_jax.network.pooling import max_pool
from alexnet_jax.network.response_norm import local_response_norm

POOLINGS = [
    (3, 2, (2, 7, 9, 2)),  # fits
    (3, 2, (2, 8, 6, 2)),  # hangs over
    (2, 2, (1, 5, 7, 2)),  # does not overlap and hangs over
    (3, 1, (1, 5, 5, 2)),
    (2, 3, (1, 8, 7, 2)),  # leaves units unread
]


@pytest.fixture
def as_on_a_tpu(monkeypatch):
  """Every operation takes its form for a TPU, here on the processor."""
  monkeypatch.setattr(
      lax, 'platform_dependent',
      lambda *arguments, default, tpu=None, **others:
      (tpu or default)(*arguments))


@pytest.mark.parametrize('below, above', [(2, 2), (2, 1), (0, 0), (4, 4)])
def test_sums_over_maps_are_those_of_shifted_maps(below, above):
  with jax.enable_x64(True):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 3, 3, 7)))
    ours = on_tpu.sum_over_maps(x, below, above)
    theirs = sum(jnp.pad(x, ((0, 0),) * 3 + ((below, above),))[..., i:i + 7]
                 for i in range(below + above + 1))
    np.testing.assert_allclose(ours, theirs, rtol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize('size, stride, shape', POOLINGS)
def test_pooling_and_its_gradient_are_those_of_every_platform(
    size, stride, shape):
  draw = np.random.default_rng(0)
  x = jnp.float32(draw.normal(size=shape))  # no two units are equal
  y, pull = jax.vjp(lambda x: max_pool(x, size, stride), x)
  g = jnp.float32(draw.normal(size=y.shape))
  np.testing.assert_array_equal(on_tpu.max_pool(x, size, stride), y)
  np.testing.assert_allclose(
      on_tpu.max_pool_gradient(x, g, size, stride), pull(g)[0], atol=1e-6)


def test_of_units_that_tie_the_first_gets_the_gradient():
  x = jnp.array([[1.0, 5, 5], [0, 5, 2], [3, 4, 1]]).reshape(1, 3, 3, 1)
  gradient = on_tpu.max_pool_gradient(x, jnp.full((1, 1, 1, 1), 7.0), 3, 2)
  np.testing.assert_array_equal(
      gradient[0, ..., 0], [[0, 7, 0], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize('n, beta', [(5, 0.75), (4, 0.75), (9, 0.6)])
def test_the_norm_is_exact_in_float64(as_on_a_tpu, n, beta):
  def plain(x):
    sums = sum(jnp.pad(x * x, ((0, 0),) * 3 + ((n // 2, n),))[..., i:i + 11]
               for i in range(n))
    return x / (2.0 + 1e-4 * sums) ** beta

  draw = np.random.default_rng(0)
  with jax.enable_x64(True):
    x = jnp.asarray(draw.normal(0, 100, (2, 3, 3, 11)))
    g = jnp.asarray(draw.normal(size=x.shape))

    @functools.partial(jax.jit, static_argnums=0)
    def both_ways(norm, x, g):
      y, pull = jax.vjp(norm, x)
      return y, pull(g)[0]

    ours, back = both_ways(
        lambda x: local_response_norm(x, n=n, beta=beta), x, g)
    theirs, plain_back = both_ways(plain, x, g)
    np.testing.assert_allclose(ours, theirs, rtol=1e-12)
    np.testing.assert_allclose(back, plain_back, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize('dtype, error', [
    (jnp.float32, 1e-5), (jnp.bfloat16, 1e-2)], ids=str)
def test_a_small_net_has_the_gradients_of_every_platform(
    as_on_a_tpu, net, problem, loss_and_gradients, solve_on, close, dtype,
    error):
  params, patches, labels, keys = problem()
  apply = net().apply

  def rounded(params, patches, keys):
    cast = functools.partial(
        jax.tree.map, lambda leaf: leaf.astype(dtype))
    return jax.tree.map(lambda out: out.astype(jnp.float32),
                        apply(cast(params), cast(patches), keys))

  ours = jax.jit(loss_and_gradients(rounded))(params, patches, labels, keys)
  close(ours[0], solve_on()[0], error)
  if dtype == jnp.float32:  # ties are common in bfloat16
    close(ours[1], solve_on()[1], error)


def lowered(platform):
  def f(x):
    return max_pool(local_response_norm(x)).sum()

  return jax.jit(jax.grad(f)).trace(jnp.ones((2, 7, 7, 8))).lower(
      lowering_platforms=(platform,)).as_text()


def test_a_tpu_runs_its_forms_and_others_run_theirs():
  text = lowered('tpu')
  assert 'select_and_scatter' in text and 'dot_general' in text
  for platform in ('cpu', 'cuda'):
    text = lowered(platform)
    assert 'select_and_scatter' not in text and 'dot_general' not in text
