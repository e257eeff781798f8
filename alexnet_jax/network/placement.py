"""The mesh, and which device has which part of an array.

The mesh has two axes. 'data' splits the batch. 'column' splits the network: a
device stores one column, or several if there are fewer devices than columns.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from alexnet_jax.errors import InputError

DATA, COLUMN = 'data', 'column'


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
