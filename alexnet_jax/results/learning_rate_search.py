"""The learning rate that reaches a training error first, for Figure 1 (3.1).

The method is successive halving, as pure functions of training curves. Every
decision follows from the logs of the runs, so an interrupted search resumes
with the same decisions.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

PAPER_RATIO = 6.0  # From the caption of Figure 1.
NAMES = {'relu': 'ReLU'}  # As in the paper.
BOUNDS = {'=': '', '>': 'more than ', '<': 'less than '}


class Curve(NamedTuple):
  """The training errors of one run, one mean per line of its log."""

  steps: tuple[int, ...] = ()  # The last step of each mean.
  errors: tuple[float, ...] = ()  # Top-1, 0..1.
  diverged: bool = False  # The run ended with a loss that is not finite.


class Ratio(NamedTuple):
  """The iterations of the second curve divided by those of the first."""

  value: float | None  # None: it cannot be measured.
  sign: str  # '='; '>' or '<' if only the first or the second reached the goal


def curve(lines: Iterable[Mapping[str, Any]], metric: str = 'top1_error',
          diverged: bool = False) -> Curve:
  """Returns the curve of a run from the lines of its metrics.jsonl.

  Args:
    lines: the lines.
    metric: an error or a loss that its training lines have.
    diverged: whether the run ended with a loss that is not finite.
  """
  training = [line for line in lines
              if line['kind'] == 'train' and metric in line]
  return Curve(tuple(line['step'] for line in training),
               tuple(line[metric] for line in training), diverged)


def truncated(curve: Curve, step: int) -> Curve:
  """Truncates a curve at `step`.

  If the run diverged after `step`, the truncated curve has not diverged.
  """
  count = sum(logged <= step for logged in curve.steps)
  is_logged = count > 0 and curve.steps[count - 1] == step
  return Curve(curve.steps[:count], curve.errors[:count],
               curve.diverged and not is_logged)


def middle_iterations(curve: Curve) -> tuple[float, ...]:
  """Returns the middle iteration of the steps of each mean."""
  starts = (0, *curve.steps[:-1])
  return tuple((start + end) / 2 for start, end in
               zip(starts, curve.steps, strict=False))


def iterations_to(curve: Curve, goal: float) -> float | None:
  """Returns the iteration where the curve first reaches `goal`, or None.

  The curve is interpolated linearly between means. If the first mean is already
  at or below the goal, the result is its position.
  """
  at = middle_iterations(curve)
  for i, error in enumerate(curve.errors):
    if error > goal:
      continue
    if i == 0:
      return at[0]
    before = curve.errors[i - 1]
    return at[i - 1] + (before - goal) / (before - error) * (at[i] - at[i - 1])
  return None


def best(curves: Mapping[float, Curve], count: int,
         goal: float) -> tuple[float, ...]:
  """Returns the best learning rates, the best one first.

  Rates that reached the goal come first, ordered by iterations; then the
  others, ordered by their last error; rates that diverged come last.

  Args:
    curves: the curves by learning rate.
    count: the number of rates to return.
    goal: the training error to reach, 0..1.
  """

  def rank(rate):
    curve = curves[rate]
    iterations = iterations_to(curve, goal)
    if iterations is not None:
      return 0, iterations
    return (2, 0.0) if curve.diverged else (1, curve.errors[-1])

  return tuple(sorted(curves, key=rank)[:count])


def ratio(first: Curve, second: Curve, goal: float) -> Ratio:
  """Compares two curves; a curve that did not reach the goal gives a bound.

  A curve that diverged gives no bound, since it did not end for lack of steps.

  Args:
    first: the curve whose iterations are the unit.
    second: the curve that is compared with it.
    goal: the training error to reach, 0..1.
  """
  a, b = iterations_to(first, goal), iterations_to(second, goal)
  if a is not None and b is not None:
    return Ratio(b / a, '=')
  if a is not None and not second.diverged:
    return Ratio(middle_iterations(second)[-1] / a, '>')
  if b is not None and not first.diverged:
    return Ratio(b / middle_iterations(first)[-1], '<')
  return Ratio(None, '=')


def logged_step(step: float, log_every: int) -> int:
  """Returns the logged step that is nearest to `step`."""
  return max(math.floor(step / log_every + 0.5), 1) * log_every


# --- Results ------------------------------------------------------------------


class RateSearch(NamedTuple):
  """The search over the learning rates of one nonlinearity."""

  nonlinearity: str
  learning_rate: float  # The best one.
  curves: Mapping[float, Curve]  # By learning rate.
  rounds: Sequence[Mapping[str, Any]]  # Steps, errors, rates kept.


def results(searches: Sequence[RateSearch], goal: float,
            **conditions: Any) -> dict[str, Any]:
  """Returns the results of the search, ready for JSON.

  Args:
    searches: the searches of the two nonlinearities.
    goal: the training error to reach, 0..1.
    **conditions: further entries: data, steps_per_epoch and others.
  """
  curves = [search.curves[search.learning_rate] for search in searches]
  measured = ratio(*curves, goal)
  return {
      **conditions,
      'goal': goal,
      'nonlinearities': {search.nonlinearity: {
          'learning_rate': search.learning_rate,
          'iterations': iterations_to(curve, goal),
          'steps': curve.steps[-1] if curve.steps else 0,
          'diverged': curve.diverged,
          'rounds': search.rounds,
      } for search, curve in zip(searches, curves, strict=True)},
      'ratio': measured.value,
      'ratio_sign': measured.sign,
      'ratio_in_the_paper': PAPER_RATIO,
  }


def as_text(numbers: Mapping[str, Any]) -> str:
  """Formats the results as text, with the reasons to doubt them.

  Args:
    numbers: the output of `results`.
  """
  goal = percent(numbers['goal'])
  lines = [numbers['data']]
  for name, outcome in numbers['nonlinearities'].items():
    rate, steps = outcome['learning_rate'], outcome['iterations']
    if steps is not None:
      end = f'reached {goal} training error after'
    else:
      steps = outcome['steps']
      end = ('diverged after' if outcome['diverged']
             else f'did not reach {goal} training error in')
    lines.append(
        f'{NAMES.get(name, name)}, learning rate {rate:g}: {end} {steps:,.0f}'
        f' iterations ({steps / numbers["steps_per_epoch"]:.1f} epochs).')
    tried = sorted(map(float, outcome['rounds'][0]['errors']))
    if len(tried) > 1 and rate in (tried[0], tried[-1]):
      end = 'lowest' if rate == tried[0] else 'highest'
      lines.append(f'  That is the {end} rate tried: a better one may lie'
                   ' beyond it.')
  lines.append(f'{ratio_text(numbers)}.')
  return '\n'.join(lines)


def ratio_text(numbers: Mapping[str, Any]) -> str:
  """'tanh takes 4.1 times as many iterations as ReLU (paper: 6)'."""
  first, second = (NAMES.get(name, name) for name in numbers['nonlinearities'])
  if numbers['ratio'] is None:
    return f'{second} against {first}: no ratio could be measured'
  bound = BOUNDS[numbers['ratio_sign']]
  return (f'{second} takes {bound}{numbers["ratio"]:.1f} times as many'
          f' iterations as {first} (paper: {numbers["ratio_in_the_paper"]:g})')


def percent(share: float) -> str:
  """0.25 -> '25 %'."""
  return f'{100 * share:g} %'
