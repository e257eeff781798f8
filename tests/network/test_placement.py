"""Which device has which part of an array, and which process which images."""

import dataclasses

import jax
import pytest
from jax.sharding import PartitionSpec as P

from alexnet_jax.errors import InputError
from alexnet_jax.learning import optimizer
from alexnet_jax.network import placement


def test_what_belongs_to_a_column_lies_with_its_column(mesh_of, problem):
  params = problem().params
  rule = optimizer.momentum_sgd(0.9, 0.0005)
  for tree in (params, rule.init(params)[-1].trace, {'of': params}):
    homes = placement.param_shardings(mesh_of(1, 2), tree)
    for path, home in jax.tree_util.tree_leaves_with_path(homes):
      name = jax.tree_util.keystr(path)
      split = 'columns' in name or name.endswith("['fc8']['kernel']")
      assert home.spec == (P('column') if split else P()), name


def test_each_of_two_devices_holds_half_of_each_kernel(mesh_of, problem):
  params = problem().params
  placed = jax.device_put(
    params, placement.param_shardings(mesh_of(1, 2), params)
  )
  for leaf in (*jax.tree.leaves(placed['columns']), placed['fc8']['kernel']):
    assert [part.data.size for part in leaf.addressable_shards] == (
        [leaf.size // 2] * 2)


def test_one_process_loads_the_whole_batch(mesh_of):
  assert placement.process_shard(mesh_of(2, 2)) == (0, 1)


@dataclasses.dataclass(frozen=True)
class Chip:
  """One of a TPU pod, whose numbers go along rows of several hosts."""

  id: int
  process_index: int
  platform: str = 'tpu'


POD = [Chip(4 * y + x, 2 * (y // 2) + x // 2) for y in range(4)
       for x in range(4)]


@pytest.mark.parametrize('data, column', [(16, 1), (8, 2), (4, 4)], ids=str)
def test_every_process_of_a_pod_loads_a_part_of_its_own(
    data, column, monkeypatch):
  mesh = placement.make_mesh(data, column, 4, POD)
  for row in mesh.devices:  # what columns exchange stays on one host
    assert len({chip.process_index for chip in row}) == 1
  for process in range(4):
    monkeypatch.setattr(jax, 'process_index', lambda p=process: p)
    assert placement.process_shard(mesh) == (process, 4)


def test_processes_that_share_the_columns_load_the_same_part(monkeypatch):
  mesh = placement.make_mesh(2, 2, 2, [Chip(i, i) for i in (3, 0, 2, 1)])
  for process in range(4):
    monkeypatch.setattr(jax, 'process_index', lambda p=process: p)
    assert placement.process_shard(mesh) == (process // 2, 2)


def test_too_few_devices_are_counted_and_the_cure_is_named():
  if jax.default_backend() != 'cpu':
    pytest.skip('no accelerators can be pretended')
  with pytest.raises(InputError) as error:
    placement.make_mesh(4, 2, 2)
  for part in ('config.mesh.data=4', 'config.mesh.column=2', 'needs 8',
               'JAX sees 4 (cpu)', 'JAX_NUM_CPU_DEVICES=8'):
    assert part in str(error.value)


@pytest.mark.parametrize('column, num_columns', [(2, 1), (4, 2), (2, 3)])
def test_columns_that_do_not_divide_over_devices_are_refused(
    column, num_columns):
  with pytest.raises(InputError) as error:
    placement.make_mesh(1, column, num_columns)
  for part in (f'config.mesh.column={column}', f'{num_columns} columns',
               f'config.model.num_columns={num_columns}', 'divisor'):
    assert part in str(error.value)
