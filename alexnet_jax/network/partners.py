"""Columns that read some of the others, as on four GPUs of the program.

In the paper a layer reads its own column or every column, and the pattern is "a
problem for cross-validation" (3.2). In the program's networks for four GPUs
some layers read two columns, or three: their partners. Rows are what
`config.model.partners` has: of each column, the columns that it reads.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from alexnet_jax.errors import InputError


def read(rows: Sequence[Sequence[int]], everything: jax.Array, local: int,
         first: int | jax.Array) -> list[jax.Array]:
  """Returns what each column of a device reads: [B, ..., m*C] each.

  Args:
    rows: of each of K columns, the m columns that it reads.
    everything: maps of all columns, [B, ..., K*C].
    local: the number of columns on the device.
    first: the number of the first of them.
  """
  maps: Any = jnp.split(everything, len(rows), axis=-1)
  if local == len(rows):
    return [_side_by_side(maps, row) for row in rows]
  maps, table = jnp.stack(maps), jnp.array(rows)
  return [_side_by_side(maps, table[first + k]) for k in range(local)]


def _side_by_side(maps: Any, row: Iterable[Any]) -> jax.Array:
  return jnp.concatenate([maps[column] for column in row], axis=-1)


def columns_read(rows: Sequence[Sequence[int]], num_columns: int) -> int:
  """Returns how many columns a crossing reads: all if it has no partners."""
  return len(rows[0]) if rows else num_columns


def with_partners(layers: Sequence[Any], spec: Any) -> tuple[Any, ...]:
  """Lets some layers read their partners.

  Args:
    layers: the `columns.Layer`s of one column.
    spec: `partners`, of each column the columns that it reads, itself among
      them, and `partner_layers`, the layers that do so.

  Raises:
    InputError: the fields do not fit each other or the network.
  """
  if not spec.partners and not spec.partner_layers:
    return tuple(layers)
  known = set(range(spec.num_columns))
  if len(spec.partners) != spec.num_columns or not all(
      column in row and set(row) <= known
      and len(set(row)) == len(row) == len(spec.partners[0])
      for column, row in enumerate(spec.partners)):
    raise InputError(
        f'config.model.partners={spec.partners} does not suit'
        f' {spec.num_columns} columns: give each the different numbers, from 0,'
        ' of equally many columns that it reads, its own among them, such as'
        ' ((0, 1), (0, 1), (2, 3), (2, 3)).')
  names = [layer.name for layer in layers[1:]
           if layer.name.startswith(('conv', 'fc'))  # not a batch norm
           and layer.name not in spec.crossings]
  wrong = [name for name in spec.partner_layers if name not in names]
  if wrong or not spec.partner_layers:
    raise InputError(
        f'config.model.partner_layers={spec.partner_layers} has'
        f' {repr(wrong[0]) if wrong else "no layer"}: choose from'
        f' {", ".join(names)}, which read no other columns in'
        ' config.model.crossings.')
  return tuple(
      layer._replace(crosses=True, partners=spec.partners)
      if layer.name in spec.partner_layers else layer for layer in layers)
