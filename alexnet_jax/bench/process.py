"""Work in another process that takes turns with other work.

The parent starts `python -m MODULE`, whose `main` calls `serve`, and sends it
a pickled task. The child builds its work, takes two steps and answers. For
every line "N" it takes N steps and answers with the seconds. When its input
ends, it describes itself. Answers are lines of JSON. This module does not
import JAX.
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

from alexnet_jax import machine


class Work(Protocol):
  """The work that a child measures."""

  def step(self) -> None:
    """Starts one step; an accelerator may still run it on return."""

  def wait(self) -> float:
    """Waits for all steps; returns the last loss or another result."""

  def rest(self) -> None:
    """Frees as much memory as possible before the turns of others."""

  def describe(self) -> dict[str, Any]:
    """Returns versions, the device, and the device's peak memory if known."""


class ProcessRow:
  """A child as its parent sees it: a `turns.Timed`."""

  def __init__(self, module: str, task: Any, environment: Mapping[str, str],
               steps: int = 1):
    """Starts the child, which builds nothing before `begin`.

    Args:
      module: the module whose `main` calls `serve`.
      task: the argument of its `build`; it must be picklable.
      environment: the environment variables of the child.
      steps: steps per turn.
    """
    self.seconds: list[float] = []  # Of one step, per turn.
    self.failed = ''  # The reason of a failure.
    self.description: dict[str, Any] = {}
    self.compile_seconds = 0.0
    self._steps = steps
    self._task = pickle.dumps(task)
    self._process: Any = subprocess.Popen(
        [sys.executable, '-m', module], env=dict(environment),
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

  def begin(self) -> None:
    """Lets the child build its work; several may do so at the same time."""
    self._send(self._task)

  def wait_until_built(self) -> None:
    """Waits until the child is ready to take turns."""
    self.compile_seconds = self._answer().get('compile', 0.0)

  def warm_up(self) -> None:
    """Takes a turn that does not count."""
    self._ask(b'%d\n' % self._steps)

  def turn(self) -> None:
    """Takes the steps of a turn and records the seconds of one step."""
    answer = self._ask(b'%d\n' % self._steps)
    if not self.failed:
      self.seconds.append(answer['seconds'])

  def close(self) -> None:
    """Ends the child, which first describes itself."""
    self.description = self._ask(b'')
    self._process.wait()

  def _ask(self, message: bytes) -> dict[str, Any]:
    """Sends a message, or closes the input, and reads the answer."""
    self._send(message)
    return self._answer()

  def _send(self, message):
    if self.failed:
      return
    try:
      if message:
        self._process.stdin.write(message)
        self._process.stdin.flush()
      else:
        self._process.stdin.close()
    except BrokenPipeError:
      self._ended()

  def _answer(self):
    if self.failed:
      return {}
    answer = json.loads(self._process.stdout.readline() or '{}')
    if not answer:
      self._ended()
    self.failed = self.failed or answer.get('failed', '')
    return answer

  def _ended(self):
    self.failed = f'the process ended with {self._process.wait()}'


def serve(build: Callable[[Any], Any]) -> None:
  """Runs in the child: builds its work and runs it on request.

  Args:
    build: makes a Work from the parent's task.
  """
  machine.end_with_parent()
  # Output of libraries must not mix with the answers.
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
  except Exception as error:  # The other contenders continue.
    reason = ' '.join(f'{type(error).__name__}: {error}'.split())
    say({'failed': reason[:300]})


def _turn(work, steps):
  """Returns the seconds of one step in a turn of `steps` steps.

  One uncounted step comes first: memory that was freed during the turns of
  others must be allocated again, which on a virtual machine can take as long as
  the step itself.
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
