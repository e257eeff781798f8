"""LeNet-5 against the numbers of 1998 and against NumPy."""

import functools

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.network import describe, layers_1998, lenet, placement
from alexnet_jax.network.shapes import layer_shapes

SIMPLIFIED = {'simplified': True, 'codes': False}


@functools.cache
def build(**fields):
  return nets.build('lenet', placement.make_mesh(1, 1, 1), 10, 32, **fields)


@functools.cache
def problem(**fields):
  """(parameters, patches): random, of the printed form unless told."""
  draw = np.random.default_rng(0)
  shapes = jax.eval_shape(build(**fields).init, jax.random.key(0))
  params = jax.tree.map(
      lambda leaf: draw.normal(0, 0.2, leaf.shape).astype(np.float32), shapes)
  return params, draw.normal(0, 80, (3, 32, 32, 3)).astype(np.float32)


@pytest.mark.parametrize('fields, counts', [
    ({}, {'c1': 156, 's2': 12, 'c3': 1516, 's4': 32, 'c5': 48_120, 'f6': 10_164,
          'fc8': 850}),
    (SIMPLIFIED, {'c1': 156, 'c3': 2416, 'c5': 48_120, 'f6': 10_164,
                  'fc8': 850}),
], ids=['printed', 'simplified'])
def test_every_layer_has_as_many_parameters_as_published(fields, counts):
  rows = describe.layer_rows(build(**fields), 10)
  assert {row.layer: row.parameters for row in rows} == counts
  trained = sum(counts.values()) - counts['fc8'] * (not fields)
  assert trained == (61_706 if fields else 60_000)


def test_maps_and_connections_are_those_of_figure_2():
  walk = list(layer_shapes(build().layers, 1, 32))
  assert [at.outputs for at in walk] == [
      (28, 28, 6), (14, 14, 6), (10, 10, 16), (5, 5, 16), (1, 1, 120), (84,)]
  # "C3 has 1,516 trainable parameters and 151,600 connections."
  positions = 10 * 10
  assert positions * (25 * sum(map(len, lenet.TABLE)) + 16) == 151_600
  assert len(set(lenet.TABLE)) == 16
  assert [sum(m in row for row in lenet.TABLE) for m in range(6)] == [10] * 6


def squash(x):
  return 1.7159 * np.tanh(2 * x / 3)


def convolved(x, kernel, bias):
  """[B, H, W, C] with [h, w, C, M], at every whole position."""
  windows = np.lib.stride_tricks.sliding_window_view(
      x, kernel.shape[:2], (1, 2))
  return np.einsum('bijchw,hwcm->bijm', windows, kernel) + bias


def subsampled(x, kernel, bias):
  sums = x.reshape(len(x), x.shape[1] // 2, 2, x.shape[2] // 2, 2, -1).sum(
      (2, 4))
  return kernel * sums + bias


def test_the_printed_form_is_the_one_of_numpy():
  params, patches = problem()
  p = jax.tree.map(lambda leaf: leaf[0].astype(np.float64), params['columns'])
  x = patches.astype(np.float64).mean(-1, keepdims=True) / 200
  x = squash(convolved(x, **p['c1']))
  x = squash(subsampled(x, **p['s2']))
  y = np.zeros((3, 10, 10, 16))
  connection = iter(np.moveaxis(p['c3']['kernel'], -1, 0))
  for m, reads in enumerate(lenet.TABLE):
    for one in reads:
      y[..., m:m + 1] += convolved(
          x[..., one:one + 1], next(connection)[..., None, None], 0)
  x = squash(y + p['c3']['bias'])
  x = squash(subsampled(x, **p['s4']))
  x = squash(convolved(x, **p['c5'])).reshape(3, -1)
  x = squash(x @ p['f6']['kernel'] + p['f6']['bias'])
  logits, features = jax.jit(build().apply)(params, patches)
  np.testing.assert_allclose(features, x, atol=1e-5)
  fc8 = params['fc8']
  np.testing.assert_allclose(logits, x @ fc8['kernel'] + fc8['bias'], atol=1e-4)


def test_only_the_mean_of_the_colors_matters():
  params, patches = problem(**SIMPLIFIED)
  gray = np.repeat(patches.mean(-1, keepdims=True), 3, axis=-1)
  apply = jax.jit(build(**SIMPLIFIED).apply)
  np.testing.assert_allclose(
      apply(params, patches)[0], apply(params, gray)[0], atol=1e-5)


@pytest.fixture(scope='module')
def first():
  """The first values of the printed form."""
  return jax.jit(build().init)(jax.random.key(0))


def test_codes_give_the_softmax_of_squared_distances(first):
  init = first['fc8']
  codes = np.asarray(init['kernel']) / 2
  assert set(np.unique(codes)) == {-1, 1} and not np.any(init['bias'])
  features = np.random.default_rng(0).normal(0, 0.3, (5, 84))
  distances = np.square(features[:, :, None] - codes).sum(1)
  np.testing.assert_allclose(
      jax.nn.softmax(features @ init['kernel']),
      jax.nn.softmax(jnp.asarray(-distances)), rtol=2e-4)


def test_first_weights_are_uniform_in_a_reach_of_their_inputs(first):
  params = first['columns']
  inputs = {'c1': 25, 's2': 4, 's4': 4, 'c5': 400, 'f6': 120}
  for name, count in inputs.items():
    largest = np.abs(params[name]['kernel']).max()
    assert largest <= 2.4 / count, name
    assert name not in ('c5', 'f6') or largest > 0.99 * 2.4 / count
  c3 = np.abs(np.asarray(params['c3']['kernel'][0])).max((0, 1))
  for read, largest in zip(
      [len(row) for row in lenet.TABLE for _ in row], c3, strict=True):
    assert 0.7 * 2.4 / (25 * read) < largest <= 2.4 / (25 * read)


def test_with_relus_the_first_weights_have_the_deviation_of_he_and_others():
  layers = {layer.name: layer.module for layer in build(**SIMPLIFIED).layers}
  kernel = layers['c5'].kernel_init(jax.random.key(0), (5, 5, 16, 120))
  assert np.std(kernel) == pytest.approx(np.sqrt(2 / 400), rel=0.02)


def test_the_squashing_function_keeps_one_and_minus_one():
  np.testing.assert_allclose(
      layers_1998.scaled_tanh(jnp.array([-1.0, 0.0, 1.0])), [-1, 0, 1],
      atol=1e-4)


@pytest.mark.parametrize('fields, parts', [
    ({'kernels': (6, 16)}, ['config.model.kernels has 2', 'give 3']),
    ({'neurons': ()}, ['config.model.neurons has 0', 'give 1']),
    ({'num_columns': 2}, ['config.model.num_columns=2', 'give 1']),
    ({'kernels': (4, 16, 120)},
     ['config.model.kernels=(4, 16, 120)', 'the table of C3',
      'config.model.simplified=True']),
], ids=str)
def test_a_net_that_cannot_be_built_says_what_to_change(fields, parts):
  with pytest.raises(InputError) as error:
    build(**fields)
  for part in parts:
    assert part in str(error.value)


@pytest.mark.parametrize('inputs', [120, 16 * 120])  # of 32 and 44 pixels
def test_the_weights_of_f6_suit_all_its_inputs(inputs):
  layers = {layer.name: layer.module for layer in build(**SIMPLIFIED).layers}
  kernel = layers['f6'].kernel_init(
      jax.random.key(0), (inputs, 84), jnp.float32)
  assert kernel.std() == pytest.approx((2 / inputs) ** 0.5, rel=0.05)
