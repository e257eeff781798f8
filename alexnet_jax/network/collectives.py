"""What devices say to each other, read out of a compiled program.

XLA prints a program as text, one operation a line; a collective names the
groups of devices it joins and, as metadata, the scope of the layer it was
written in.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from alexnet_jax.network.columns import COLUMN, DATA

KINDS = 'all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute'


class Collective(NamedTuple):
  """One collective, on all devices of the mesh."""

  kind: str  # of KINDS
  layer: str  # whose scope it stands in, or ''
  backward: bool  # belongs to the gradient
  axes: tuple[str, ...]  # of the mesh over which it joins devices
  numbers: int  # that each device ends up with
  received_bytes: int  # by all devices together, each the least it must


def find_collectives(text: str, mesh: tuple[int, int],
                layers: Sequence[str]) -> list[Collective]:
  """Every collective that joins more than one device.

  Args:
    text: `compiled.as_text()`.
    mesh: (devices along 'data', devices along 'column').
    layers: names of scopes.
  """
  layer_of = re.compile(rf'\b({"|".join(map(re.escape, layers))})\b')
  found = []
  for line in text.splitlines():
    match = re.search(rf'= (.*?) ({KINDS})(-start)?\(', line)
    if not match:
      continue
    joined = device_groups(line, mesh[0] * mesh[1])
    places = [{divmod(i, mesh[1]) for i in group} for group in joined]
    axes = tuple(
        name for axis, name in enumerate((DATA, COLUMN))
        if any(len({place[axis] for place in group}) > 1 for group in places))
    if not axes:  # groups of one: nobody talks
      continue
    result, kind, started = match.groups()
    sizes = [(np.prod([int(i) for i in dims.split(',') if i], dtype=int),
              int(bits) // 8) for bits, dims in re.findall(
                  r'\b[a-z]+(\d+)\[([\d,]*)\]', result)]
    numbers = int(sum(count for count, _ in sizes))
    held = int(sum(count * width for count, width in sizes))
    members = len(joined[0])
    if started and kind != 'all-reduce':
      # It lists what goes in before what comes out.
      into, out = {'all-gather': (1, members),
                   'reduce-scatter': (members, 1)}.get(kind, (1, 1))
      numbers = numbers * out // (into + out)
      held = held * out // (into + out)
    source = re.search(r'op_name="(.*?)"', line)
    source = source[1] if source else ''
    layer = layer_of.search(source)
    found.append(Collective(
        kind, layer[1] if layer else '', 'transpose(' in source, axes, numbers,
        len(joined) * _received(kind, held, members)))
  return found


def _received(kind, held, members):
  """Bytes that a group receives when each of it ends up with `held`."""
  match kind:
    case 'reduce-scatter':  # each lacks the others' shares of its part
      return members * (members - 1) * held
    case 'all-reduce':  # a reduce-scatter, then an all-gather
      return 2 * (members - 1) * held
    case _:  # each lacks all but its own part
      return (members - 1) * held


def exchanged_bytes(found: Sequence[Collective],
                    batch_size: int) -> dict[str, float]:
  """{layer: bytes per image that columns receive from other columns}.

  Args:
    found: the collectives of a training step.
    batch_size: images of the whole batch.
  """
  sums = {}
  for one in found:
    if COLUMN in one.axes:
      sums[one.layer] = (
          sums.get(one.layer, 0) + one.received_bytes / batch_size)
  return sums


def device_groups(line: str, devices: int) -> list[list[int]]:
  """The groups of devices that one collective joins, in any of XLA's forms.

  Args:
    line: of the program.
    devices: in the whole mesh.
  """
  if pairs := re.search(r'source_target_pairs=\{(\{.*?\})\}', line):
    return [[int(i) for i in pair.split(',')]
            for pair in re.findall(r'\{([\d,]+)\}', pairs[1])]
  if listed := re.search(r'replica_groups=\{(\{.*?\})\}', line):
    return [[int(i) for i in group.split(',')]
            for group in re.findall(r'\{([\d,]+)\}', listed[1])]
  if meshed := re.search(r'replica_groups=mesh\[(.*?)\] \{(.*?)\}', line):
    sizes = {name: int(size) for name, size in
             re.findall(r"'(\w+)'=(\d+)", meshed[1])}
    axes, inner = list(sizes), re.findall(r"'(\w+)'", meshed[2])
    order = [axes.index(name) for name in axes if name not in inner] + [
        axes.index(name) for name in inner]
    ids = np.arange(devices).reshape(*sizes.values()).transpose(order)
    return ids.reshape(
        -1, int(np.prod([sizes[name] for name in inner]))).tolist()
  if tiled := re.search(
      r'replica_groups=\[([\d,]+)\]<=\[([\d,]+)\](?:T\(([\d,]+)\))?', line):
    shape, dims, turn = (
        [int(i) for i in part.split(',')] if part else None
        for part in tiled.groups())
    ids = np.arange(devices).reshape(dims)
    return ids.transpose(turn).reshape(shape).tolist()
  return [list(range(devices))]  # replica_groups={}: all
