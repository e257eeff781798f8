"""Successive halving: which learning rate gets to an error soonest.

Pure functions of training curves. Every decision follows from what the runs
have logged, so a search that was interrupted goes on as if it had not been.
"""

import math
from collections.abc import Mapping
from typing import NamedTuple


class Curve(NamedTuple):
  """The log of one run: means over the steps since the line before."""

  steps: tuple[int, ...] = ()  # the last step of each mean
  errors: tuple[float, ...] = ()  # top-1, of the training images, 0..1
  diverged: bool = False  # it ended in numbers that are not finite


class Ratio(NamedTuple):
  """How many times as many iterations the second needs as the first."""

  value: float | None  # None: neither reached the goal
  sign: str  # '='; '>' or '<' if only the first or the second reached it


def up_to(curve: Curve, step: int) -> Curve:
  """The curve as it was known at `step`.

  A run that broke later had not diverged then.
  """
  count = sum(logged <= step for logged in curve.steps)
  there = count > 0 and curve.steps[count - 1] == step
  return Curve(curve.steps[:count], curve.errors[:count],
               curve.diverged and not there)


def positions(curve: Curve) -> tuple[float, ...]:
  """The iterations where the means stand: in the middle of their steps."""
  starts = (0, *curve.steps[:-1])
  return tuple((start + end) / 2 for start, end in
               zip(starts, curve.steps, strict=False))


def iterations_to(curve: Curve, goal: float) -> float | None:
  """Where the curve first comes down to `goal`; None if it never does.

  From a mean above the goal to the next one the curve is a straight line. If
  the very first mean is not above it, that is where the curve begins.
  """
  at = positions(curve)
  for i, error in enumerate(curve.errors):
    if error > goal:
      continue
    if i == 0:
      return at[0]
    before = curve.errors[i - 1]
    return at[i - 1] + (before - goal) / (before - error) * (at[i] - at[i - 1])
  return None


def best(curves: Mapping[float, Curve], kept: int,
         goal: float) -> tuple[float, ...]:
  """The `kept` best learning rates, the best one first.

  Best is who reached the goal after the fewest iterations, then who has the
  lowest last error. Who diverged comes last.
  """

  def rank(rate):
    curve = curves[rate]
    there = iterations_to(curve, goal)
    if there is not None:
      return 0, there
    return (2, 0.0) if curve.diverged else (1, curve.errors[-1])

  return tuple(sorted(curves, key=rank)[:kept])


def ratio(first: Curve, second: Curve, goal: float) -> Ratio:
  """Compares two curves; one that never reached the goal gives a bound.

  A curve that diverged gives none: it does not tell how long it would take.
  """
  a, b = iterations_to(first, goal), iterations_to(second, goal)
  if a is not None and b is not None:
    return Ratio(b / a, '=')
  if a is not None and not second.diverged:
    return Ratio(positions(second)[-1] / a, '>')
  if b is not None and not first.diverged:
    return Ratio(b / positions(first)[-1], '<')
  return Ratio(None, '=')


def logged_step(step: float, log_every: int) -> int:
  """The step nearest to `step` at which a line is logged."""
  return max(math.floor(step / log_every + 0.5), 1) * log_every
