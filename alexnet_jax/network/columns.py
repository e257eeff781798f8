"""The columns of a network (3.2), each on a device of its own or together.

A column is a list of layers. Each layer reads its own column's maps or, where
the paper connects the GPUs, every column's maps. Collectives over the column
axis of the mesh (placement.py) exist only at these crossings.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from alexnet_jax.network import layers as L
from alexnet_jax.network import norm_and_pool, partners, rng
from alexnet_jax.network.placement import COLUMN, DATA


class Layer(NamedTuple):
  """One layer of one column."""

  name: str  # 'conv1' ... 'fc7', as numbered in the paper
  module: nn.Module  # the weights: convolution, full or local layer
  crosses: bool  # reads every column's maps, not only its own
  post_ops: Sequence[
    Callable[[jax.Array], jax.Array]
  ]  # operations after the weights
  dropout: bool = False  # after the post_ops (4.2)
  inverted: bool = False  # dropout scales in training, not at test
  drop_rate: float = 0.5  # other rates are always inverted
  # A side classifier: layers that read these outputs in training only.
  side: tuple['Layer', ...] = ()
  # Of each column, the columns that it reads if the layer crosses; (): all.
  partners: tuple[tuple[int, ...], ...] = ()
  # One operation on the maps of all columns of a device, which stands for the
  # first of the post_ops: (maps, number of columns) -> maps of each column.
  fused: Callable[[jax.Array, int], Sequence[jax.Array]] | None = None


class ColumnOutputs(NamedTuple):
  """What the columns compute from a batch."""

  features: jax.Array  # [B, K*C] of all columns
  side_logits: tuple[jax.Array, ...]  # [B, classes] each; () at test time
  batch_stats: Any  # {layer: new running averages}; {} at test time


def concatenate_columns(xs: Sequence[jax.Array]) -> jax.Array:
  """Concatenates all columns' maps: local [B, ..., C] each -> [B, ..., K*C]."""
  here = jnp.concatenate(xs, axis=-1)
  if jax.lax.axis_size(COLUMN) == 1:
    return here
  # The gather uses a new leading axis: along the last axis XLA would transpose
  # all maps twice.
  devices = jax.lax.all_gather(here, COLUMN)
  return jnp.concatenate(jnp.unstack(devices), axis=-1)


def run(layers: Sequence[Layer], mesh: Mesh, maps: bool = False) -> Callable:
  """Returns f(params, batch_stats, patches, keys) -> ColumnOutputs.

  Every leaf of `params` and `batch_stats` has a leading axis K; `keys` is [B],
  or None at test time.

  Args:
    layers: layers of one column.
    mesh: devices that run the columns.
    maps: whether the uppermost layer has maps, [B, H, W, K*C], for features.
  """

  def columns_of_this_device(params, batch_stats, patches, keys):
    local = len(jax.tree.leaves(params)[0])
    first = jax.lax.axis_index(COLUMN) * local
    training = keys is not None
    side_logits, new_stats = [], {}

    def apply(layer, xs):
      with jax.named_scope(layer.name):
        if layer.crosses:
          everything = concatenate_columns(xs)
          xs = (partners.read(layer.partners, everything, local, first)
                if layer.partners else [everything] * local)
        stats = batch_stats.get(layer.name)
        if stats and training:
          xs, new_stats[layer.name] = apply_to_batch(
              layer, params[layer.name], stats, xs)
        else:
          xs = apply_weights(layer, params[layer.name], xs, stats)
        return [
          apply_post_ops(layer, x, rng.column_keys(keys, layer.name, first + k))
          for k, x in enumerate(xs)
        ]

    xs = [patches] * local
    for layer in layers:
      xs = apply(layer, xs)
      if layer.side and training:
        side_logits.append(jnp.concatenate(
            functools.reduce(lambda ys, one: apply(one, ys), layer.side, xs),
            axis=-1))
    return ColumnOutputs(
        jnp.concatenate(xs, axis=-1), tuple(side_logits), new_stats)

  # Gradients of parameters that data shards share are summed. XLA would perform
  # this sum even for a single shard, so the axis is then named in the spec.
  shares = mesh.shape[DATA] > 1
  params = P(COLUMN if shares else (DATA, COLUMN))
  side_logits: Any = P(DATA, COLUMN)
  outputs: Any = P(DATA, None, None, COLUMN) if maps else side_logits
  return jax.shard_map(
      columns_of_this_device, mesh=mesh,
      in_specs=(params, params, P(DATA), P(DATA)),
      out_specs=ColumnOutputs(outputs, side_logits, params))


def apply_weights(layer: Layer, params: Any, xs: Sequence[jax.Array],
                  batch_stats: Any = None) -> Sequence[jax.Array]:
  """Applies one layer's weights, and what is fused, for all columns.

  Columns that read the same maps are computed as one convolution with all their
  kernels, and full layers as one batched matrix product; both are faster than a
  loop. `jax.vmap` of a convolution gives a grouped convolution, which is
  several times slower on a CPU.

  Args:
    layer: the layer.
    params: parameters of the layer; the leading axis is the column.
    xs: input of each column.
    batch_stats: running averages that its norms use; None without such norms.
  """
  module, several = layer.module, len(xs) > 1

  def apply(column_params, x, **others) -> Any:
    return module.apply({'params': column_params, **others}, x)

  if batch_stats:
    return [
        apply(column_params, x, batch_stats=stats)
        for column_params, stats, x in zip(
            _unstacked(params), _unstacked(batch_stats), xs, strict=True)]

  # For a leading axis of size one, XLA would choose a transposed layout for the
  # gradients.
  if several and isinstance(module, nn.Dense):
    return jnp.unstack(jax.vmap(apply)(params, jnp.stack(xs)))
  same = all(x is xs[0] for x in xs)
  if several and same and isinstance(module, nn.Conv):
    kernels = jax.tree.map(
        lambda leaf: jnp.concatenate(jnp.unstack(leaf), axis=-1), params)
    wide: Any = module.clone(features=len(xs) * module.features)
    maps: Any = wide.apply({'params': kernels}, xs[0])
    if layer.fused:
      return layer.fused(maps, len(xs))
    return jnp.split(maps, len(xs), axis=-1)
  ys = [apply(column_params, x)
        for column_params, x in zip(_unstacked(params), xs, strict=True)]
  if layer.fused:
    return [y for maps in ys for y in layer.fused(maps, 1)]
  return ys


def apply_to_batch(
    layer: Layer, params: Any, batch_stats: Any, xs: Sequence[jax.Array]
) -> tuple[Sequence[jax.Array], Any]:
  """Applies a layer whose norms use the statistics of the global batch.

  Args:
    layer: the layer; this must be within `run`, whose data shards it averages.
    params: parameters of the layer; the leading axis is the column.
    batch_stats: running averages before this batch, likewise.
    xs: input of each column.

  Returns:
    The outputs of each column, and the running averages after this batch.
  """
  ys, changed = zip(*(
      layer.module.apply({'params': column_params, 'batch_stats': stats}, x,
                         mutable=['batch_stats'])
      for column_params, stats, x in zip(
          _unstacked(params), _unstacked(batch_stats), xs, strict=True)),
                    strict=True)
  return ys, jax.tree.map(lambda *leaves: jnp.stack(leaves),
                          *(one['batch_stats'] for one in changed))


def _unstacked(tree):
  """Splits the leading axis of every leaf: one tree for each column."""
  leaves, structure = jax.tree.flatten(tree)
  return [structure.unflatten(column)
          for column in zip(*map(jnp.unstack, leaves), strict=True)]


def apply_post_ops(
  layer: Layer, x: jax.Array, keys: jax.Array | None
) -> jax.Array:
  """Applies the operations after the weights of one layer, dropout last.

  Args:
    layer: the layer.
    x: output of the weights of one column.
    keys: dropout keys, one per example [B], or None at test time.
  """
  for f in norm_and_pool.join(layer.post_ops):
    x = f(x)
  return apply_dropout(layer, x, keys)


def apply_dropout(
    layer: Layer, x: jax.Array, keys: jax.Array | None
) -> jax.Array:
  """Applies the dropout of one layer, if it has some.

  Args:
    layer: the layer.
    x: its outputs in one column.
    keys: dropout keys, one per example [B], or None at test time.
  """
  if layer.drop_rate != 0.5:
    return L.dropout_at(x, keys, layer.drop_rate)
  return L.dropout(x, keys, layer.inverted) if layer.dropout else x
