"""The ratio of Figure 1 (3.1), measured with each seed.

--task=figure1 searches for the two learning rates, and leaves its numbers in
a file beside its runs. Where the rates are known, one run of each nonlinearity
is enough: the ratio is that of two runs with the same seed.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from alexnet_jax import files
from alexnet_jax.results import learning_rate_search, runs
from alexnet_jax.results.learning_rate_search import BOUNDS, Ratio
from alexnet_jax.results.runs import Run
from alexnet_jax.run import journal

FILE = 'figure1.json'  # That --task=figure1 writes.


class SeedRatio(NamedTuple):
  """The ratio of one seed, and what it was measured with."""

  seed: int
  ratio: Ratio
  steps: Mapping[str, int]  # By nonlinearity, where its run stopped.
  data: str
  command: str


def read(config: str, finished: Sequence[Run]) -> list[SeedRatio]:
  """Returns the ratio of a config's search, or those of its single runs.

  Args:
    config: the name of the config, such as 'cifar10/figure1'.
    finished: the finished runs, of this and of other configs.
  """
  of_config = [run for run in finished if run.name == config]
  for run in of_config:
    if searched := _searched(run):
      return [searched]
  return _of_single_runs(of_config)


def as_text(ratios: Sequence[SeedRatio]) -> str:
  """Formats '6.0 +- 0.2 times', or each of them if one is a bound."""
  values = [one.ratio.value for one in ratios]
  known = [value for value in values if value is not None]
  if not known:
    return 'no ratio'
  if len(known) < len(ratios) or any(one.ratio.sign != '=' for one in ratios):
    return ', '.join(
        'no ratio' if one.ratio.value is None
        else f'{BOUNDS[one.ratio.sign]}{one.ratio.value:.1f} times'
        for one in ratios)
  mean, error = runs.estimate(known)
  return f'{mean:.1f}{"" if error is None else f" +- {error:.1f}"} times'


def _searched(run):
  """Returns the ratio of the search that a run belongs to, or None."""
  numbers = files.read_json(os.path.join(os.path.dirname(run.workdir), FILE))
  try:
    data = {field: value for field, value in run.overrides.items()
            if field.startswith('data.')}
    return SeedRatio(
        numbers['seed'], Ratio(numbers['ratio'], numbers['ratio_sign']),
        {name: result['steps']
         for name, result in numbers['nonlinearities'].items()},
        run.data, runs.command(run.path, data, task='figure1'))
  except (AttributeError, KeyError, TypeError):
    return None  # there is no search, or the file was changed


def _of_single_runs(of_config: Iterable[Run]) -> list[SeedRatio]:
  """Returns the ratios of seeds that have one run of each nonlinearity.

  There is none if the two kinds of runs differ in more than the nonlinearity
  and the learning rate, or if a nonlinearity was run with several rates: which
  of them is the fastest is for --task=figure1 to find out.
  """
  names: Sequence[str] = ()
  of_rate: dict[tuple, dict[int, Run]] = {}  # {experiment: {seed: its run}}
  for run in of_config:
    names = run.config.get('figure1', {}).get('nonlinearities', ())
    changed = dict(run.changed)
    rate = changed.pop('optimizer.learning_rate', '')
    changed.pop('model.nonlinearity', '')
    experiment = (run.config['model'].get('nonlinearity', ''), rate, run.data,
                  run.init_from, tuple(changed.items()))
    of_rate.setdefault(experiment, {}).setdefault(run.seed, run)
  if len(names) != 2 or sorted(key[0] for key in of_rate) != sorted(names):
    return []
  first, second = sorted(of_rate, key=lambda key: names.index(key[0]))
  if first[2:] != second[2:]:
    return []
  return [_ratio_of(names, of_rate[first][seed], of_rate[second][seed])
          for seed in sorted(of_rate[first].keys() & of_rate[second].keys())]


def _ratio_of(names, *pair):
  curves = [learning_rate_search.curve(journal.read(run.workdir))
            for run in pair]
  goal = pair[0].config['run']['until_error']
  return SeedRatio(
      pair[0].seed, learning_rate_search.ratio(*curves, goal),
      {name: run.steps for name, run in zip(names, pair, strict=True)},
      pair[0].data, '; '.join(run.command for run in pair))
