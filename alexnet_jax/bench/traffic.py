"""The bytes that a compiled program moves through a device's memory.

XLA prints a program as text, one instruction per line, after it has fused what
it can. Each instruction that is left reads its operands from memory and writes
its result there, so these bytes are what the program asks for; caches may save
some of them.
"""

import re
from typing import NamedTuple

# They name or regroup memory that is there already, or wait.
FREE = ('parameter', 'constant', 'tuple', 'get-tuple-element', 'bitcast',
        'after-all', 'partition-id', 'opt-barrier')
# They run other computations: once, or once for each of the while's steps,
# whose number the text does not always tell; one is counted.
CALLS = ('call', 'while', 'conditional', 'async-start')

_INSTRUCTION = re.compile(
    r'^\s+(?:ROOT )?%?([\w.\-]+) = (\(.*?\)|\S+) ([\w\-]+)\((.*)$')
_ARRAY = re.compile(r'\b(pred|[a-z]+(\d+)\w*)\[([\d,]*)\]')
_CALLED = re.compile(
    r'(?:to_apply|body|condition|calls|true_computation|false_computation)='
    r'%?([\w.\-]+)')


class Instruction(NamedTuple):
  """One line of a computation."""

  result_bytes: int
  opcode: str
  operands: tuple[str, ...]
  calls: tuple[str, ...]


def moved_bytes(text: str) -> int:
  """Returns the bytes read and written by one run of the program.

  Args:
    text: the program, as returned by `compiled.as_text()`.
  """
  computations, entry = _computations(text)
  return _moved(computations, entry)


def _moved(computations, name) -> int:
  lines = computations.get(name, {})
  total = 0
  for line in lines.values():
    if line.opcode in CALLS:
      total += sum(_moved(computations, called) for called in line.calls)
    elif line.opcode not in FREE and not line.opcode.endswith('-done'):
      total += line.result_bytes + sum(
          lines[operand].result_bytes for operand in set(line.operands)
          if operand in lines)
  return total


def _computations(text) -> tuple[dict[str, dict[str, Instruction]], str]:
  """Returns {computation: {instruction: what it is}}, and the entry's name."""
  computations, name, entry = {}, '', ''
  for line in text.splitlines():
    if header := re.match(r'(ENTRY )?%?([\w.\-]+) \(.*\{$', line):
      name = header[2]
      computations[name] = {}
      entry = name if header[1] else entry
    elif match := _INSTRUCTION.match(line):
      label, result, opcode, rest = match.groups()
      operands, _, attributes = rest.partition(')')
      computations[name][label] = Instruction(
          _bytes(result), opcode, tuple(re.findall(r'%([\w.\-]+)', operands)),
          tuple(_CALLED.findall(attributes)))
  return computations, entry


def _bytes(types) -> int:
  """Returns the bytes of all arrays in the text of a type."""
  total = 0.0
  for name, bits, sides in _ARRAY.findall(types):
    size = 1.0 if name == 'pred' else int(bits) / 8
    for side in sides.split(','):
      size *= int(side or 1)
    total += size
  return int(total)
