"""Things timed in turns, so that a noisy machine disturbs all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import jax
from tqdm import tqdm

MOST_REPEATS = 1000


class Timed(Protocol):
  """What can take turns."""

  seconds: list[float]  # of one batch, a number for each turn

  def warm_up(self) -> None:
    """Compiles, and does it for the first time."""

  def turn(self) -> None:
    """Does it and notes the seconds."""


class Row:
  """Work of this process."""

  def __init__(self, work: Callable[[], Any], turn_seconds: float = 0.0):
    """Wraps the work.

    Args:
      work: does it once and returns what to wait for.
      turn_seconds: a turn repeats quicker work until it lasts so long.
    """
    self.seconds = []
    self._work = work
    self._turn_seconds = turn_seconds
    self._repeats = 1

  def once(self) -> None:
    """Does it without a watch."""
    jax.block_until_ready(self._work())

  def warm_up(self) -> None:
    """Twice: the first time compiles, the second tells how long it takes."""
    for _ in range(2):
      took = self._run(1)
    self._repeats = max(1, min(
        MOST_REPEATS, round(self._turn_seconds / max(took, 1e-6))))

  def turn(self) -> None:
    """A turn; notes the mean of its repeats.

    One comes before that does not count: memory that this row gave back while
    others had their turn must be taken again, which took as long as a step on
    a virtual machine.
    """
    self._run(1)
    self.seconds.append(self._run(self._repeats) / self._repeats)

  def _run(self, repeats):
    begin = time.perf_counter()
    for _ in range(repeats):
      done = self._work()
      if jax.default_backend() == 'cpu':  # it may begin the next beside it
        jax.block_until_ready(done)
    jax.block_until_ready(done)
    return time.perf_counter() - begin


class Spread(NamedTuple):
  """The middle of several numbers, and how far they lie apart."""

  median: float
  least: float
  most: float


def take_turns(rows: Mapping[str, Timed], rounds: Mapping[str, int] | int,
               title: str = '') -> None:
  """Every row takes one turn in each round.

  Args:
    rows: warmed up.
    rounds: for all, or for each row; then slow rows leave early.
    title: of a progress bar; without one there is none.
  """
  if isinstance(rounds, int):
    rounds = dict.fromkeys(rows, rounds)
  with tqdm(total=sum(rounds[name] for name in rows), desc=title, leave=False,
            unit=' turns', dynamic_ncols=True,
            disable=None if title else True) as bar:
    names = list(rows)
    for number in range(max(rounds.values())):
      # No row always follows the same one.
      first = number % len(names)
      for name in (*names[first:], *names[:first]):
        row = rows[name]
        if number < rounds[name]:
          row.turn()
          bar.update()


def spread(numbers: Sequence[float]) -> Spread:
  """Of one number or more."""
  return Spread(statistics.median(numbers), min(numbers), max(numbers))


def ratio(row: Timed, reference: Timed) -> Spread:
  """How many times as fast as the reference a row was, round by round."""
  return spread([
      theirs / own for own, theirs in zip(
          row.seconds, reference.seconds, strict=False)])
