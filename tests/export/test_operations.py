"""The standard operations, computed in NumPy with float64 as defined."""

import jax
import nets
import network_forms
import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from alexnet_jax.errors import InputError
from alexnet_jax.export import operations
from alexnet_jax.network import placement


def windows(x, size, stride=1, edge=0.0, ends=(0, 0, 0, 0)):
  """[B, C, H, W] -> [B, C, h, w, size, size], `ends` at the edges."""
  top, bottom, left, right = ends
  padded = np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)),
                  constant_values=edge)
  return sliding_window_view(padded, (size, size), (2, 3))[
      :, :, ::stride, ::stride]


def convolution(x, weight, bias=None, *, groups, stride, padding):
  reads = windows(x, weight.shape[-1], stride[0], 0.0, padding)
  y = np.concatenate([
      np.einsum('bchwij,ocij->bohw', part, kernels)
      for part, kernels in zip(np.split(reads, groups, 1),
                               np.split(weight, groups), strict=True)], 1)
  return y if bias is None else y + bias[:, None, None]


def full(x, weight, bias, groups):
  return np.concatenate([
      part @ rows.reshape(len(rows), -1).T for part, rows in zip(
          np.split(x, groups, 1), np.split(weight, groups), strict=True)
  ], 1) + bias


def channel_norm(x, groups, k, n, alpha, beta):
  y = np.empty_like(x)
  maps = x.shape[1] // groups
  for i in range(x.shape[1]):
    first = i // maps * maps
    low, high = max(first, i - n // 2), min(first + maps, i + n - n // 2)
    squares = (x[:, low:high] ** 2).sum(1)
    y[:, i] = x[:, i] / (k + alpha * squares) ** beta
  return y


def map_norm(x, k, size, alpha, beta):
  reach = (size // 2, size - 1 - size // 2) * 2
  return x / (k + alpha * windows(x * x, size, ends=reach).sum(
      (-2, -1))) ** beta


def max_pool(x, size, stride, overhang, before=0):
  bottom, right = overhang
  return windows(x, size, stride, -np.inf,
                 (before, bottom, before, right)).max((-2, -1))


def batch_norm(x, weight, bias, running_mean, running_var, epsilon):
  centered = (x - running_mean[:, None, None]) / np.sqrt(
      running_var + epsilon)[:, None, None]
  return centered * weight[:, None, None] + bias[:, None, None]


def avg_pool(x, size, stride, overhang):
  bottom, right = overhang
  return np.nanmean(
      windows(x, size, stride, np.nan, (0, bottom, 0, right)), (-2, -1))


OPERATIONS = {
    'convolution': convolution, 'full': full, 'channel_norm': channel_norm,
    'map_norm': map_norm, 'max_pool': max_pool, 'avg_pool': avg_pool,
    'batch_norm': batch_norm,
    'divide': lambda x, by: x / np.array(by)[:, None, None],
    'gray': lambda x, scale: x.mean(1, keepdims=True) / scale,
    'subsample': lambda x, stride: x[:, :, ::stride, ::stride],
    'pad_maps': lambda x, count: np.pad(x, ((0, 0), (0, count), *[(0, 0)] * 2)),
    'average': lambda x: x.mean((2, 3)), 'add': lambda x, y: x + y,
    'concatenate': lambda *branches: np.concatenate(branches, 1),
    'scale': lambda x, factor: x * factor, 'tanh': np.tanh,
    'crop': lambda x, height, width: x[:, :, :height, :width],
    'relu': lambda x: np.maximum(x, 0), 'flatten': lambda x: x.reshape(
        len(x), -1)}


@pytest.mark.parametrize('form', network_forms.FORMS)
def test_the_operations_give_the_logits_of_the_network(form):
  problem = network_forms.problem(form)
  x = problem.patches.astype(np.float64).transpose(0, 3, 1, 2)
  outputs = []
  for one in operations.operations(problem.model, problem.params):
    arrays = {kind: array.astype(np.float64)
              for kind, array in one.arrays.items()}
    inputs = [outputs[place] for place in one.reads] or [x]
    x = OPERATIONS[one.kind](*inputs, **arrays, **one.settings)
    outputs.append(x)
  network_forms.assert_equal_logits(x, problem.logits)


def test_the_columns_of_the_paper_are_the_groups_of_conv2_4_and_5():
  problem = network_forms.problem('alexnet')
  groups = {one.name: one.settings['groups'] for one in operations.operations(
      problem.model, problem.params) if one.name}
  assert groups == {'conv1': 1, 'conv2': 2, 'conv3': 1, 'conv4': 2, 'conv5': 2,
                    'fc6': 1, 'fc7': 1, 'fc8': 1}


def test_poolings_of_the_tests_extend_past_the_edge():
  for form, kind in (('alexnet', 'max_pool'), ('cifar', 'avg_pool')):
    problem = network_forms.problem(form)
    chain = operations.operations(problem.model, problem.params)
    assert any(one.settings['overhang'][0] for one in chain
               if one.kind == kind), form


def test_a_layer_without_a_standard_operation_is_refused():
  model = nets.build('cifar_local', placement.make_mesh(1, 1, 1), 5, 24)
  params = jax.eval_shape(model.init, jax.random.key(0))
  params = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float32), params)
  with pytest.raises(InputError, match='local3 has LocallyConnected, which ONNX'
                     ' and PyTorch have no standard operation for: give'
                     ' --format=stablehlo'):
    operations.operations(model, params)
