"""--task=prepare: stores the config's data set as square records, once.

imagenet2012 and cifar10, unless they can be read already, are first built from
the official archives in config.data.path. A killed preparation goes on where it
stopped.
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
  """Has no flags of its own."""


def run(given: Invocation) -> None:
  """Writes the records into --workdir."""
  prepare(experiment.read(given.config), given.flags.workdir)


def prepare(settings: Settings, folder: str) -> preparation.Summary:
  """Writes records, mean image and color covariance.

  Args:
    settings: name the data set and the side of the stored squares.
    folder: where to.

  Raises:
    InputError: nothing to prepare, nowhere to put it, or unsuitable data.
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
      threads=settings.run.threads)
  for skipped in summary.skipped:
    print(f'skipped {skipped["where"]}: {skipped["reason"]}', file=sys.stderr)
  print(f'{summary.folder}: '
        + ', '.join(f'{n} {split}' for split, n in summary.counts.items())
        + f' images, {len(summary.skipped)} skipped; train on them with'
        f' --config.data.name=records --config.data.path={summary.folder}')
  return summary
