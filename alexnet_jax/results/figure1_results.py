"""The outcome of Figure 1's search: as JSON and in words."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from alexnet_jax.results import learning_rate_search as halving
from alexnet_jax.results.learning_rate_search import Curve

PAPER = 6.0  # the ratio in the caption of Figure 1
NAMES = {'relu': 'ReLU'}  # as the paper writes it
BOUNDS = {'=': '', '>': 'more than ', '<': 'less than '}


class Search(NamedTuple):
  """What became of every learning rate of one nonlinearity."""

  nonlinearity: str
  learning_rate: float  # the best
  curves: Mapping[float, Curve]
  rounds: Sequence[Mapping[str, Any]]  # steps, errors by rate, rates kept


def results(searches: Sequence[Search], goal: float,
            **about: Any) -> dict[str, Any]:
  """All that is known at the end, ready for JSON.

  Args:
    searches: of the two nonlinearities.
    goal: the training error to reach.
    **about: what else there is to say: data, steps_per_epoch and others.
  """
  chosen = [search.curves[search.learning_rate] for search in searches]
  ratio = halving.ratio(*chosen, goal)
  return {
      **about,
      'goal': goal,
      'nonlinearities': {search.nonlinearity: {
          'learning_rate': search.learning_rate,
          'iterations': halving.iterations_to(curve, goal),
          'steps': curve.steps[-1] if curve.steps else 0,
          'diverged': curve.diverged,
          'rounds': search.rounds,
      } for search, curve in zip(searches, chosen, strict=True)},
      'ratio': ratio.value,
      'ratio_sign': ratio.sign,
      'ratio_in_the_paper': PAPER,
  }


def as_text(numbers: Mapping[str, Any]) -> str:
  """The outcome for people, and what should make them doubt it."""
  goal = percent(numbers['goal'])
  lines = [numbers['data']]
  for name, found in numbers['nonlinearities'].items():
    steps = (found['steps'] if found['iterations'] is None
             else found['iterations'])
    end = (f'reached {goal} training error after'
           if found['iterations'] is not None else 'diverged after'
           if found['diverged'] else f'did not reach {goal} training error in')
    rate = found['learning_rate']
    lines.append(
        f'{NAMES.get(name, name)}, learning rate {rate:g}: {end} {steps:,.0f}'
        f' iterations ({steps / numbers["steps_per_epoch"]:.1f} epochs).')
    tried = sorted(map(float, found['rounds'][0]['errors']))
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
