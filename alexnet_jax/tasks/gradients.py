"""--task=gradients: how large outputs and gradients are, layer by layer.

Networks of --config and --compare are measured before training, those of runs
with their first parameters and at up to seven of their kept checkpoints
(config.run.keep and config.run.save_every). Each computes the gradient of the
first batch of its training, in float32; nothing is trained.

    python launch.py --task=gradients --config=C --compare=C2 --sweep=FIELD=A,B
    python launch.py --task=gradients RUN RUN2 ...
"""

import collections
import functools
import math
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags
from tqdm import tqdm

from alexnet_jax import config_files, tables
from alexnet_jax.analysis import gradients as analysis
from alexnet_jax.analysis.gradients import Measured
from alexnet_jax.command_line import arguments
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.data import statistics
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError, printable
from alexnet_jax.figures import gradients as picture
from alexnet_jax.figures import style
from alexnet_jax.learning import augment
from alexnet_jax.learning.augment import PixelStats
from alexnet_jax.results import claims, sweeps
from alexnet_jax.run import (
  checkpoint,
  commands,
  device_data,
  evaluation,
  experiment,
  skipped,
  trained,
  training,
  typed_config,
)
from alexnet_jax.run.experiment import Experiment
from alexnet_jax.run.typed_config import Settings

CONFIG, POSITIONAL = 'optional', 'runs'
MOST_STEPS = 7  # of one run, so that the lines can be told apart
Steps = dict[int, Measured]


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_multi_string(
      'runs', [], 'Workdirs of runs; more may follow.', flag_values=values)
  flags.DEFINE_multi_string(
      'compare', [], 'A config to set beside --config; repeat it.',
      flag_values=values)
  flags.DEFINE_multi_string(
      'sweep', [], 'Values of a field, such as model.nonlinearity=relu,tanh,'
      ' with which each config is measured; repeat it for combinations.',
      flag_values=values)
  flags.DEFINE_integer(
      'batch', 0, 'How many images to measure; those of a step unless given.',
      flag_values=values, lower_bound=0, upper_bound=2**16)
  flags.DEFINE_string(
      'data', '', "Records or a folder in place of the runs' own data.",
      flag_values=values)
  flags.DEFINE_string(
      'out', '', 'The picture; gradients.png in the workdir, or in the first'
      ' run, unless given.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Measures all networks and draws them in one picture."""
  values = invocation.flags
  variants = _variants(invocation)
  workdirs = _workdirs(invocation)
  if not variants and not workdirs:
    raise InputError(
        '--task=gradients needs networks: give --config=FILE, or the workdirs'
        ' of runs, as in --task=gradients runs/a runs/b.')
  measures: list[Callable[[], Steps]] = [
      *(functools.partial(at_the_start, typed_config.read(one.config),
                          values.batch) for one in variants),
      *(functools.partial(of_run, workdir, values.batch, values.data)
        for workdir in workdirs)]
  measurements = dict(zip(names(variants, workdirs), measures, strict=True))
  if len(measurements) > picture.MOST:
    raise InputError(f'these are {len(measurements)} networks: give'
                     f' {picture.MOST} at most, which have a color each.')
  out = values.out or os.path.join(
      invocation.workdir or workdirs[0], picture.PICTURE)
  style.check_picture_path('out', out)
  with tqdm(measurements.items(), unit=' networks', leave=False,
            dynamic_ncols=True, disable=None) as bar:
    networks = {name: measure() for name, measure in bar}
  picture.draw(networks, out)
  print('\n'.join(tables.aligned(rows(networks))))
  print(style.drawn(out))


def _variants(invocation):
  """Returns the configs to measure: those given, each with all sweeps."""
  values, path = invocation.flags, arguments.config_argument(sys.argv)
  if not path and (values.compare or values.sweep):
    raise InputError('--compare and --sweep are for networks before training:'
                     ' add --config=FILE, or leave them out.')
  if not path and 'config' in values and invocation.overrides():
    raise InputError('--config.SECTION.FIELD changes no finished run: add'
                     ' --config=FILE, or leave it out.')
  if not path:
    return []
  if values.data:
    raise InputError('--data is for runs: give --config.data.name and'
                     ' --config.data.path with --config.')
  overrides = invocation.overrides()
  configs = [(path, invocation.config),
             *((other, config_files.load(other, overrides, 'compare'))
               for other in values.compare)]
  variants = sweeps.variants(configs, values.sweep, ())
  labels = [one.label for one in variants]
  for label in labels:
    if labels.count(label) > 1:
      raise InputError(f'--config and --compare give {label} twice: give each'
                       ' config once.')
  return variants


def _workdirs(invocation):
  """Returns the runs to measure, each of which has a checkpoint."""
  given = [*invocation.flags.runs, *invocation.arguments]
  if not arguments.config_argument(sys.argv) and invocation.workdir:
    given.insert(0, invocation.workdir)
  workdirs = list(dict.fromkeys(map(os.path.abspath, given)))
  for workdir in workdirs:
    checkpoint.check_exists(workdir)
  return workdirs


def names(variants: Sequence[sweeps.Variant],
          workdirs: Sequence[str]) -> list[str]:
  """Returns what the networks are called, with a path where it is needed.

  Args:
    variants: configs, with different labels.
    workdirs: the absolute paths of runs, all different.
  """
  forms = [*((_name_of(one), one.label) for one in variants),
           *((os.path.basename(workdir), os.path.relpath(workdir), workdir)
             for workdir in workdirs)]
  counts = collections.Counter(form for one in forms for form in set(one))
  return [next((form for form in one if counts[form] == 1), one[-1])
          for one in forms]


def _name_of(variant):
  name, form = claims.name_and_form(variant.path)
  return ' '.join([f'{name}:{form}' if form else name, *(
      f'{field.removeprefix("model.")}={value}'
      for field, value in variant.changed.items())])


# --- Measuring ----------------------------------------------------------------


def at_the_start(settings: Settings, batch_size: int = 0) -> Steps:
  """Measures the network of a config before training: {0: ...}.

  Args:
    settings: the experiment.
    batch_size: number of images; 0: those of a step.

  Raises:
    InputError: the experiment or its data cannot be used.
  """
  source = settings.open_split('train')
  pixels = statistics.statistics(source)
  stats = augment.pixel_stats(
      pixels.mean, pixels.covariance, settings.augmentation.mean_pixel)
  built, measure = _prepare(settings, source, batch_size)
  return {0: measure(built.new_state(stats).variables, stats)}


def of_run(workdir: str, batch_size: int = 0, data: str = '') -> Steps:
  """Measures the first parameters of a run and its kept checkpoints.

  Args:
    workdir: the folder of the run.
    batch_size: number of images; 0: those of a step.
    data: records or a folder in place of the data of the run.

  Returns:
    {step: what is measured}, of MOST_STEPS steps at most.

  Raises:
    InputError: there is no checkpoint, or the data cannot be used.
  """
  with checkpoint.open_to_read(workdir) as manager:
    kept = sorted(manager.all_steps())
  newest = trained.open_trained(workdir, str(kept[-1]))
  settings, stats = newest.settings, newest.input_stats
  source = skipped.readable_split(
      settings, 'train', trained.open_split(newest, 'train', data), workdir)
  evaluation.check_classes(source, newest.class_names, workdir)
  built, measure = _prepare(settings, source, batch_size)
  steps = kept if 0 in kept else [*first_step(workdir), *kept]
  measured = {}
  for step in evenly(steps, MOST_STEPS):
    variables = (trained.open_trained(workdir, str(step)).params
                 if step in kept else built.new_state(stats).variables)
    measured[step] = measure(variables, stats)
  return measured


def first_step(workdir: str) -> list[int]:
  """Returns [0], or [] if a run may have begun with parameters of another."""
  init_from = commands.began_with(workdir)
  if init_from == '':
    return [0]
  began = ('does not say what it began with' if init_from is None else
           f'began with the parameters of {init_from}, which are not measured')
  print(printable(f'{workdir} {began}: only its checkpoints are measured.'))
  return []


def _prepare(
    settings: Settings, source: Source, batch_size: int
) -> tuple[Experiment, Callable[[Any, PixelStats], Measured]]:
  """Returns an experiment, and f(variables, input statistics) -> Measured."""
  settings = analysis.settings_to_measure(settings, batch_size)
  _check_batch(settings.optimizer.batch_size, len(source), bool(batch_size))
  built = experiment.build(settings, len(source.class_names), len(source))
  batches = built.train_batches(source)
  batch = device_data.to_device(next(batches), built.mesh)
  batches.close()
  measure = analysis.make_measurement(
      built, training.class_weights(settings, source))
  return built, lambda variables, stats: measure(variables, stats, batch)


def _check_batch(images, examples, given):
  if images > examples:
    raise InputError(
        f'{"--batch" if given else "config.optimizer.batch_size"}={images} is'
        f' more than the {examples} training examples: give --batch={examples}'
        ' or less.')


def evenly(steps: Sequence[int], most: int) -> list[int]:
  """Returns at most so many of the steps, the first and the last included."""
  chosen = np.linspace(0, len(steps) - 1, min(most, len(steps)))
  return [steps[i] for i in np.round(chosen).astype(int)]


# --- Saying it ----------------------------------------------------------------


def rows(networks: Mapping[str, Steps]) -> list[tuple[str, ...]]:
  """Returns the cells of a table, a line for each network and step.

  Args:
    networks: {name: {step: what was measured}}.
  """
  head = ('network', 'step', 'loss', 'gradient', 'outputs: first', 'last',
          'their gradients: first', 'last', 'first / last')
  return [head, *((name, str(step), *_cells(one))
                  for name, steps in networks.items()
                  for step, one in steps.items())]


def _cells(measured: Measured) -> tuple[str, ...]:
  first, *_, last = measured.layers
  ratio = (first.output_gradients / last.output_gradients
           if last.output_gradients else math.nan)
  return (f'{measured.loss:.4f}', *(f'{value:.3g}' for value in (
      measured.gradient_norm, first.outputs, last.outputs,
      first.output_gradients, last.output_gradients, ratio)))
