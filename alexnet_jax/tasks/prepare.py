"""--task=prepare: stores the config's data set as square records, once.

imagenet2012 and cifar10 are first built from the official archives in
config.data.path, unless they can be read already. An interrupted preparation
resumes where it stopped.
"""

import sys

from absl import flags

from alexnet_jax.command_line import Invocation
from alexnet_jax.data import builders, cifar
from alexnet_jax.data import prepare as preparation
from alexnet_jax.errors import InputError
from alexnet_jax.run import experiment
from alexnet_jax.run.experiment import Settings

CONFIG = 'required'


def define_flags(values: flags.FlagValues) -> None:
  """Defines no flags: this task has none."""


def run(invocation: Invocation) -> None:
  """Writes the records into --workdir."""
  prepare(experiment.read(invocation.config), invocation.flags.workdir)


def prepare(settings: Settings, folder: str) -> preparation.Summary:
  """Writes the records, the mean image and the color covariance.

  Args:
    settings: the experiment, which gives the data set and the side of the
      stored squares.
    folder: the folder to write to.

  Raises:
    InputError: there is nothing to prepare, the folder cannot be used, or the
      data is unsuitable.
  """
  data = settings.data
  if data.name in ('procedural', 'records'):
    raise InputError(
        f'config.data.name={data.name} needs no preparation: give'
        ' --config.data.name=folder, imagenet2012 or cifar10.')
  if not folder:
    raise InputError(
        'no folder was given for the records: add --workdir=FOLDER.')
  build = {'imagenet2012': builders.build_imagenet2012,
           'cifar10': cifar.build}.get(data.name)
  if build and data.path:
    build(data.path)
  splits = {split: settings.open_split(split)
            for split in ('train', 'validation')}
  summary = preparation.prepare(
      splits, folder, image_size=data.image_size,
      threads=settings.run.threads, resize=data.resize)
  for skipped in summary.skipped:
    print(f'skipped {skipped["where"]}: {skipped["reason"]}', file=sys.stderr)
  print(f'{summary.folder}: '
        + ', '.join(f'{n} {split}' for split, n in summary.counts.items())
        + f' images, {len(summary.skipped)} skipped; train on them with'
        f' --config.data.name=records --config.data.path={summary.folder}')
  return summary
