"""The norm and the pooling after it, joined, against one after the other."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alexnet_jax.network import layers as L
from alexnet_jax.network import norm_and_pool
from alexnet_jax.network.pooling import avg_pool, max_pool
from alexnet_jax.network.response_norm import (
  local_response_norm,
  within_map_norm,
)

NORM = functools.partial(local_response_norm, k=1.0, n=9, alpha=1e-3)
POOL = functools.partial(max_pool, size=2)


def draw(dtype=jnp.float32, shape=(2, 13, 13, 24)):
  numbers = np.random.default_rng(0).standard_normal(shape) * 30
  return jax.nn.relu(jnp.asarray(numbers, dtype))  # many units tie at zero


def training(post_ops):
  """Returns f(x, g): the outputs and the gradient, compiled."""

  def f(x, g):
    y, back = jax.vjp(lambda x: functools.reduce(
        lambda x, op: op(x), post_ops, jax.nn.relu(x)), x)
    return y, back(g(y))

  return jax.jit(f, static_argnums=1, compiler_options={  # as in a run
      'xla_backend_optimization_level': 3,
      'xla_llvm_disable_expensive_passes': False})


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize('post_ops', [
    (local_response_norm, max_pool), (NORM, POOL)])
def test_joined_they_give_the_same_bits(post_ops, dtype):
  joined = norm_and_pool.join(post_ops)
  assert len(joined) == 1
  weigh = lambda y: jnp.cos(jnp.arange(y.size)).reshape(y.shape).astype(dtype)
  expected = training(post_ops)(draw(dtype), weigh)
  jax.tree.map(np.testing.assert_array_equal,
               training(joined)(draw(dtype), weigh), expected)


@pytest.mark.skipif(jax.__version__ != '0.10.2',
                    reason='XLA stores the maps with other versions')
def test_joined_they_need_less_memory_for_the_gradient():
  x = draw(shape=(4, 27, 27, 96))

  def temporaries(post_ops):
    compiled = training(post_ops).lower(x, jnp.ones_like).compile()
    return compiled.memory_analysis().temp_size_in_bytes

  pair = (local_response_norm, max_pool)
  saved = temporaries(pair) - temporaries(norm_and_pool.join(pair))
  assert saved > 0.9 * x.nbytes


def test_only_a_norm_directly_before_its_pooling_is_joined():
  for post_ops in ((POOL, NORM), (NORM, jax.nn.relu, POOL), (NORM,), (),
                   (within_map_norm, POOL), (NORM, avg_pool)):
    assert norm_and_pool.join(post_ops) == list(post_ops)
  assert len(norm_and_pool.join((jax.nn.relu, NORM, POOL, L.flatten))) == 3


def test_arguments_that_are_not_given_are_the_defaults():
  assert norm_and_pool.arguments_of_both(NORM, POOL) == {
      'k': 1.0, 'n': 9, 'alpha': 1e-3, 'beta': 0.75, 'size': 2, 'stride': 2}
  assert norm_and_pool.arguments_of_both(local_response_norm, max_pool) == {
      'k': 2.0, 'n': 5, 'alpha': 1e-4, 'beta': 0.75, 'size': 3, 'stride': 2}
