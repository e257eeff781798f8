"""Contenders take turns: each is a child process that works when it is told.

A child prepares its work, takes two steps and says so; then it takes N steps
for every line "N" and answers with the seconds; when its input ends it tells
how much memory it needed. All answers are lines of JSON.
"""

import json
import math
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Work(Protocol):
  """What a child measures."""

  def step(self) -> None:
    """Starts one step; an accelerator may still be at it afterwards."""

  def wait(self) -> float:
    """Waits for all steps; the last loss, or another number of the result."""

  def rest(self) -> None:
    """Gives back what memory it can before others have their turn."""

  def describe(self) -> dict[str, Any]:
    """Versions and the device, and its peak memory if it has its own."""


class Contender:
  """A child, seen from the parent."""

  def __init__(self, module: str, given: Mapping[str, Any],
               settings: Mapping[str, str]):
    """Starts the child and waits until it is ready to take turns.

    Args:
      module: of this folder, whose `main` calls `serve`.
      given: what its `build` reads.
      settings: its environment.
    """
    self.seconds: list[float] = []  # of one step, a number for each turn
    self.failed = ''  # why it does not work
    self.compile_seconds = 0.0
    self.description: dict[str, Any] = {}
    self._process: Any = subprocess.Popen(
        [sys.executable, '-m', f'benchmarks.{module}'], cwd=ROOT, text=True,
        env=settings, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    self.compile_seconds = self._ask(json.dumps(given)).get('compile', 0.0)

  def turn(self, steps: int, warm: bool) -> None:
    """That many steps, timed unless it is the first turn."""
    answer = self._ask(str(steps))
    if not warm and not self.failed:
      self.seconds.append(answer['seconds'])

  def finish(self) -> None:
    """Ends the child, which describes itself before."""
    self.description = self._ask(None)
    self._process.stdin.close()
    self._process.wait()

  def _ask(self, line):
    """Sends a line, or the end of its input, and reads the answer."""
    if self.failed:
      return {}
    try:
      if line is None:
        self._process.stdin.close()
      else:
        self._process.stdin.write(line + '\n')
        self._process.stdin.flush()
      answer = json.loads(self._process.stdout.readline() or '{}')
    except BrokenPipeError:
      answer = {}
    if not answer:
      answer = {'failed': f'the process ended with {self._process.wait()}'}
    self.failed = answer.get('failed', '')
    return answer


def serve(build: Callable[[Mapping[str, Any]], Any]) -> None:
  """The child: builds its work and does it when it is told."""
  # What libraries print must not come between the answers.
  answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w', buffering=1)
  os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
  say = lambda answer: answers.write(json.dumps(answer) + '\n')
  try:
    work = build(json.loads(sys.stdin.readline()))
    first, second = _seconds(work, 1), _seconds(work, 1)
    say({'compile': max(0.0, first - second)})
    for line in sys.stdin:
      say({'seconds': _turn(work, int(line))})
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    say({'peak_bytes': peak, **work.describe()})
  except Exception as error:  # whatever it is, the others go on
    reason = ' '.join(f'{type(error).__name__}: {error}'.split())
    say({'failed': reason[:300]})


def _turn(work, steps):
  """Seconds of one step, in a turn of that many.

  Before them comes one that does not count: memory that was given back while
  others had their turn must be taken again, which on a virtual machine can take
  as long as the step itself.
  """
  _seconds(work, 1)
  return _seconds(work, steps)


def _seconds(work, steps):
  begin = time.perf_counter()
  for _ in range(steps):
    work.step()
  result = work.wait()
  seconds = (time.perf_counter() - begin) / steps
  if not math.isfinite(result):
    raise ArithmeticError(f'the result is {result}')
  work.rest()
  return seconds
