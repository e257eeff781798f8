"""What a compiled program does while its devices exchange data."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from alexnet_jax.bench import traffic
from alexnet_jax.bench.traffic import Instruction, Program
from alexnet_jax.network import collectives as network_collectives

# A TPU starts and ends an exchange in fusions, and other fusions between them
# move it on while they compute.
TPU_START, TPU_END = '"AsyncCollectiveStart"', '"AsyncCollectiveDone"'


class Collective(NamedTuple):
  """One collective of a program."""

  kind: str  # 'all-gather', 'reduce-scatter', 'all-reduce', ...
  layer: str  # whose named scope it has, or ''
  backward: bool  # is part of the gradient
  runs: int  # in one step
  received_bytes: float  # by each device, in one run
  asynchronous: bool  # starts and ends in two instructions
  # Of the instructions between its start and its end.
  meanwhile_instructions: int
  meanwhile_bytes: int


def collectives(program: Program, mesh: tuple[int, int],
                layers: Sequence[str]) -> list[Collective]:
  """Returns every collective that connects more than one device, in order.

  Args:
    program: the program, whose entry is in the order that it is run in.
    mesh: (devices along 'data', devices along 'column').
    layers: names of the layers, which are also the named scopes.
  """
  found = []
  for home, line, runs in traffic.instructions_with_counts(
      program, program.entry):
    for inner, start_home, start in _exchanges(program, home, line):
      for one in network_collectives.find_collectives(
          '\n  ' + inner.line, mesh, layers):
        between = _between(program, start_home, start) if start else []
        found.append(Collective(
            one.kind, one.layer, one.backward, runs,
            one.received_bytes / (mesh[0] * mesh[1]), start is not None,
            len(between), sum(between)))
  return found


def _exchanges(program, home, line):
  """Yields (instruction, home of its start, its start or None) to look at."""
  inside = _inside(program, line)
  if any(TPU_START in inner.line for inner in inside):
    yield from ((inner, home, line) for inner in inside)
  elif line.opcode.endswith('-start'):
    yield line, home, line
  else:
    yield line, *_caller(program, home)


def _inside(program, line) -> list[Instruction]:
  """Returns the instructions of a fusion."""
  return [inner for called in line.calls if line.opcode == 'fusion'
          for inner in program.computations.get(called, {}).values()]


def _caller(program: Program, called: str) -> tuple[str, Instruction | None]:
  """Returns the instruction that starts a computation, and its own."""
  for home, lines in program.computations.items():
    for line in lines.values():
      if called in line.calls and line.opcode.endswith('-start'):
        return home, line
  return '', None


def _between(program, home, start) -> list[int]:
  """Returns the bytes of each instruction that runs until it is done."""
  lines = program.computations[home]
  between, begun = [], False
  for line in lines.values():
    if begun and _is_end(program, start, line):
      break
    if begun and line.opcode not in traffic.FREE and not (
        line.opcode.endswith(('-start', '-done'))):
      between.append(traffic.bytes_of(program, lines, line))
    begun = begun or line is start
  return between


def _is_end(program, start, line) -> bool:
  """Returns whether a line waits for what `start` has started."""
  if start.opcode == 'fusion':
    inside = _inside(program, line)
    return (any(TPU_END in inner.line for inner in inside)
            and bool(_channels(inside) & _channels(_inside(program, start))))
  return line.opcode.endswith('-done') and start.name in line.operands


def _channels(lines) -> set[str]:
  return {channel for line in lines
          for channel in re.findall(r'channel_id=(\d+)', line.line)}
