"""Timing in turns, so that noise on the machine affects all rows alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import jax
from tqdm import tqdm

MOST_REPEATS = 1000


class Timed(Protocol):
  """Work that can take turns."""

  seconds: list[float]  # Of one batch, per turn.

  def warm_up(self) -> None:
    """Compiles the work and runs it for the first time."""

  def turn(self) -> None:
    """Runs the work and records the seconds."""


class Row:
  """Work in this process."""

  def __init__(self, work: Callable[[], Any], turn_seconds: float = 0.0):
    """Wraps the work.

    Args:
      work: runs once and returns the arrays to wait for.
      turn_seconds: the minimum duration of a turn, which repeats faster work.
    """
    self.seconds = []
    self._work = work
    self._turn_seconds = turn_seconds
    self._repeats = 1

  def once(self) -> None:
    """Runs the work once without timing it."""
    jax.block_until_ready(self._work())

  def warm_up(self) -> None:
    """Runs twice: the first run compiles, the second gives the duration."""
    for _ in range(2):
      took = self._run(1)
    self._repeats = max(1, min(
        MOST_REPEATS, round(self._turn_seconds / max(took, 1e-6))))

  def turn(self) -> None:
    """Takes a turn and records the mean of its repeats.

    One uncounted run comes first: memory that this row freed during the turns
    of others must be allocated again, which can take as long as a step on a
    virtual machine.
    """
    self._run(1)
    self.seconds.append(self._run(self._repeats) / self._repeats)

  def _run(self, repeats):
    begin = time.perf_counter()
    for _ in range(repeats):
      done = self._work()
      if jax.default_backend() == 'cpu':  # Steps could overlap.
        jax.block_until_ready(done)
    jax.block_until_ready(done)
    return time.perf_counter() - begin


class Spread(NamedTuple):
  """The median of several numbers, and their range."""

  median: float
  least: float
  most: float


def take_turns(rows: Mapping[str, Timed], rounds: Mapping[str, int] | int,
               title: str = '') -> None:
  """Gives every row one turn in each round.

  Args:
    rows: the rows, already warmed up.
    rounds: the number of rounds, for all rows or per row; rows with fewer
      rounds stop early.
    title: the title of a progress bar; '' for no bar.
  """
  if isinstance(rounds, int):
    rounds = dict.fromkeys(rows, rounds)
  with tqdm(total=sum(rounds[name] for name in rows), desc=title, leave=False,
            unit=' turns', dynamic_ncols=True,
            disable=None if title else True) as bar:
    names = list(rows)
    for number in range(max(rounds.values())):
      # The order rotates, so that rows start at different places.
      first = number % len(names)
      for name in (*names[first:], *names[:first]):
        row = rows[name]
        if number < rounds[name]:
          row.turn()
          bar.update()


def spread(numbers: Sequence[float]) -> Spread:
  """Returns the spread of one number or more."""
  return Spread(statistics.median(numbers), min(numbers), max(numbers))


def ratio(row: Timed, reference: Timed) -> Spread:
  """Returns the speed of a row relative to the reference, round by round."""
  return spread([
      reference_seconds / seconds for seconds, reference_seconds in zip(
          row.seconds, reference.seconds, strict=False)])
