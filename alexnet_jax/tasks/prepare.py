"""--task=prepare: the config's data set as 256 x 256 records, once."""

import sys

from ml_collections import ConfigDict

from alexnet_jax.data import builders, cifar
from alexnet_jax.data import prepare as preparation
from alexnet_jax.errors import InputError
from alexnet_jax.run import experiment


def prepare(config: ConfigDict, folder: str) -> preparation.Summary:
  """Writes records, mean image and colour covariance into `folder`.

  imagenet2012 and cifar10, unless they can be read already, are first built
  from the official archives lying in config.data.path. A killed preparation
  goes on where it stopped.

  Args:
    config: names the data set and the side of the stored squares.
    folder: --workdir.

  Raises:
    InputError: nothing to prepare, nowhere to put it, or unsuitable data.
  """
  data = config.data
  if data.name in ('procedural', 'records'):
    raise InputError(
        f'config.data.name={data.name} needs no preparation: give'
        ' --config.data.name=folder, imagenet2012 or cifar10.')
  if not folder:
    raise InputError(
        'no place was given for the records: add --workdir=FOLDER.')
  build = {'imagenet2012': builders.build_imagenet2012,
           'cifar10': cifar.build}.get(data.name)
  if build and data.path:
    build(data.path)
  splits = {split: experiment.open_split(config, split)
            for split in ('train', 'validation')}
  summary = preparation.prepare(
      splits, folder, image_size=data.image_size, threads=config.run.threads)
  for skipped in summary.skipped:
    print(f'skipped {skipped["where"]}: {skipped["reason"]}', file=sys.stderr)
  print(f'{summary.folder}: '
        + ', '.join(f'{n} {split}' for split, n in summary.counts.items())
        + f' images, {len(summary.skipped)} skipped; train on them with'
        f' --config.data.name=records --config.data.path={summary.folder}')
  return summary
