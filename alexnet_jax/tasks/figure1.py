"""--task=figure1: trains ReLU against tanh (3.1) and draws Figure 1.

Every run is an ordinary training run, in WORKDIR/relu_0.01 and so on. The steps
that remain follow from the logs of the runs, so the task may be stopped at any
time; the same command resumes it.
"""

import itertools
import os
import sys
from typing import Any

import jax
from absl import flags
from ml_collections import ConfigDict

from alexnet_jax import files
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError, printable
from alexnet_jax.figures import curves, style
from alexnet_jax.figures import figure1 as picture
from alexnet_jax.results import learning_rate_search, runs
from alexnet_jax.results.learning_rate_search import Curve, RateSearch
from alexnet_jax.run import (
  commands,
  experiment,
  journal,
  stored_config,
  training,
  typed_config,
)
from alexnet_jax.run.watch import Diverged

CONFIG = 'required'
DIVERGED = 'diverged.txt'  # In the workdir of a run that diverged.
TITLES = {'cifar10': 'CIFAR-10'}  # Data sets with a common name.


class Stopped(Exception):
  """A signal stopped the current run."""


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'out', '', 'The picture; WORKDIR/figure1.png unless given.',
      flag_values=values)


def run(invocation: Invocation) -> None:
  """Trains the missing runs and draws the figure."""
  figure1(invocation.config, invocation.workdir, invocation.flags.out,
          invocation.command)


def figure1(config: ConfigDict, workdir: str, out: str = '',
            command: str = '') -> dict[str, Any]:
  """Trains the missing runs, draws the figure and writes its numbers.

  Args:
    config: a config with a section `figure1`, as in configs/cifar10/figure1.py.
    workdir: the folder of all runs.
    out: the picture file, .png, .pdf or .svg; '' is WORKDIR/figure1.png. Its
      numbers are in the .json file of the same name.
    command: the command line, which is recorded with the runs.

  Returns:
    The numbers, or {} if a signal stops the task before it finishes.

  Raises:
    InputError: an argument that cannot work; raised before the first run
      starts.
  """
  out = out or os.path.join(workdir, 'figure1.png')
  check(config, out)
  settings = typed_config.read(config)
  source = settings.open_split('train')
  names = config.figure1.nonlinearities
  for name in names:  # Check early that both can be built.
    steps_per_epoch = experiment.build(
        typed_config.read(run_config(
            config, name, config.figure1.learning_rates[0], 1)),
        len(source.class_names), len(source)).length.steps_per_epoch
  try:
    searches = [search(config, workdir, name, steps_per_epoch, command)
                for name in names]
  except Stopped:
    return {}
  numbers = learning_rate_search.results(
      searches, config.run.until_error, data=data_title(config, source),
      network=config.model.name, seed=config.seed,
      batch_size=config.optimizer.batch_size, steps_per_epoch=steps_per_epoch)
  if jax.process_index() == 0:
    picture.draw(numbers, [s.curves for s in searches], out)
    print(learning_rate_search.as_text(numbers))
    print(style.drawn(out))
  return numbers


def check(config: ConfigDict, out: str) -> None:
  """Raises InputError if the search, the goal or the file is invalid."""
  if 'figure1' not in config:
    raise InputError('--task=figure1 needs a config that says which learning'
                     ' rates to try: give --config=configs/cifar10/figure1.py.')
  fields = config.figure1

  def refuse(field, remedy):
    raise InputError(f'config.figure1.{field}={fields[field]!r} has the wrong'
                     f' form: {remedy}.')

  if len(set(fields.nonlinearities)) != 2 or len(fields.nonlinearities) != 2:
    refuse('nonlinearities', "give two, such as ('relu', 'tanh')")
  rates = fields.learning_rates
  if not rates or len(set(rates)) < len(rates) or not all(
      isinstance(rate, int | float) and rate > 0 for rate in rates):
    refuse('learning_rates',
           'give different numbers above zero, such as (0.001, 0.01)')
  rounds = fields.rounds
  if not all(
      isinstance(one, tuple) and len(one) == 2 and one[0] > 0
      and isinstance(one[1], int) and one[1] > 0 for one in rounds) or any(
          b[0] <= a[0] or b[1] > a[1]
          for a, b in itertools.pairwise(rounds)):
    refuse('rounds', 'give pairs of epochs, which grow, and of how many rates'
           ' go on, which shrink, such as ((1.0, 3), (3.0, 1))')
  if not 0 < config.run.until_error < 1:
    raise InputError(
        f'config.run.until_error={config.run.until_error} is no training error'
        ' that a run could reach: give 0.25 as in the paper.')
  style.check_picture_path('out', out)


def search(config: ConfigDict, workdir: str, nonlinearity: str,
           steps_per_epoch: int, command: str) -> RateSearch:
  """Runs successive halving, then trains the remaining rates to the goal.

  Args:
    config: a config with a section `figure1`.
    workdir: the folder of all runs.
    nonlinearity: the nonlinearity of all runs of this search.
    steps_per_epoch: training steps in one epoch.
    command: the command line, which is recorded with the runs.

  Raises:
    Stopped: a signal stops the search before it finishes.
    InputError: a workdir contains a different run.
  """
  goal, every = config.run.until_error, config.run.log_every
  left = [float(rate) for rate in config.figure1.learning_rates]
  curves, rounds_done = {}, []
  for epochs, survivors in (*config.figure1.rounds, (None, 1)):
    steps = learning_rate_search.logged_step(
        config.run.steps or config.run.epochs * steps_per_epoch
        if epochs is None else epochs * steps_per_epoch, every)
    for rate in left:
      curves[rate] = _trained(
          config, workdir, nonlinearity, rate, steps, command)
    known = {
      rate: learning_rate_search.truncated(curves[rate], steps) for rate in left
    }
    left = list(learning_rate_search.best(known, survivors, goal))
    rounds_done.append({
        'steps': steps, 'kept': left,
        'errors': {f'{rate:g}': 'diverged' if curve.diverged
                   else curve.errors[-1] for rate, curve in known.items()}})
  return RateSearch(nonlinearity, left[0], curves, rounds_done)


def _trained(config, workdir, nonlinearity, rate, steps, command):
  """Trains a run for `steps` steps or to the goal, and returns its curve."""
  rate_config = run_config(config, nonlinearity, rate, steps)
  at = os.path.join(workdir, f'{nonlinearity}_{rate:g}')
  _check_same_experiment(at, rate_config)
  if _done(read_curve(at), steps, config.run.until_error):
    return read_curve(at)
  if jax.process_index() == 0:
    print(f'{nonlinearity}, learning rate {rate:g}, to step {steps} at most:'
          f' {printable(at)}', file=sys.stderr)
  try:
    if not training.train(typed_config.read(rate_config), at,
                          command=_run_command(command, rate_config, at),
                          draw=curves.draw_workdir):
      raise Stopped
  except Diverged as end:
    with files.atomic_write(os.path.join(at, DIVERGED)) as file:
      file.write(f'{end}\n'.encode())
  jax.clear_caches()  # The next run compiles its own step.
  return read_curve(at)


def run_config(config: ConfigDict, nonlinearity: str, rate: float,
               steps: int) -> ConfigDict:
  """Returns the config of one run of the search.

  Args:
    config: a config with a section `figure1`.
    nonlinearity: the nonlinearity of the run.
    rate: the learning rate.
    steps: the number of training steps.
  """
  rate_config = config.copy_and_resolve_references()
  rate_config.update_from_flattened_dict({
      'model.nonlinearity': nonlinearity,
      'optimizer.learning_rate': float(rate), 'run.steps': steps})
  return rate_config


def read_curve(workdir: str) -> Curve:
  """Reads the curve that a run has logged; empty if there is no run."""
  return learning_rate_search.curve(
      journal.read(workdir),
      diverged=os.path.exists(os.path.join(workdir, DIVERGED)))


def _done(curve, steps, goal):
  return (
    curve.diverged
    or learning_rate_search.iterations_to(curve, goal) is not None
    or (bool(curve.steps) and curve.steps[-1] >= steps)
  )


def _check_same_experiment(at, rate_config):
  """Raises the errors of `train`, even if no training remains."""
  saved = journal.read_config(at)
  if saved is None:
    return
  stored_config.check_same_experiment(at, saved, rate_config.to_dict())
  logged = (saved.get('run') or {}).get('log_every')
  if logged != rate_config.run.log_every:
    raise InputError(
        f'--workdir={os.path.dirname(at)} holds runs that logged every {logged}'
        f' steps: give config.run.log_every={logged}, or another --workdir.')


def _run_command(command, rate_config, at):
  """Returns the command line that trains this run alone."""
  if not command:
    return ''
  path, overrides, _ = commands.parse(command)
  fixed = {'model.nonlinearity': rate_config.model.nonlinearity,
           'optimizer.learning_rate': rate_config.optimizer.learning_rate,
           'run.steps': rate_config.run.steps}
  return runs.command(path, {**overrides, **fixed}, workdir=at)


def data_title(config: ConfigDict, source: Source) -> str:
  """'CIFAR-10 (JPEG files), 50,000 training images'."""
  title = TITLES.get(config.data.name, config.data.name)
  lossy = source.where(0).lower().endswith(('.jpg', '.jpeg'))
  return (f'{title}{" (JPEG files)" if lossy else ""},'
          f' {len(source):,} training images')
