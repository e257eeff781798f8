"""Batch normalization: the statistics of the global batch, on any mesh."""

import functools

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest

from alexnet_jax.network import classifier, columns, models, placement, rng
from alexnet_jax.network.batch_norm import BatchNorm
from alexnet_jax.network.columns import Layer

B, CLASSES, PATCH = 8, 5, 16
FIELDS = {'kernels': (4,), 'blocks': (1,), 'small_images': True}


@functools.cache
def batch():
  draw = np.random.default_rng(0)
  return (draw.normal(0, 50, (B, PATCH, PATCH, 3)).astype(np.float32),
          draw.integers(0, CLASSES, B),
          rng.per_example(rng.stream(1, 'dropout', 7), B))


@functools.cache
def first_values():
  model = nets.build('resnet', placement.make_mesh(1, 1, 1), CLASSES, PATCH,
                     **FIELDS)
  return jax.device_get(jax.jit(model.init)(jax.random.key(0)))


@functools.cache
def solution(mesh=(1, 1), precision='float32'):
  """(logits, new averages, gradients) of one step of a small ResNet."""
  home = placement.make_mesh(*mesh, 1)
  model = models.with_precision(precision, nets.build(
      'resnet', home, CLASSES, PATCH, **FIELDS))
  patches, labels, keys = batch()

  @jax.jit
  def solve(variables, patches, labels, keys):
    params, stats = classifier.split(variables)

    def loss(params):
      outputs = model.forward(classifier.merge(params, stats), patches, keys)
      likelihoods = jnp.take_along_axis(
          jax.nn.log_softmax(outputs.logits), labels[:, None], axis=1)
      return -likelihoods.mean(), outputs

    grads, outputs = jax.grad(loss, has_aux=True)(params)
    return outputs.logits, outputs.batch_stats, grads

  variables = jax.device_put(
      first_values(), placement.param_shardings(home, first_values()))
  return jax.device_get(solve(variables, *jax.device_put(
      (patches, labels, keys), placement.batch_sharding(home))))


def normalized(x, mesh=(1, 1)):
  """The outputs and new averages of one norm in training: [B, H, W, C]."""
  layer = Layer('norm', BatchNorm(), False, ())
  flat = layer._replace(post_ops=(lambda y: y.reshape(len(y), -1),))
  shape = (1, x.shape[-1])
  run = columns.run([flat], placement.make_mesh(*mesh, 1))
  made = jax.jit(run)(
      {'norm': {'scale': jnp.full(shape, 2.0), 'bias': jnp.full(shape, 3.0)}},
      {'norm': {'mean': jnp.ones(shape), 'var': jnp.full(shape, 4.0)}},
      x, rng.per_example(jax.random.key(0), len(x)))
  return (made.features.reshape(x.shape),
          jax.tree.map(lambda leaf: leaf[0], made.batch_stats['norm']))


@pytest.mark.parametrize('mesh', [(1, 1), (2, 1)])
def test_every_map_is_normalized_over_the_global_batch(mesh):
  x = np.random.default_rng(1).normal(5, 7, (4, 3, 3, 2)).astype(np.float32)
  mean, var = x.mean((0, 1, 2)), x.var((0, 1, 2))
  y, stats = normalized(x, mesh)
  np.testing.assert_allclose(
      y, 3 + 2 * (x - mean) / np.sqrt(var + 1e-5), rtol=2e-5, atol=2e-5)
  np.testing.assert_allclose(stats['mean'], 0.9 * 1 + 0.1 * mean, rtol=1e-5)
  np.testing.assert_allclose(
      stats['var'], 0.9 * 4 + 0.1 * var * 36 / 35, rtol=1e-5)


def test_a_step_is_the_same_on_one_device_and_on_two(close):
  logits, stats, grads = solution()
  others = solution((2, 1))
  close(others[0], logits, 2e-5)
  close(others[1], stats, 2e-5)
  # The gradients of a network with batch normalization amplify rounding.
  close(others[2], grads, 2e-3)


def test_statistics_are_float32_when_maps_have_sixteen_bits(close):
  _, stats, grads = solution(precision='bfloat16')
  assert {leaf.dtype for leaf in jax.tree.leaves((stats, grads))} == {
      np.dtype(np.float32)}
  close(stats, solution()[1], 0.05)


def test_a_test_uses_the_running_averages_and_no_other_image(close):
  model = nets.build('resnet', placement.make_mesh(1, 1, 1), CLASSES, PATCH,
                     **FIELDS)
  variables, (patches, *_) = first_values(), batch()
  apply = jax.jit(model.forward)
  alone, together = apply(variables, patches[:2]), apply(variables, patches)
  assert together.batch_stats == {}
  close(alone.logits, together.logits[:2], 1e-5)
  other = {**variables, 'batch_stats': jax.tree.map(
      lambda leaf: leaf + 1, variables['batch_stats'])}
  assert not np.allclose(apply(other, patches).logits, together.logits)


@pytest.mark.parametrize('name, layer, after', [
    ('alexnet', 'norm1', 1), ('alexnet_2012', 'norm1', 2)])
def test_it_takes_the_place_of_the_response_norm_in_alexnet(
    net, name, layer, after):
  model = net(name, norm='batch')
  names = [layer.name for layer in model.layers]
  assert names[:5] == ['conv1', 'norm1', 'conv2', 'norm2', 'conv3']
  assert isinstance(model.layers[1].module, BatchNorm)
  assert len(model.layers[1].post_ops) == after  # pooling; and then ReLU
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  assert shapes['columns'][layer]['scale'].shape == (2, 8)
  assert shapes['batch_stats']['columns'][layer]['var'].shape == (2, 8)


def test_a_layer_is_left_out_with_its_batch_norm(net):
  names = [layer.name for layer in net(norm='batch', without=('conv2',)).layers]
  assert names[:3] == ['conv1', 'norm1', 'conv3']
