"""--task=history: draws the errors of ILSVRC, and of networks since LeNet-5.

The published numbers are those of `results/history.py`; ours are of all
finished runs below --workdir. This task needs no config and no data.
"""

import os
from typing import Any

from absl import flags

from alexnet_jax import tables
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.figures import history as history_picture
from alexnet_jax.figures import style
from alexnet_jax.figures.history import Bar
from alexnet_jax.results import history as published
from alexnet_jax.results import runs

CONFIG = 'unused'
NAME = 'history.png'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'out', '', 'The picture: .png, .pdf or .svg; WORKDIR/history.png unless'
      ' given.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Draws the chart and prints its table."""
  history(invocation.workdir or 'runs', invocation.flags.out)


def history(folder: str, out: str = '') -> dict[str, Any]:
  """Draws the chart and prints its table.

  Args:
    folder: a folder that contains workdirs of runs, at any depth; a network
      without a finished run in it is marked so.
    out: the picture; '' is FOLDER/history.png. Its numbers are in the .json
      file of the same name.

  Returns:
    The numbers.

  Raises:
    InputError: `out` is not a valid name for a picture.
  """
  out = os.path.expanduser(out) or os.path.join(folder, NAME)
  style.check_picture_path('out', out)
  finished = [run for run in map(runs.read, runs.workdirs(folder)) if run]
  chosen = published.longest_runs(finished)
  numbers = {
      'winners': [winner._asdict() for winner in published.WINNERS],
      'runner_up': published.RUNNER_UP._asdict(),
      'human_top5_error': published.HUMAN_TOP5_ERROR,
      'networks': [network._asdict() | _ours(chosen.get(network.config))
                   for network in published.NETWORKS]}
  bars = [_bar(network, chosen.get(network.config))
          for network in published.NETWORKS]
  history_picture.draw(
      published.WINNERS, published.RUNNER_UP, published.HUMAN_TOP5_ERROR, bars,
      numbers, out)
  print('\n'.join(tables.aligned(published.as_rows(chosen))))
  print(style.drawn(out))
  return numbers


def _ours(run):
  if run is None:
    return {'run': None}
  return {'run': {'workdir': run.workdir, 'data': run.data, 'steps': run.steps,
                  'errors': run.errors}}


def _bar(network, run):
  if network.top5_error is not None:
    label = f'{network.top5_error:.2f}'
  else:
    where = network.test if network.test == 'MNIST' else 'ten crops'
    label = f'top-1 {network.top1_error:g} ({where})'
  if network.test == published.DENSE:
    label += ' (whole images)'
  ours = published.NOT_RUN
  if run is not None:
    crops = runs.crops([run])[-1]
    ours = f'{runs.error([run], crops, 1).mean:.1f} ({run.data})'
  return Bar(network.name, network.top5_error, label, ours)
