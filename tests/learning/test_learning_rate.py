"""The rate of every parameter over a training run."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from nets import tree

from alexnet_jax.learning.learning_rate import Rates, learning_rates


def rates_of(params, learning_rate, epoch, progress, warm=None, **fields):
  return learning_rates(
      Rates(**fields), params, learning_rate, epoch, progress, warm)


def authors(epoch):
  """{(layer, kind): rate} of net #145."""
  params = {'columns': tree(1, 1) | tree(1, 1, 'conv2'), **tree(1, 1, 'fc8')}
  rates = rates_of(
      params, jnp.float32(0.01), jnp.int32(epoch), jnp.float32(0.5),
      drops=((25, 0.1), (51, 0.01), (79, 0.001)),
      bias_rate=2.0, bias_drops=((25, 0.1),),
      layer_drops=(('conv1', 67, 0.001), ('conv1', 72, 0.0)))
  return {(path[-2].key, path[-1].key): float(rate)
          for path, rate in jax.tree_util.tree_leaves_with_path(rates)}


@pytest.mark.parametrize('epoch, kernel, conv1, bias, conv1_bias', [
    (1, 1e-2, 1e-2, 2e-2, 2e-2),
    (24, 1e-2, 1e-2, 2e-2, 2e-2),
    (25, 1e-3, 1e-3, 2e-3, 2e-3),
    (50, 1e-3, 1e-3, 2e-3, 2e-3),
    (51, 1e-4, 1e-4, 2e-3, 2e-3),
    (66, 1e-4, 1e-4, 2e-3, 2e-3),
    (67, 1e-4, 1e-5, 2e-3, 2e-3),
    (71, 1e-4, 1e-5, 2e-3, 2e-3),
    (72, 1e-4, 0, 2e-3, 0),
    (78, 1e-4, 0, 2e-3, 0),
    (79, 1e-5, 0, 2e-3, 0),
    (91, 1e-5, 0, 2e-3, 0),
])
def test_rates_fall_when_the_authors_let_them(
    epoch, kernel, conv1, bias, conv1_bias):
  assert authors(epoch) == pytest.approx({
      ('conv1', 'kernel'): conv1, ('conv1', 'bias'): conv1_bias,
      ('conv2', 'kernel'): kernel, ('conv2', 'bias'): bias,
      ('fc8', 'kernel'): kernel, ('fc8', 'bias'): bias}, rel=1e-5)


def test_rates_are_one_rate_when_nothing_else_is_said():
  rates = rates_of(
      tree(1, 1), jnp.float32(0.01), jnp.int32(50), jnp.float32(0.5))
  assert {float(rate) for rate in jax.tree.leaves(rates)} == {
      float(np.float32(0.01))}


def test_frozen_layers_have_a_zero_that_the_compiler_can_see():
  params = tree(1, 1) | tree(1, 1, 'conv2')
  rates = rates_of(
      params, jnp.float32(0.01), jnp.int32(1), jnp.float32(0),
      frozen=('conv1',))
  assert rates['conv1'] == {'kernel': 0.0, 'bias': 0.0}
  assert all(isinstance(rate, float) for rate in rates['conv1'].values())
  assert rates['conv2']['kernel'] > 0


def test_a_schedule_is_of_the_kernels_and_leaves_the_biases_alone():
  rates = rates_of(
      tree(1, 1), jnp.float32(0.01), jnp.int32(1), jnp.float32(0.5),
      schedule='exp', target_factor=100.0, bias_rate=2.0)
  assert rates['conv1']['kernel'] == pytest.approx(0.001)
  assert rates['conv1']['bias'] == pytest.approx(0.02)


def test_the_warm_up_is_of_all_rates_and_cosine_of_kernels_and_biases():
  rates = rates_of(
      tree(1, 1), jnp.float32(0.01), jnp.int32(1), jnp.float32(0.5),
      schedule='cosine', bias_rate=2.0, warm=jnp.float32(0.5))
  assert rates['conv1']['kernel'] == pytest.approx(0.0025)
  assert rates['conv1']['bias'] == pytest.approx(0.005)


def test_a_layer_can_learn_faster_than_the_rest():
  params = {**tree(1, 1), **tree(1, 1, 'fc8')}
  plain, faster = (rates_of(
      params, jnp.float32(0.01), jnp.int32(30), jnp.float32(0.5),
      drops=((25, 0.1),), bias_rate=2.0, layer_rates=own)
                   for own in ((), (('fc8', 10.0),)))
  assert faster['conv1'] == plain['conv1']
  for kind in ('kernel', 'bias'):
    np.testing.assert_allclose(faster['fc8'][kind], 10 * plain['fc8'][kind],
                               rtol=1e-6)
