"""Full layers divided over the devices that divide the batch.

Krizhevsky, "One weird trick for parallelizing convolutional neural networks"
(2014): convolutions do most of the work and have few weights, so every device
has all of them and a part of the batch (data parallelism). Full layers have
most of the weights and do little work, so every device has some of their
neurons and reads the whole batch (model parallelism). Below fc6 the maps of all
devices are gathered at once, which is the first of that paper's three schemes.

fc6 and fc7 are divided by their neurons, column by column. fc8 is divided by
its inputs, so that any number of classes will do: a device multiplies the
features that it has, and the products are summed over the devices.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from alexnet_jax.errors import InputError
from alexnet_jax.network import classifier, columns, partners, rng
from alexnet_jax.network import layers as L
from alexnet_jax.network.classifier import Model, Outputs
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.placement import COLUMN, DATA
from alexnet_jax.network.shapes import with_sides

# config.mesh.full_layers: whether the devices along 'data' divide the batch of
# the full layers, or their neurons.
PARALLEL = ('data', 'model')
MAPS = P(DATA, None, None, COLUMN)


def divide(model: Model, mesh: Mesh) -> Model:
  """Returns the same network with its full layers divided over 'data'.

  Args:
    model: a network whose uppermost layers are full layers.
    mesh: devices that run it.

  Raises:
    InputError: it has no full layers, or their neurons do not divide.
  """
  below, full = _split(model.layers)
  _check(full, mesh.shape[DATA])
  run_below = columns.run(below, mesh, maps=True)
  run_full = _run(full, model.softmax, mesh)

  def forward(variables, patches, keys=None):
    params, batch_stats = classifier.split(variables)
    maps, side_logits, new_stats = run_below(
        _of(with_sides(below), params['columns']),
        batch_stats.get('columns', {}), patches, keys)
    kernel, bias = params['fc8']['kernel'], params['fc8']['bias']
    with jax.named_scope('fc8'):
      rows = kernel.reshape(model.num_columns, -1, kernel.shape[-1])
    products, features = run_full(
        _of(full, params['columns']), rows, maps, keys)
    with jax.named_scope('fc8'):
      logits = products + bias[None]
    return Outputs(logits, features.reshape(len(features), -1), side_logits,
                   {'columns': new_stats} if new_stats else {})

  divided = [layer.name for layer in full]
  # A device with several columns has some features of each, and their rows of
  # fc8 are not adjacent; every device then stores all rows of its columns.
  if model.num_columns == mesh.shape[COLUMN]:
    divided.append('fc8')
  return model._replace(forward=forward, divided=tuple(divided))


def can_divide(model: Model, devices: int) -> bool:
  """Returns whether so many devices can divide the full layers."""
  _, full = _split(model.layers)
  return bool(full) and not any(
      layer.module.features % devices for layer in full)


def _split(layers: Sequence[Layer]) -> tuple[Sequence[Layer], Sequence[Layer]]:
  """Splits the uppermost layers off that are full layers."""
  first = len(layers)
  while first and isinstance(layers[first - 1].module, L.FullyConnected):
    first -= 1
  return layers[:first], layers[first:]


def _check(full, devices):
  if not full:
    raise InputError(
        'config.mesh.full_layers=model needs full layers below fc8, and this'
        ' network has none: leave it at data.')
  for layer in full:
    if layer.module.features % devices:
      neurons = layer.module.features
      raise InputError(
          f'config.mesh.full_layers=model cannot divide the {neurons} neurons'
          f' of {layer.name} in a column over config.mesh.data={devices}'
          f' devices: give a divisor of {neurons}, or leave full_layers at'
          ' data.')


def _of(layers, params):
  return {layer.name: params[layer.name] for layer in layers}


def _run(full: Sequence[Layer], softmax: Any, mesh: Mesh) -> Callable:
  """Returns f(params, rows, maps, keys) -> (products of fc8, features).

  The rows of fc8 are [K, C, classes], the maps those of all columns, and the
  features [B, K, C].
  """
  devices = mesh.shape[DATA]
  shares = [layer._replace(module=layer.module.clone(
      features=layer.module.features // devices)) for layer in full]

  def layers_of_this_device(params, rows, maps, keys):
    local = len(rows)
    first = lax.axis_index(COLUMN) * local
    xs = jnp.split(maps, local, axis=-1)
    for whole, share in zip(full, shares, strict=True):
      with jax.named_scope(whole.name):
        xs = _of_all_devices(xs, whole, first, is_share=whole is not full[0])
        xs = columns.apply_weights(share, params[whole.name], xs)
        xs = [_apply_post_ops(
            whole, x, rng.column_keys(keys, whole.name, first + k))
            for k, x in enumerate(xs)]
    with jax.named_scope('fc8'):
      partial = softmax.clone(use_bias=False).apply(
          {'params': {'kernel': rows.reshape(-1, rows.shape[-1])}},
          jnp.concatenate(xs, axis=-1))
      products = lax.psum(
          lax.psum_scatter(partial, DATA, tiled=True), COLUMN)
    return products, jnp.stack(xs, axis=1)

  neurons = {layer.name: {'kernel': P(COLUMN, None, DATA),
                          'bias': P(COLUMN, DATA)} for layer in full}
  return jax.shard_map(
      layers_of_this_device, mesh=mesh,
      in_specs=(neurons, P(COLUMN, DATA), MAPS, P()),
      out_specs=(P(DATA), P(None, COLUMN, DATA)))


def _of_all_devices(xs: Sequence[jax.Array], layer: Layer, first: jax.Array,
                    is_share: bool) -> Sequence[jax.Array]:
  """Gathers what each column of this device reads, for the whole batch.

  Args:
    xs: of each column of this device, [B/D, H, W, C] or, `is_share`, [B, C/D].
    layer: the layer that reads them.
    first: the number of the first of the columns.
    is_share: whether the devices along 'data' have different neurons; otherwise
      they have different examples.
  """
  local = len(xs)
  here = (columns.concatenate_columns(xs) if layer.crosses
          else jnp.concatenate(xs, axis=-1))
  if not is_share:
    whole = lax.all_gather(here, DATA, tiled=True)
  else:
    # Of each column [B, D shares], whose shares come from D devices.
    shares = lax.all_gather(here, DATA)
    share = xs[0].shape[-1]
    whole = jnp.moveaxis(
        shares.reshape(*shares.shape[:2], -1, share), 0, 2).reshape(
            len(here), -1)
  if layer.partners:
    return partners.read(layer.partners, whole, local, first)
  return [whole] * local if layer.crosses else jnp.split(whole, local, axis=-1)


def _apply_post_ops(layer, x, keys):
  """Applies the operations after the weights to a share of the neurons.

  A neuron is dropped with its neighbors on other devices: the mask is that of
  all neurons of the column, of which this device uses its own.
  """
  for f in layer.post_ops:
    x = f(x)
  everywhere = jnp.ones((len(x), layer.module.features), x.dtype)
  factors = columns.apply_dropout(layer, everywhere, keys)
  if factors is everywhere:
    return x
  start = lax.axis_index(DATA) * x.shape[-1]
  return x * lax.dynamic_slice_in_dim(factors, start, x.shape[-1], axis=-1)
