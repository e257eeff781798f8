"""The communication between devices, read from a compiled program.

XLA prints a program as text, one operation per line. The line of a collective
gives the groups of devices that it connects and, as metadata, the named scope
of the layer that it belongs to.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from alexnet_jax.network.placement import COLUMN, DATA

KINDS = 'all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute'


class Collective(NamedTuple):
  """One collective operation on all devices of the mesh."""

  kind: str  # of KINDS
  layer: str  # whose named scope contains it, or ''
  backward: bool  # is part of the gradient
  axes: tuple[str, ...]  # mesh axes over which it communicates
  numbers: int  # count of elements in the result on each device
  received_bytes: int  # minimum, summed over all devices


def find_collectives(text: str, mesh: tuple[int, int],
                layers: Sequence[str]) -> list[Collective]:
  """Returns every collective that connects more than one device.

  Args:
    text: the program, as returned by `compiled.as_text()`.
    mesh: (devices along 'data', devices along 'column').
    layers: names of the layers, which are also the named scopes.
  """
  layer_of = re.compile(rf'\b({"|".join(map(re.escape, layers))})\b')
  collectives = []
  for line in text.splitlines():
    match = re.search(rf'= (.*?) ({KINDS})(-start)?\(', line)
    if not match:
      continue
    joined = device_groups(line, mesh[0] * mesh[1])
    places = [{divmod(i, mesh[1]) for i in group} for group in joined]
    axes = tuple(
        name for axis, name in enumerate((DATA, COLUMN))
        if any(len({place[axis] for place in group}) > 1 for group in places))
    if not axes:  # groups of one device: no communication
      continue
    result, kind, started = match.groups()
    sizes = [(np.prod([int(i) for i in dims.split(',') if i], dtype=int),
              int(bits) // 8) for bits, dims in re.findall(
                  r'\b[a-z]+(\d+)\[([\d,]*)\]', result)]
    numbers = int(sum(count for count, _ in sizes))
    size = int(sum(count * width for count, width in sizes))
    members = len(joined[0])
    if started and kind != 'all-reduce':
      # The type of an asynchronous start lists its inputs before its outputs.
      into, out = {'all-gather': (1, members),
                   'reduce-scatter': (members, 1)}.get(kind, (1, 1))
      numbers = numbers * out // (into + out)
      size = size * out // (into + out)
    source = re.search(r'op_name="(.*?)"', line)
    source = source[1] if source else ''
    layer = layer_of.search(source)
    collectives.append(Collective(
        kind, layer[1] if layer else '', 'transpose(' in source, axes, numbers,
        len(joined) * _received(kind, size, members)))
  return collectives


def _received(kind, size, members):
  """Bytes that a group receives if each member's result has `size` bytes."""
  match kind:
    case 'reduce-scatter':  # each receives the others' terms of its part
      return members * (members - 1) * size
    case 'all-reduce':  # a reduce-scatter, then an all-gather
      return 2 * (members - 1) * size
    case _:  # each receives all parts but its own
      return (members - 1) * size


def exchanged_bytes(collectives: Sequence[Collective],
                    batch_size: int) -> dict[str, float]:
  """Returns {layer: bytes per image that columns receive from other columns}.

  Args:
    collectives: the collectives of a training step.
    batch_size: number of images in the global batch.
  """
  sums = {}
  for collective in collectives:
    if COLUMN in collective.axes:
      sums[collective.layer] = (
          sums.get(collective.layer, 0)
          + collective.received_bytes / batch_size)
  return sums


def device_groups(line: str, devices: int) -> list[list[int]]:
  """Parses the device groups of one collective, in any of XLA's notations.

  Args:
    line: the line of the program that has the collective.
    devices: number of devices in the mesh.
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
  return [list(range(devices))]  # replica_groups={}: all devices
