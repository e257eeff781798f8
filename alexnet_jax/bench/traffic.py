"""The bytes that a compiled program moves through a device's memory.

XLA prints a program as text, one instruction per line, after it has fused what
it can. Each instruction that is left reads its operands from memory and writes
its result there, so these bytes are what the program asks for; caches may save
some of them. On a TPU the text also says which arrays stay in the memory on the
chip, which are not counted, and how arrays are padded to tiles, which counts.
"""

import functools
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

# They name or regroup memory that is there already, or wait.
FREE = ('parameter', 'constant', 'tuple', 'get-tuple-element', 'bitcast',
        'after-all', 'partition-id', 'opt-barrier')
# They run other computations: once, or once for each of the while's steps; one
# is counted if the text does not tell how many.
CALLS = ('call', 'while', 'conditional', 'async-start')
# They read no more of their first operand than their result holds.
SLICES = ('slice', 'dynamic-slice', 'gather')

_INSTRUCTION = re.compile(
    r'^\s+(?:ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*)$')
_ARRAY = re.compile(r'\b(pred|[a-z]+(\d+)\w*)\[([\d,]*)\](?:\{([^}]*)\})?')
_CALLED = re.compile(
    r'(?:to_apply|body|condition|calls|true_computation|false_computation)='
    r'%?([\w.\-]+)')


class Instruction(NamedTuple):
  """One line of a computation."""

  name: str
  opcode: str
  result_bytes: int  # in the device's memory
  whole_bytes: int  # wherever they are
  operands: tuple[str, ...]
  calls: tuple[str, ...]
  source: str  # `op_name`: the scopes of the line of Python it comes from
  line: str

  @property
  def runs(self) -> int:
    """How often it runs the computations that it calls."""
    known = re.search(r'"known_trip_count":\{"n":"(\d+)"', self.line)
    return int(known[1]) if known else 1


class Program(NamedTuple):
  """A compiled program: {computation: {instruction's name: instruction}}."""

  computations: dict[str, dict[str, Instruction]]
  entry: str


def moved_bytes(text: str) -> int:
  """Returns the bytes read and written by one run of the program.

  Args:
    text: the program, as returned by `compiled.as_text()`.
  """
  return sum(moved for _, moved in moves(parse(text)))


def moves(program: Program) -> Iterator[tuple[Instruction, int]]:
  """Yields every instruction that moves bytes, with those of all its runs."""
  for name, line, runs in instructions_with_counts(program, program.entry):
    if line.opcode not in FREE and not line.opcode.endswith('-done'):
      yield line, runs * bytes_of(program, program.computations[name], line)


def instructions_with_counts(
    program: Program, name: str, runs: int = 1
) -> Iterator[tuple[str, Instruction, int]]:
  """Yields (computation, instruction, how often it is run), in order.

  Args:
    program: the program.
    name: the computation to begin with.
    runs: how often it is run.
  """
  for line in program.computations.get(name, {}).values():
    if line.opcode in CALLS:
      for called in line.calls:
        yield from instructions_with_counts(program, called, runs * line.runs)
    else:
      yield name, line, runs


def bytes_of(program: Program, lines: Mapping[str, Instruction],
             line: Instruction) -> int:
  """Returns the bytes that one instruction reads and writes.

  Args:
    program: the program.
    lines: the instructions of its computation.
    line: the instruction, not one of CALLS.
  """
  if 'AllocateBuffer' in line.line:  # only names memory
    return 0
  operands = {name: lines[name].result_bytes for name in line.operands
              if name in lines}
  if line.opcode.endswith('-start') and not line.opcode.startswith(
      'all-reduce'):  # its result lists its operands as well
    read = sum(operands.values())
    if line.opcode == 'slice-start':
      slice_bytes = line.whole_bytes - sum(
          lines[name].whole_bytes for name in line.operands)
      return line.result_bytes - read + (slice_bytes if read else 0)
    return line.result_bytes
  if line.opcode in SLICES and line.operands:
    operands[line.operands[0]] = min(
        operands.get(line.operands[0], 0), line.result_bytes)
  elif line.opcode == 'fusion' and line.calls:
    for place, name in enumerate(line.operands):
      if operands.get(name):
        operands[name] = min(operands[name], _read(
            program, line.calls[0], place, operands[name]))
  return line.result_bytes + sum(operands.values())


def _read(program, name, place, whole):
  """Returns the bytes of its parameter number `place` that a fusion reads."""
  lines = program.computations[name]
  [parameter] = [line.name for line in lines.values()
                 if line.opcode == 'parameter'
                 and re.search(rf' parameter\({place}\)', line.line)]
  total = 0
  for line in lines.values():
    for number, operand in enumerate(line.operands):
      if operand != parameter:
        continue
      if line.opcode in SLICES and number == 0:
        total += line.result_bytes
      elif line.opcode == 'fusion':
        total += _read(program, line.calls[0], number, whole)
      else:
        return whole
  return total


# --- By layer -----------------------------------------------------------------


def by_scope(program: Program, scopes: Sequence[str]
             ) -> dict[str, dict[str, int]]:
  """Returns {scope: {'forward': bytes, 'backward': bytes}}.

  Args:
    program: the program.
    scopes: the named scopes of the layers and of other parts; what is in none
      of them is in ''.
  """
  scope_of = scope_finder(program, scopes)
  sums = {name: {'forward': 0, 'backward': 0} for name in (*scopes, '')}
  for line, moved in moves(program):
    scope, backward = scope_of(line)
    sums[scope]['backward' if backward else 'forward'] += moved
  return sums


def scope_finder(program: Program, scopes: Sequence[str]
                 ) -> Callable[[Instruction], tuple[str, bool]]:
  """Returns f(instruction) -> (its scope or '', is part of the gradient).

  A copy that XLA inserted has no scope and belongs to what it copies.

  Args:
    program: the program.
    scopes: names of scopes.
  """
  pattern = re.compile(rf'\b({"|".join(map(re.escape, scopes))})\b')
  named = {line.name: line for lines in program.computations.values()
           for line in lines.values()}

  def find(line: Instruction, patience: int = 8) -> tuple[str, bool]:
    if found := pattern.search(line.source):
      return found[1], 'transpose(' in line.source
    if not line.source and patience:
      for operand in line.operands:
        if operand in named:
          scope = find(named[operand], patience - 1)
          if scope[0]:
            return scope
    return '', False

  return find


# --- Reading the text ---------------------------------------------------------


@functools.lru_cache(maxsize=4)
def parse(text: str) -> Program:
  """Reads the text of a program, as returned by `compiled.as_text()`."""
  computations, name, entry = {}, '', ''
  for line in text.splitlines():
    if header := re.match(r'(ENTRY )?%?([\w.\-]+) \(.*\{$', line):
      name = header[2]
      computations[name] = {}
      entry = name if header[1] else entry
    elif match := _INSTRUCTION.match(line):
      label, result, opcode, rest = match.groups()
      operands, _, attributes = rest.partition(')')
      source = re.search(r'op_name="(.*?)"[ }]', attributes)
      computations[name][label] = Instruction(
          label, opcode, _bytes(result), _bytes(result, everywhere=True),
          tuple(re.findall(r'%([\w.\-]+)', operands)),
          tuple(_CALLED.findall(attributes)), source[1] if source else '',
          line.strip())
  return Program(computations, entry)


def _bytes(types, everywhere=False) -> int:
  """Returns the bytes in memory of all arrays in the text of a type."""
  total = 0.0
  for name, bits, sides, layout in _ARRAY.findall(types):
    on_chip = re.search(r'S\([1-9]', layout)
    if on_chip and not everywhere:
      continue
    size = 1.0 if name == 'pred' else int(bits) / 8
    total += size * math.prod(_padded(
        [int(side) for side in sides.split(',') if side], layout))
  return int(total)


def _padded(sides: list[int], layout: str) -> list[int]:
  """Rounds the innermost sides up to whole tiles."""
  order, _, tiles = layout.partition(':')
  first = re.match(r'T\(([\d,]+)\)', tiles)
  if not first or not order:
    return sides
  inner = [int(axis) for axis in order.split(',')]
  for axis, tile in zip(inner, reversed(first[1].split(',')), strict=False):
    sides[axis] = -(-sides[axis] // int(tile)) * int(tile)
  return sides
