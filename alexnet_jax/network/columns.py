"""Columns on devices: model parallelism (3.2) and data parallelism.

The mesh has two axes. 'data' splits the batch. 'column' splits the network: a
device stores one column, or several if there are fewer devices than columns.
A column is a list of layers. Each layer reads its own column's maps or, where
the paper connects the GPUs, every column's maps. Collectives over the column
axis exist only at these crossings.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from alexnet_jax.errors import InputError
from alexnet_jax.network import layers as L
from alexnet_jax.network import norm_and_pool, partners, rng

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
  by_process = sorted(devices, key=lambda device: device.process_index)
  used, types = by_process[: data * column], (AxisType.Auto,) * 2
  if used[0].process_index != used[-1].process_index:
    # JAX would order them by their wires. On a TPU pod the rows of a process
    # would then lie apart, but it loads one part of each batch.
    return Mesh(np.reshape(used, (data, column)), (DATA, COLUMN), types)
  return jax.make_mesh((data, column), (DATA, COLUMN), types, devices=used)


def batch_sharding(mesh: Mesh) -> NamedSharding:
  """Sharding of a batch: split over 'data', replicated over 'column'."""
  return NamedSharding(mesh, P(DATA))


def param_shardings(mesh: Mesh, tree: Any, divided: Sequence[str] = ()) -> Any:
  """Sharding of each leaf of the parameters or optimizer state, by its path.

  The leaves of the columns have a leading axis K, which is split over 'column'.
  The rows of the softmax kernel are on the device that computes the features
  they multiply. All other leaves are replicated.

  Args:
    mesh: mesh of the devices.
    tree: the parameters, or what has their paths.
    divided: `Model.divided`, the layers whose neurons are split over 'data'.
  """

  def home(path, leaf):
    names = [str(getattr(entry, 'key', '')) for entry in path]
    if names[-2:] == ['fc8', 'kernel']:
      rows = (COLUMN, DATA) if 'fc8' in divided else COLUMN
      return NamedSharding(mesh, P(rows))
    if 'columns' not in names:
      return NamedSharding(mesh, P())
    if any(name in divided for name in names):
      return NamedSharding(mesh, P(COLUMN, *[None] * (leaf.ndim - 2), DATA))
    return NamedSharding(mesh, P(COLUMN))

  return jax.tree_util.tree_map_with_path(home, tree)


def on_each_data_shard(f: Callable, mesh: Mesh) -> Callable:
  """Returns f(batch arrays), run by each data shard on its own examples."""
  return jax.shard_map(f, mesh=mesh, in_specs=P(DATA), out_specs=P(DATA))


def split_batch(batch: Any, count: int, mesh: Mesh) -> Any:
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


# --- Shapes and initial values ------------------------------------------------


class LayerShapes(NamedTuple):
  """Input and output shapes of one layer of one column, for one image."""

  layer: Layer
  reads: tuple[int, ...]  # all columns' maps if the layer crosses
  neurons: tuple[int, ...]  # after the weights: the paper's sizes
  outputs: tuple[int, ...]  # after the post_ops


def with_sides(layers: Sequence[Layer]) -> tuple[Layer, ...]:
  """Returns the layers, followed by those of all side classifiers."""
  return (*layers, *(one for layer in layers for one in layer.side))


def all_shapes(layers: Sequence[Layer], num_columns: int,
               patch: int) -> Iterator[LayerShapes]:
  """Like `layer_shapes`, for the layers `with_sides`."""
  outputs = []
  for shapes in layer_shapes(layers, num_columns, patch):
    outputs.append(shapes.outputs)
    yield shapes
  for layer, reads in zip(layers, outputs, strict=True):
    yield from layer_shapes(layer.side, num_columns, patch, reads)


def layer_shapes(layers: Sequence[Layer], num_columns: int, patch: int,
                 reads: tuple[int, ...] = ()) -> Iterator[LayerShapes]:
  """Yields the shapes of each layer, from the first up, without computing it.

  Args:
    layers: layers of one column.
    num_columns: number of columns of the network.
    patch: side of the square input in pixels.
    reads: shape that the first layer reads, for one image; (): the pixels.

  Raises:
    InputError: the input is so small that a layer has no units.
  """
  x = jax.ShapeDtypeStruct((1, *(reads or (patch, patch, 3))), jnp.float32)
  for layer in layers:
    if layer.crosses:
      x = jax.ShapeDtypeStruct(
          (*x.shape[:-1], x.shape[-1] * partners.columns_read(
              layer.partners, num_columns)), x.dtype)
    module: Any = layer.module  # hashable, which its type does not say
    neurons = _shape_after(module, x.shape)
    out = _shape_past(tuple(layer.post_ops), neurons)
    if 0 in neurons.shape:  # pooling would give only -inf
      raise InputError(
          f'{patch}-pixel patches leave {layer.name} no units: give a larger'
          ' config.augment.crop (64 is enough for three poolings).')
    yield LayerShapes(layer, x.shape[1:], neurons.shape[1:], out.shape[1:])
    x = out


@functools.lru_cache(maxsize=1024)  # deep networks repeat their blocks
def _shape_after(module, reads):
  outputs, _ = jax.eval_shape(
      module.init_with_output, jax.random.key(0),
      jax.ShapeDtypeStruct(reads, jnp.float32))
  return outputs


@functools.lru_cache(maxsize=1024)  # a run asks for them several times
def _shape_past(post_ops, neurons):
  return jax.eval_shape(
      lambda x: functools.reduce(lambda x, f: f(x), post_ops, x), neurons)


def init(layers: Sequence[Layer], key: jax.Array, num_columns: int,
         patch: int) -> tuple[Any, Any]:
  """Draws the parameters of each column; leaves have a leading axis K.

  Args:
    layers: layers of one column.
    key: key of the initial values.
    num_columns: K.
    patch: side of the square input in pixels.

  Returns:
    {layer: parameters}, and {layer: running averages} of the layers that have
    some.

  Raises:
    InputError: the input is so small that a layer has no units.
  """

  def draw(layer, reads, column):
    layer_key = jax.random.fold_in(rng.fold_in_name(key, layer.name), column)
    return layer.module.init(layer_key, jnp.zeros((1, *reads)))

  variables = {
      layer.name: jax.vmap(lambda column, layer=layer, reads=reads: draw(
          layer, reads, column))(jnp.arange(num_columns))
      for layer, reads, _, _ in all_shapes(layers, num_columns, patch)
  }
  params, batch_stats = (
      {name: one[kind] for name, one in variables.items() if kind in one}
      for kind in ('params', 'batch_stats'))
  return params, batch_stats
