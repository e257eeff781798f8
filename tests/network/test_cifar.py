"""The CIFAR-10 nets against numpy that was written apart from them."""

import functools

import jax
import nets
import numpy as np
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.network import classifier, describe, placement
from alexnet_jax.network import layers as L
from alexnet_jax.network.pooling import avg_pool, max_pool
from alexnet_jax.network.shapes import layer_shapes

DRAW = np.random.default_rng(0)
PATCH = 12
SMALL = {
    'cifar': {'kernels': (4, 3, 5), 'neurons': (6,), 'stddevs': (0.1,) * 5,
              'biases': (0.2,) * 5, 'response_norm': True, 'norm_alpha': 1e-3},
    'cifar_local': {'kernels': (4, 6), 'local_kernels': (5, 3),
                    'stddevs': (0.1,) * 5, 'biases': (0.2,) * 5,
                    'norm_n': 3, 'norm_alpha': 1e-3},
}


@functools.cache
def build(name, patch=PATCH, column=1, **fields):
  mesh = placement.make_mesh(1, column, fields.get('num_columns', 1))
  return nets.build(name, mesh, 10, patch, **fields)


def parameters(model):
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  return sum(leaf.size for leaf in jax.tree.leaves(shapes))


@pytest.mark.parametrize('patch, name, fields, count', [
    (32, 'cifar', {}, 89_578),
    (32, 'cifar', {'response_norm': True}, 89_578),
    (32, 'cifar', {'neurons': (64,), 'stddevs': (0.1,) * 5,
                   'biases': (0.0,) * 5}, 145_578),
    (32, 'cifar_local', {'local_kernels': (32, 32)}, 1_901_386),
    (24, 'cifar_local', {'local_kernels': (32, 32)}, 1_116_490),
    (32, 'cifar_local', {}, 3_672_906),
    (24, 'cifar_local', {'response_norm': False}, 2_112_970)])
def test_parameters_are_as_many_as_in_the_program(patch, name, fields, count):
  assert parameters(build(name, patch, **fields)) == count


def test_maps_have_the_sizes_of_the_program():
  sizes = lambda name, patch: [
      (at.layer.name, at.neurons, at.outputs) for at in layer_shapes(
          build(name, patch).layers, 1, patch)]
  assert sizes('cifar', 32) == [
      ('conv1', (32, 32, 32), (16, 16, 32)),
      ('conv2', (16, 16, 32), (8, 8, 32)),
      ('conv3', (8, 8, 64), (4 * 4 * 64,))]
  assert sizes('cifar_local', 24) == [
      ('conv1', (24, 24, 64), (12, 12, 64)),
      ('conv2', (12, 12, 64), (6, 6, 64)),
      ('local3', (6, 6, 64), (6, 6, 64)), ('local4', (6, 6, 32), (6 * 6 * 32,))]


# --- The same in numpy, unit by unit ------------------------------------------


def pooled(x, kind, size=3, stride=2):
  """kind is np.max or np.mean, of the real units of each window."""
  windows = lambda n: range(0, 1 + stride * -(-max(0, n - size) // stride),
                            stride)
  return np.stack([
      np.stack([kind(x[:, i:i + size, j:j + size], axis=(1, 2))
                for j in windows(x.shape[2])], axis=1)
      for i in windows(x.shape[1])], axis=1)


def reads(x, i, j, size):
  """What the unit at (i, j) reads: [B, size*size*C], zeros off the edge."""
  reach = size // 2
  padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
  return padded[:, i:i + size, j:j + size].reshape(len(x), -1)


def convolved(x, held, size):
  kernel = held['kernel'].reshape(-1, held['kernel'].shape[-1])
  return np.stack([
      np.stack([reads(x, i, j, size) @ kernel + held['bias']
                for j in range(x.shape[2])], axis=1)
      for i in range(x.shape[1])], axis=1)


def locally(x, held, size=3):
  return np.stack([
      np.stack([reads(x, i, j, size) @ held['kernel'][i, j] + held['bias'][i, j]
                for j in range(x.shape[2])], axis=1)
      for i in range(x.shape[1])], axis=1)


def normed(x, alpha, within):
  """A window of three: maps at one position, or positions of one map."""
  y = np.empty_like(x)
  for i, j, c in np.ndindex(x.shape[1:]):
    near = lambda k: slice(max(0, k - 1), k + 2)
    window = (x[:, near(i), near(j), c] if within else x[:, i, j, near(c)])
    squares = (window**2).reshape(len(x), -1).sum(axis=1)
    y[:, i, j, c] = x[:, i, j, c] / (1 + alpha * squares) ** 0.75
  return y


def relu(x):
  return np.maximum(x, 0)


def cifar(p, x, alpha):
  x = normed(pooled(relu(convolved(x, p['conv1'], 5)), np.max), alpha, True)
  x = normed(pooled(relu(convolved(x, p['conv2'], 5)), np.mean), alpha, True)
  x = pooled(relu(convolved(x, p['conv3'], 5)), np.mean).reshape(len(x), -1)
  return relu(x @ p['fc4']['kernel'] + p['fc4']['bias'])


def cifar_local(p, x, alpha):
  x = normed(pooled(relu(convolved(x, p['conv1'], 5)), np.max), alpha, False)
  x = pooled(normed(relu(convolved(x, p['conv2'], 5)), alpha, False), np.max)
  x = relu(locally(x, p['local3']))
  return relu(locally(x, p['local4'])).reshape(len(x), -1)


@pytest.mark.slow
@pytest.mark.parametrize('by_hand', [cifar, cifar_local])
def test_a_net_computes_what_numpy_computes_and_all_of_it_learns(by_hand):
  name = by_hand.__name__
  model = build(name, **SMALL[name])
  params = jax.jit(model.init)(jax.random.key(0))
  patches = DRAW.normal(0, 3, (2, PATCH, PATCH, 3)).astype(np.float32)
  weights = DRAW.normal(0, 1, (2, 10)).astype(np.float32)

  @functools.partial(jax.value_and_grad, has_aux=True)
  def outputs(params):
    logits, features = model.apply(params, patches)
    return (logits * weights).sum(), (logits, features)

  (_, (logits, features)), gradients = jax.jit(outputs)(params)
  held = jax.tree.map(lambda leaf: np.asarray(leaf[0], np.float64),
                      params['columns'])
  expected = by_hand(held, patches.astype(np.float64), 1e-3)
  np.testing.assert_allclose(features, expected, rtol=2e-4, atol=2e-5)
  above = jax.device_get(params['fc8'])
  np.testing.assert_allclose(
      logits, expected @ above['kernel'] + above['bias'], rtol=2e-4, atol=1e-4)
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradients):
    assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0, path


@pytest.mark.parametrize('height, width', [(12, 9), (3, 2)])
def test_a_mean_over_the_edge_is_of_the_real_units(height, width):
  x = DRAW.normal(2, 1, (2, height, width, 3)).astype(np.float32)
  y = jax.jit(avg_pool)(x)
  np.testing.assert_allclose(y, pooled(x, np.mean), rtol=1e-5)
  assert y.shape == jax.eval_shape(max_pool, x).shape


@pytest.mark.parametrize('size', [3, 5])
def test_a_local_layer_has_weights_of_its_own_at_every_position(size):
  x = DRAW.normal(0, 1, (2, 4, 6, 3)).astype(np.float32)
  module = L.locally_connected(7, size, stddev=0.5, bias=0.1)
  held = jax.jit(module.init)(jax.random.key(1), x)['params']
  assert held['kernel'].shape == (4, 6, size * size * 3, 7)
  assert held['bias'].shape == (4, 6, 7) and float(held['bias'][0, 0, 0]) > 0
  assert 0.45 < np.std(held['kernel']) < 0.55
  held = {'kernel': held['kernel'],
          'bias': DRAW.normal(0, 1, (4, 6, 7)).astype(np.float32)}
  np.testing.assert_allclose(
      jax.jit(module.apply)({'params': held}, x),
      locally(x, jax.tree.map(np.asarray, held), size), rtol=1e-4, atol=1e-4)


def test_unshared_weights_work_once_an_image():
  rows = describe.layer_rows(build('cifar_local', 24), 10)
  weights = {'local3': 6 * 6 * 576 * 64, 'local4': 6 * 6 * 576 * 32}
  for row in rows[2:4]:
    assert row.flops == 2 * weights[row.layer]
  assert rows[1].flops == 2 * 12 * 12 * 64 * 5 * 5 * 64
  assert rows[4].flops == 2 * 1152 * 10


def test_a_local_layer_may_read_every_column():
  model = build('cifar_local', num_columns=2, crossings=('local3', 'fc8'),
                **SMALL['cifar_local'])
  params = jax.eval_shape(model.init, jax.random.key(0))
  assert params['columns']['local3']['kernel'].shape == (2, 3, 3, 9 * 12, 5)
  logits, features = jax.eval_shape(
      model.apply, params, np.zeros((2, PATCH, PATCH, 3), np.float32))
  assert logits.shape == (2, 10) and features.shape == (2, 2 * 3 * 3 * 3)


@pytest.mark.parametrize('name, fields, sentence', [
    ('cifar', {'kernels': (32, 32)},
     'config.model.kernels has 2 numbers: give 3, one for each layer in the'
     ' paper\'s order.'),
    ('cifar', {'neurons': (64, 64)},
     'config.model.neurons has 2 numbers: give one, for fc4, or () for no'
     ' hidden layer.'),
    ('cifar', {'neurons': (64,)},
     'config.model.stddevs has 4 numbers: give 5, one for each layer in the'
     ' paper\'s order.'),
    ('cifar_local', {'local_kernels': (32,)},
     'config.model.local_kernels has 1 numbers: give 2, one for each layer in'
     ' the paper\'s order.'),
    ('cifar_local', {'biases': ()},
     'config.model.biases has 0 numbers: give 5, one for each layer in the'
     ' paper\'s order.'),
    ('cifar_local', {'nonlinearity': 'sine'},
     "config.model.nonlinearity='sine' is not known: give one of "
     f'{", ".join(classifier.NONLINEARITIES)}.')])
def test_fields_that_do_not_fit_are_answered(name, fields, sentence):
  with pytest.raises(InputError) as error:
    build(name, **fields)
  assert str(error.value) == sentence
