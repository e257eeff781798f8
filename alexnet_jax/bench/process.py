"""Work of another process that takes turns with others.

The parent starts `python -m MODULE`, whose `main` calls `serve`, and sends it
a pickled task. The child builds its work, takes two steps and answers; then it
takes N steps for every line "N" and answers with the seconds; when its input
ends it describes itself. Answers are lines of JSON. Imports nothing of JAX.
"""

import json
import math
import os
import pickle
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol


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


class ProcessRow:
  """A child as its parent sees it: a `turns.Timed`."""

  def __init__(self, module: str, task: Any, environment: Mapping[str, str],
               steps: int = 1):
    """Starts the child and waits until it is ready to take turns.

    Args:
      module: whose `main` calls `serve`.
      task: what its `build` reads; anything that can be pickled.
      environment: of the child.
      steps: of a turn.
    """
    self.seconds: list[float] = []  # of one step, a number for each turn
    self.failed = ''  # why it does not work
    self.description: dict[str, Any] = {}
    self._steps = steps
    self._process: Any = subprocess.Popen(
        [sys.executable, '-m', module], env=dict(environment),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    self.compile_seconds: float = self._ask(
        pickle.dumps(task)).get('compile', 0.0)

  def warm_up(self) -> None:
    """A turn that does not count."""
    self._ask(b'%d\n' % self._steps)

  def turn(self) -> None:
    """So many steps; notes the seconds of one."""
    answer = self._ask(b'%d\n' % self._steps)
    if not self.failed:
      self.seconds.append(answer['seconds'])

  def close(self) -> None:
    """Ends the child, which describes itself before."""
    self.description = self._ask(b'')
    self._process.wait()

  def _ask(self, message: bytes) -> dict[str, Any]:
    """Sends a message, or the end of its input, and reads the answer."""
    if self.failed:
      return {}
    try:
      if message:
        self._process.stdin.write(message)
        self._process.stdin.flush()
      else:
        self._process.stdin.close()
      answer = json.loads(self._process.stdout.readline() or '{}')
    except BrokenPipeError:
      answer = {}
    if not answer:
      answer = {'failed': f'the process ended with {self._process.wait()}'}
    self.failed = answer.get('failed', '')
    return answer


def serve(build: Callable[[Any], Any]) -> None:
  """The child: builds its work and does it when asked.

  Args:
    build: the parent's task -> Work.
  """
  # What libraries print must not come between the answers.
  answers = os.fdopen(os.dup(sys.stdout.fileno()), 'w', buffering=1)
  os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
  say = lambda answer: answers.write(json.dumps(answer) + '\n')
  try:
    work = build(pickle.load(sys.stdin.buffer))
    first, second = _seconds(work, 1), _seconds(work, 1)
    say({'compile': max(0.0, first - second)})
    for line in sys.stdin.buffer:
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
