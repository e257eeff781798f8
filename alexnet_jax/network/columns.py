"""Columns on devices: the two GPUs of section 3.2, and the whole parallelism.

The mesh has two axes. 'data' splits the batch. 'column' splits the network: a
device holds one column, or several when there are fewer devices than columns.
A column is a list of layers; each reads its own column's maps or, where the
paper draws a crossing, every column's. Whoever runs the columns does nothing
else, so collectives over the column axis exist only at the crossings.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from alexnet_jax.errors import InputError
from alexnet_jax.network import layers as L
from alexnet_jax.network import rng

DATA, COLUMN = 'data', 'column'


class Layer(NamedTuple):
  """One layer as one column holds it."""

  name: str  # 'conv1' ... 'fc7', as numbered in the paper
  module: nn.Module  # the weights: a convolution or a full layer
  crosses: bool  # reads every column's maps, not only its own
  post_ops: Sequence[
    Callable[[jax.Array], jax.Array]
  ]  # what follows the weights
  dropout: bool = False  # and, last of all, section 4.2


# --- The mesh and the homes of arrays -----------------------------------------


def make_mesh(data: int, column: int, num_columns: int) -> Mesh:
  """A mesh of data x column devices.

  Raises:
    InputError: too few devices, or columns that do not divide over them.
  """
  devices = jax.devices()
  if num_columns % column:
    raise InputError(
        f'config.mesh.column={column} cannot hold {num_columns} columns: give'
        f' a divisor of config.model.num_columns={num_columns}.')
  if data * column > len(devices):
    platform = devices[0].platform
    cure = ('set JAX_NUM_CPU_DEVICES=%d to pretend that many'
            if platform == 'cpu' else 'lower one of them to fit %d in all')
    count = data * column if platform == 'cpu' else len(devices)
    raise InputError(
        f'config.mesh.data={data} times config.mesh.column={column} needs'
        f' {data * column} devices but JAX sees {len(devices)} ({platform}): '
        + cure % count + '.')
  return jax.make_mesh(
      (data, column), (DATA, COLUMN), axis_types=(AxisType.Auto,) * 2,
      devices=devices[: data * column])


def batch_sharding(mesh: Mesh) -> NamedSharding:
  """Where a batch lives: split over 'data', the same for every column."""
  return NamedSharding(mesh, P(DATA))


def param_shardings(mesh: Mesh, tree: Any) -> Any:
  """Where each leaf of parameters or optimizer state lives, by its path.

  What belongs to a column has a leading axis K and lies with its column. The
  softmax kernel lies with the features that it reads. The rest is everywhere.
  """

  def home(path, leaf):
    del leaf
    names = [str(getattr(entry, 'key', '')) for entry in path]
    with_column = 'columns' in names or names[-2:] == ['fc8', 'kernel']
    return NamedSharding(mesh, P(COLUMN) if with_column else P())

  return jax.tree_util.tree_map_with_path(home, tree)


def on_each_data_shard(f: Callable, mesh: Mesh) -> Callable:
  """f(batch arrays) run by each data shard on its own examples."""
  return jax.shard_map(f, mesh=mesh, in_specs=P(DATA), out_specs=P(DATA))


def process_shard(mesh: Mesh) -> tuple[int, int]:
  """(index, count): which part of each batch this process has to load."""
  me = jax.process_index()
  rows = [
      row for row, devices in enumerate(mesh.devices)
      if any(device.process_index == me for device in devices)
  ]
  count = mesh.devices.shape[0] // len(rows)
  return rows[0] // len(rows), count


# --- Running the columns ------------------------------------------------------


def every_column(xs: Sequence[jax.Array]) -> jax.Array:
  """All columns' maps side by side: local [B, ..., C] each -> [B, ..., K*C]."""
  here = jnp.concatenate(xs, axis=-1)
  if jax.lax.axis_size(COLUMN) == 1:
    return here
  # Gathered in front: along the maps XLA would transpose all of them twice.
  devices = jax.lax.all_gather(here, COLUMN)
  return jnp.concatenate(jnp.unstack(devices), axis=-1)


def run(layers: Sequence[Layer], mesh: Mesh) -> Callable:
  """f(params, patches, keys) -> features [B, K*C], all columns side by side.

  Every leaf of `params` has a leading axis K; `keys` is [B], or None at test
  time.
  """

  def columns_of_this_device(params, patches, keys):
    local = len(jax.tree.leaves(params)[0])
    first = jax.lax.axis_index(COLUMN) * local
    xs = [patches] * local
    for layer in layers:
      with jax.named_scope(layer.name):
        if layer.crosses:
          xs = [every_column(xs)] * local
        xs = [
          apply_post_ops(layer, x, rng.column_keys(keys, layer.name, first + k))
          for k, x in enumerate(apply_weights(layer, params[layer.name], xs))
        ]
    return jnp.concatenate(xs, axis=-1)

  # Gradients of what data shards share are summed, which XLA would carry out
  # over a single shard, too.
  shares = mesh.shape[DATA] > 1
  return jax.shard_map(
      columns_of_this_device, mesh=mesh,
      in_specs=(P(COLUMN if shares else (DATA, COLUMN)), P(DATA), P(DATA)),
      out_specs=P(DATA, COLUMN))


def apply_weights(layer: Layer, params: Any,
                  xs: Sequence[jax.Array]) -> Sequence[jax.Array]:
  """One layer's convolution or product for the columns of one device.

  Columns that read the same maps are one convolution with all their kernels,
  and full layers one product with a leading axis: faster than a loop. Vmapped
  convolutions would be grouped ones, several times slower on a CPU.

  Args:
    layer: the layer.
    params: its parameters; a leading axis has the columns.
    xs: what each column reads.
  """
  module, several = layer.module, len(xs) > 1

  def apply(column_params, x) -> Any:
    return module.apply({'params': column_params}, x)

  # With a leading axis of one XLA would lay out the gradients transposed.
  if several and isinstance(module, nn.Dense):
    return jnp.unstack(jax.vmap(apply)(params, jnp.stack(xs)))
  same = all(x is xs[0] for x in xs)
  if several and same and isinstance(module, nn.Conv):
    kernels = jax.tree.map(
        lambda leaf: jnp.concatenate(jnp.unstack(leaf), axis=-1), params)
    wide: Any = module.clone(features=len(xs) * module.features)
    return jnp.split(
        wide.apply({'params': kernels}, xs[0]), len(xs), axis=-1)
  leaves, tree = jax.tree.flatten(params)
  each = zip(*map(jnp.unstack, leaves), strict=True)
  return [apply(tree.unflatten(leaves), x)
          for leaves, x in zip(each, xs, strict=True)]


def apply_post_ops(
  layer: Layer, x: jax.Array, keys: jax.Array | None
) -> jax.Array:
  """What follows the weights of one column's layer, dropout last."""
  for f in layer.post_ops:
    x = f(x)
  return L.dropout(x, keys) if layer.dropout else x


# --- Shapes and first values --------------------------------------------------


class LayerShapes(NamedTuple):
  """What one column's layer reads and puts out, for one image."""

  layer: Layer
  reads: tuple[int, ...]  # all columns' maps where the layer crosses
  neurons: tuple[int, ...]  # right after the weights: the paper's sizes
  outputs: tuple[int, ...]  # after norm, pooling and the rest


def layer_shapes(layers: Sequence[Layer], num_columns: int,
           patch: int) -> Iterator[LayerShapes]:
  """Walks the column without computing anything."""
  x = jax.ShapeDtypeStruct((1, patch, patch, 3), jnp.float32)
  for layer in layers:
    if layer.crosses:
      x = jax.ShapeDtypeStruct(
          (*x.shape[:-1], num_columns * x.shape[-1]), x.dtype)
    params = jax.eval_shape(layer.module.init, jax.random.key(0), x)['params']
    neurons = jax.eval_shape(layer.module.apply, {'params': params}, x)
    out = jax.eval_shape(
      lambda x, layer=layer: apply_post_ops(layer, x, None), neurons
    )
    if 0 in neurons.shape:  # pooling would hang -inf over nothing
      raise InputError(
          f'{patch}-pixel patches leave {layer.name} no units: give a larger'
          ' config.augment.crop (64 is enough for three poolings).')
    yield LayerShapes(layer, x.shape[1:], neurons.shape[1:], out.shape[1:])
    x = out


def init(layers: Sequence[Layer], key: jax.Array, num_columns: int,
         patch: int) -> Any:
  """The columns' parameters: each column draws its own, leading axis K."""

  def draw(layer, reads, column):
    own = jax.random.fold_in(rng.fold_in_name(key, layer.name), column)
    return layer.module.init(own, jnp.zeros((1, *reads)))['params']

  return {
      layer.name: jax.vmap(lambda column, layer=layer, reads=reads: draw(
          layer, reads, column))(jnp.arange(num_columns))
      for layer, reads, _, _ in layer_shapes(layers, num_columns, patch)
  }
