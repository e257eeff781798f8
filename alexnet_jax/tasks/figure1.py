"""--task=figure1: trains ReLU against tanh (3.1) and draws Figure 1.

Every run is an ordinary one, at WORKDIR/relu_0.01 and so on. What a run still
has to do follows from what it has logged, so the task may be stopped at any
time; the same command goes on.
"""

import itertools
import os
import sys
from typing import Any

import jax
from absl import flags
from ml_collections import ConfigDict

from alexnet_jax.command_line import Invocation
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.figures import figure1 as picture
from alexnet_jax.figures import style
from alexnet_jax.results import learning_rate_search, runs
from alexnet_jax.results.learning_rate_search import Curve, RateSearch
from alexnet_jax.run import checkpoint, experiment, journal, training
from alexnet_jax.run.watch import Diverged

CONFIG = 'required'
DIVERGED = 'diverged.txt'  # in the workdir of a run that ended so
TITLES = {'cifar10': 'CIFAR-10'}  # of data sets that have a name in print


class Stopped(Exception):
  """A signal stopped the run that was being trained."""


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'out', '', 'The picture; WORKDIR/figure1.png unless given.',
      flag_values=values)


def run(given: Invocation) -> None:
  """Trains what is missing and draws the figure."""
  figure1(given.config, given.workdir, given.flags.out, given.command)


def figure1(config: ConfigDict, workdir: str, out: str = '',
            command: str = '') -> dict[str, Any]:
  """Trains what is missing, draws the figure, writes its numbers beside it.

  Args:
    config: with a section `figure1`, as in configs/cifar10/figure1.py.
    workdir: where all the runs live.
    out: the picture, .png, .pdf or .svg; '' is WORKDIR/figure1.png. Its numbers
      are in the .json of the same name.
    command: the command line that was given, for the record of the runs.

  Returns:
    The numbers, or {} when asked to stop before the end.

  Raises:
    InputError: anything given that cannot work, before the first run starts.
  """
  out = out or os.path.join(workdir, 'figure1.png')
  check(config, out)
  settings = experiment.read(config)
  source = settings.open_split('train')
  names = config.figure1.nonlinearities
  for name in names:  # whether both can be built, before an hour has gone by
    steps_per_epoch = experiment.build(
        experiment.read(run_config(
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
    print(f'Drawn in {out}; the numbers are in'
          f' {style.numbers_path(out)}.')
  return numbers


def check(config: ConfigDict, out: str) -> None:
  """Raises InputError if the search, the goal or the file cannot work."""
  if 'figure1' not in config:
    raise InputError('--task=figure1 needs a config that says which learning'
                     ' rates to try: give --config=configs/cifar10/figure1.py.')
  given = config.figure1

  def refuse(field, remedy):
    raise InputError(f'config.figure1.{field}={given[field]!r} has the wrong'
                     f' form: {remedy}.')

  if len(set(given.nonlinearities)) != 2 or len(given.nonlinearities) != 2:
    refuse('nonlinearities', "give two, such as ('relu', 'tanh')")
  rates = given.learning_rates
  if not rates or len(set(rates)) < len(rates) or not all(
      isinstance(rate, int | float) and rate > 0 for rate in rates):
    refuse('learning_rates',
           'give different numbers above zero, such as (0.001, 0.01)')
  rounds = given.rounds
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
  """Successive halving, then to the goal with whoever is left.

  Raises:
    Stopped: not finished.
    InputError: a workdir that holds another run.
  """
  goal, every = config.run.until_error, config.run.log_every
  left = [float(rate) for rate in config.figure1.learning_rates]
  curves, told = {}, []
  for epochs, kept in (*config.figure1.rounds, (None, 1)):
    steps = learning_rate_search.logged_step(
        config.run.steps or config.run.epochs * steps_per_epoch
        if epochs is None else epochs * steps_per_epoch, every)
    for rate in left:
      curves[rate] = _trained(
          config, workdir, nonlinearity, rate, steps, command)
    known = {
      rate: learning_rate_search.up_to(curves[rate], steps) for rate in left
    }
    left = list(learning_rate_search.best(known, kept, goal))
    told.append({
        'steps': steps, 'kept': left,
        'errors': {f'{rate:g}': 'diverged' if curve.diverged
                   else curve.errors[-1] for rate, curve in known.items()}})
  return RateSearch(nonlinearity, left[0], curves, told)


def _trained(config, workdir, nonlinearity, rate, steps, command):
  """The curve of a run that has made so many steps or reached the goal."""
  own = run_config(config, nonlinearity, rate, steps)
  at = os.path.join(workdir, f'{nonlinearity}_{rate:g}')
  _check_same_experiment(at, own)
  if _done(read_curve(at), steps, config.run.until_error):
    return read_curve(at)
  if jax.process_index() == 0:
    print(f'{nonlinearity}, learning rate {rate:g}, to step {steps} at most:'
          f' {at}', file=sys.stderr)
  try:
    if not training.train(experiment.read(own), at,
                          command=_run_command(command, own, at)):
      raise Stopped
  except Diverged as end:
    with open(os.path.join(at, DIVERGED), 'w', encoding='utf-8') as file:
      file.write(f'{end}\n')
  jax.clear_caches()  # the next run compiles its own step anyhow
  return read_curve(at)


def run_config(config: ConfigDict, nonlinearity: str, rate: float,
               steps: int) -> ConfigDict:
  """The config of one run of the search."""
  own = config.copy_and_resolve_references()
  own.update_from_flattened_dict({
      'model.nonlinearity': nonlinearity,
      'optimizer.learning_rate': float(rate), 'run.steps': steps})
  return own


def read_curve(workdir: str) -> Curve:
  """What a run has logged so far; nothing if there is none."""
  lines = [line for line in journal.read(workdir) if line['kind'] == 'train']
  return Curve(tuple(line['step'] for line in lines),
               tuple(line['top1_error'] for line in lines),
               os.path.exists(os.path.join(workdir, DIVERGED)))


def _done(curve, steps, goal):
  return (
    curve.diverged
    or learning_rate_search.iterations_to(curve, goal) is not None
    or (bool(curve.steps) and curve.steps[-1] >= steps)
  )


def _check_same_experiment(at, own):
  """What `train` refuses as well, also where nothing is left to train."""
  there = journal.read_config(at)
  if there is None:
    return
  checkpoint.check_same_experiment(at, there, own.to_dict())
  logged = there['run']['log_every']
  if logged != own.run.log_every:
    raise InputError(
        f'--workdir={os.path.dirname(at)} holds runs that logged every {logged}'
        f' steps: give config.run.log_every={logged}, or another --workdir.')


def _run_command(command, own, at):
  """The command line that makes this run alone."""
  if not command:
    return ''
  path, overrides, _ = runs.parse(command)
  fixed = {'model.nonlinearity': own.model.nonlinearity,
           'optimizer.learning_rate': own.optimizer.learning_rate,
           'run.steps': own.run.steps}
  return runs.command(path, {**overrides, **fixed}, workdir=at)


def data_title(config: ConfigDict, source: Source) -> str:
  """'CIFAR-10 (JPEG files), 50,000 training images'."""
  title = TITLES.get(config.data.name, config.data.name)
  lossy = source.where(0).lower().endswith(('.jpg', '.jpeg'))
  return (f'{title}{" (JPEG files)" if lossy else ""},'
          f' {len(source):,} training images')
