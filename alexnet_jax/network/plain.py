"""A straightforward implementation of `alexnet.py` on one device.

It uses grouped convolutions where columns do not cross, `reduce_window` for
norms and pooling, JAX's automatic differentiation, and no mesh. It reads the
same parameters and draws the same dropout masks. It is the reference for the
tests and the baseline in `--task=bench`.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from alexnet_jax.network import alexnet, rng
from alexnet_jax.network import layers as L
from alexnet_jax.network.alexnet import CONV1_PADDING


def build(spec: alexnet.Spec) -> Callable:
  """Builds the network without a mesh or custom gradients.

  Args:
    spec: columns, crossings and the constants of the norm; everything else is
      as in the paper.

  Returns:
    f(params, patches, keys=None) -> (logits [B, classes], features [B, K*N]).
  """
  num_columns, crossings, norm_n = (
      spec.num_columns, spec.crossings, spec.norm_n)

  def conv(name, params, x, stride=1, padding='SAME'):
    grouped = name != 'conv1' and name not in crossings
    kernel = _side_by_side(params[name]['kernel'])
    x = lax.conv_general_dilated(
        x, kernel, (stride, stride), padding,
        dimension_numbers=('NHWC', 'HWIO', 'NHWC'),
        feature_group_count=num_columns if grouped else 1)
    return jax.nn.relu(x + params[name]['bias'].reshape(1, 1, 1, -1))

  def norm(x):
    squares = jnp.square(x).reshape(*x.shape[:3], num_columns, -1)
    below = norm_n // 2
    sums = lax.reduce_window(
        squares, 0.0, lax.add, (1, 1, 1, 1, norm_n), (1,) * 5,
        ((0, 0),) * 4 + ((below, norm_n - 1 - below),))
    return x / (spec.norm_k + spec.norm_alpha * sums.reshape(
        x.shape)) ** spec.norm_beta

  def full(name, params, x, keys):
    columns = jnp.split(x, num_columns, axis=-1)
    kernel, bias = params[name]['kernel'], params[name]['bias']
    if name in crossings:
      y = x.reshape(len(x), -1) @ _side_by_side(kernel)
    else:
      y = jnp.concatenate([
          column.reshape(len(x), -1) @ kernel[k]
          for k, column in enumerate(columns)
      ], axis=-1)
    y = jax.nn.relu(y + bias.reshape(1, -1))
    return jnp.concatenate([
        L.dropout(column, rng.column_keys(keys, name, k))
        for k, column in enumerate(jnp.split(y, num_columns, axis=-1))
    ], axis=-1)

  def apply(params, patches, keys=None):
    p = params['columns']
    x = _pool(norm(conv('conv1', p, patches, 4, CONV1_PADDING)))
    x = _pool(norm(conv('conv2', p, x)))
    x = conv('conv3', p, x)
    x = conv('conv4', p, x)
    x = _pool(conv('conv5', p, x))
    x = full('fc6', p, x, keys)
    features = full('fc7', p, x, keys)
    kernel, bias = params['fc8']['kernel'], params['fc8']['bias']
    return features @ kernel + bias.reshape(1, -1), features

  return apply


def _side_by_side(kernel):
  """Concatenates the maps of all groups: [K, ..., maps] -> [..., K*maps]."""
  kernel = jnp.moveaxis(kernel, 0, -2)
  return kernel.reshape(*kernel.shape[:-2], -1)


def _pool(x):
  over = [(0, (size - 3) % 2) for size in x.shape[1:3]]
  return lax.reduce_window(
      x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1),
      ((0, 0), *over, (0, 0)))
