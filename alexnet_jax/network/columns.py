"""Columns on devices: model parallelism (3.2) and data parallelism.

The mesh has two axes. 'data' splits the batch. 'column' splits the network: a
device stores one column, or several if there are fewer devices than columns.
A column is a list of layers. Each layer reads its own column's maps or, where
the paper connects the GPUs, every column's maps. Collectives over the column
axis exist only at these crossings.
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
  """One layer of one column."""

  name: str  # 'conv1' ... 'fc7', as numbered in the paper
  module: nn.Module  # the weights: convolution, full or local layer
  crosses: bool  # reads every column's maps, not only its own
  post_ops: Sequence[
    Callable[[jax.Array], jax.Array]
  ]  # operations after the weights
  dropout: bool = False  # after the post_ops (4.2)
  inverted: bool = False  # dropout scales in training, not at test


# --- The mesh and the placement of arrays -------------------------------------


def make_mesh(data: int, column: int, num_columns: int,
              devices: Sequence[jax.Device] = ()) -> Mesh:
  """Returns a mesh of data x column devices.

  Args:
    data: number of devices along 'data'.
    column: number of devices along 'column'.
    num_columns: number of columns of the network.
    devices: the devices to choose from; () for those that JAX sees.

  Raises:
    InputError: there are too few devices, or the columns cannot be divided
      evenly among them.
  """
  devices = devices or jax.devices()
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
  """Sharding of a batch: split over 'data', replicated over 'column'."""
  return NamedSharding(mesh, P(DATA))


def param_shardings(mesh: Mesh, tree: Any) -> Any:
  """Sharding of each leaf of the parameters or optimizer state, by its path.

  The leaves of the columns have a leading axis K, which is split over 'column'.
  The rows of the softmax kernel are on the device that computes the features
  they multiply. All other leaves are replicated.
  """

  def home(path, leaf):
    del leaf
    names = [str(getattr(entry, 'key', '')) for entry in path]
    with_column = 'columns' in names or names[-2:] == ['fc8', 'kernel']
    return NamedSharding(mesh, P(COLUMN) if with_column else P())

  return jax.tree_util.tree_map_with_path(home, tree)


def on_each_data_shard(f: Callable, mesh: Mesh) -> Callable:
  """Returns f(batch arrays), run by each data shard on its own examples."""
  return jax.shard_map(f, mesh=mesh, in_specs=P(DATA), out_specs=P(DATA))


def in_parts(batch: Any, count: int, mesh: Mesh) -> Any:
  """Splits a batch: [B, ...] -> [count, B / count, ...].

  Each data shard splits its own examples, so that no example changes device.

  Args:
    batch: arrays whose leading axis is split over 'data'.
    count: number of parts.
    mesh: mesh of the devices.
  """

  def split(shard):
    return jax.tree.map(lambda x: x.reshape(count, -1, *x.shape[1:]), shard)

  return jax.shard_map(
      split, mesh=mesh, in_specs=P(DATA), out_specs=P(None, DATA))(batch)


def process_shard(mesh: Mesh) -> tuple[int, int]:
  """Returns (index, count): the part of each batch that this process loads."""
  me = jax.process_index()
  rows = [
      row for row, devices in enumerate(mesh.devices)
      if any(device.process_index == me for device in devices)
  ]
  count = mesh.devices.shape[0] // len(rows)
  return rows[0] // len(rows), count


# --- Running the columns ------------------------------------------------------


def every_column(xs: Sequence[jax.Array]) -> jax.Array:
  """Concatenates all columns' maps: local [B, ..., C] each -> [B, ..., K*C]."""
  here = jnp.concatenate(xs, axis=-1)
  if jax.lax.axis_size(COLUMN) == 1:
    return here
  # The gather uses a new leading axis: along the last axis XLA would transpose
  # all maps twice.
  devices = jax.lax.all_gather(here, COLUMN)
  return jnp.concatenate(jnp.unstack(devices), axis=-1)


def run(layers: Sequence[Layer], mesh: Mesh) -> Callable:
  """Returns f(params, patches, keys) -> features [B, K*C] of all columns.

  Every leaf of `params` has a leading axis K; `keys` is [B], or None at test
  time.

  Args:
    layers: layers of one column.
    mesh: devices that run the columns.
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

  # Gradients of parameters that data shards share are summed. XLA would perform
  # this sum even for a single shard, so the axis is then named in the spec.
  shares = mesh.shape[DATA] > 1
  return jax.shard_map(
      columns_of_this_device, mesh=mesh,
      in_specs=(P(COLUMN if shares else (DATA, COLUMN)), P(DATA), P(DATA)),
      out_specs=P(DATA, COLUMN))


def apply_weights(layer: Layer, params: Any,
                  xs: Sequence[jax.Array]) -> Sequence[jax.Array]:
  """Applies one layer's weights for all columns of one device.

  Columns that read the same maps are computed as one convolution with all their
  kernels, and full layers as one batched matrix product; both are faster than a
  loop. `jax.vmap` of a convolution gives a grouped convolution, which is
  several times slower on a CPU.

  Args:
    layer: the layer.
    params: parameters of the layer; the leading axis is the column.
    xs: input of each column.
  """
  module, several = layer.module, len(xs) > 1

  def apply(column_params, x) -> Any:
    return module.apply({'params': column_params}, x)

  # For a leading axis of size one, XLA would choose a transposed layout for the
  # gradients.
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
  """Applies the operations after the weights of one layer, dropout last.

  Args:
    layer: the layer.
    x: output of the weights of one column.
    keys: dropout keys, one per example [B], or None at test time.
  """
  for f in layer.post_ops:
    x = f(x)
  return L.dropout(x, keys, layer.inverted) if layer.dropout else x


# --- Shapes and initial values ------------------------------------------------


class LayerShapes(NamedTuple):
  """Input and output shapes of one layer of one column, for one image."""

  layer: Layer
  reads: tuple[int, ...]  # all columns' maps if the layer crosses
  neurons: tuple[int, ...]  # after the weights: the paper's sizes
  outputs: tuple[int, ...]  # after the post_ops


def layer_shapes(layers: Sequence[Layer], num_columns: int,
           patch: int) -> Iterator[LayerShapes]:
  """Yields the shapes of each layer, from the first up, without computing it.

  Args:
    layers: layers of one column.
    num_columns: number of columns of the network.
    patch: side of the square input in pixels.

  Raises:
    InputError: the input is so small that a layer has no units.
  """
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
    if 0 in neurons.shape:  # pooling would give only -inf
      raise InputError(
          f'{patch}-pixel patches leave {layer.name} no units: give a larger'
          ' config.augment.crop (64 is enough for three poolings).')
    yield LayerShapes(layer, x.shape[1:], neurons.shape[1:], out.shape[1:])
    x = out


def init(layers: Sequence[Layer], key: jax.Array, num_columns: int,
         patch: int) -> Any:
  """Draws the parameters of each column; leaves have a leading axis K.

  Args:
    layers: layers of one column.
    key: key of the initial values.
    num_columns: K.
    patch: side of the square input in pixels.

  Raises:
    InputError: the input is so small that a layer has no units.
  """

  def draw(layer, reads, column):
    layer_key = jax.random.fold_in(rng.fold_in_name(key, layer.name), column)
    return layer.module.init(layer_key, jnp.zeros((1, *reads)))['params']

  return {
      layer.name: jax.vmap(lambda column, layer=layer, reads=reads: draw(
          layer, reads, column))(jnp.arange(num_columns))
      for layer, reads, _, _ in layer_shapes(layers, num_columns, patch)
  }
