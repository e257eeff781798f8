"""--task=prepare: stores the config's data set as square records, once.

They are JPEGs, or with --config.data.store=raw the pixels themselves, which are
read faster and take six times the space.

imagenet2012 and cifar10 are first built from the official archives in
config.data.path, unless they can be read already; imagenet2010 is read from
them as they are. An interrupted preparation resumes where it stopped.
"""

import sys
from collections import Counter
from collections.abc import Mapping

from absl import flags

from alexnet_jax import tables
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.data import builders, cifar, folders, imagenet2010
from alexnet_jax.data import prepare as preparation
from alexnet_jax.data.sources import notes_of, passed_over_of
from alexnet_jax.errors import InputError, printable
from alexnet_jax.run import typed_config
from alexnet_jax.run.typed_config import Settings

CONFIG = 'required'
ENDINGS, CLASSES = 8, 20  # columns and rows of the table of other files


def define_flags(values: flags.FlagValues) -> None:
  """Defines no flags: this task has none."""


def run(invocation: Invocation) -> None:
  """Writes the records into --workdir."""
  prepare(typed_config.read(invocation.config), invocation.flags.workdir)


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
  if data.name in ('procedural', 'records', 'digits', 'mnist'):
    raise InputError(
        f'config.data.name={data.name} needs no preparation: give'
        ' --config.data.name=folder, imagenet2010, imagenet2012 or cifar10.')
  if not folder:
    raise InputError(
        'no folder was given for the records: add --workdir=FOLDER.')
  build = {'imagenet2012': builders.build_imagenet2012,
           'cifar10': cifar.build}.get(data.name)
  if build and data.path:
    build(data.path)
  match data.name:
    case 'imagenet2010':
      has_test_split = imagenet2010.has_test_split(data.path)
    case 'folder':
      has_test_split = folders.has_test_split(data.path, data.labels)
    case _:
      has_test_split = False
  names = ['train', 'validation', *(['test'] if has_test_split else [])]
  splits = {split: settings.open_split(split) for split in names}
  if data.name == 'imagenet2010' and not has_test_split:
    print(f'The test images are left out: {imagenet2010.ARCHIVES["test"]} is'
          f' not in {printable(data.path)}.', file=sys.stderr)
  for note in notes_of(*splits.values()):
    print(note, file=sys.stderr)
  summary = preparation.prepare(
      splits, folder, image_size=data.image_size,
      threads=settings.run.threads, resize=data.resize, store=data.store)
  for skipped in summary.skipped:
    print(f'skipped {printable(skipped["where"])}:'
          f' {printable(skipped["reason"])}', file=sys.stderr)
  passed_over = passed_over_of(*splits.values())
  if passed_over:
    print('\n'.join(passed_over_table(passed_over)))
  print(f'{printable(summary.folder)}: '
        + ', '.join(f'{n} {split}' for split, n in summary.counts.items())
        + f' images, {_missing(len(summary.skipped), passed_over)}; train on'
        ' them with --config.data.name=records'
        f' --config.data.path={printable(summary.folder)}')
  return summary


def passed_over_table(
    passed_over: Mapping[str, Mapping[str, int]]) -> list[str]:
  """Formats the counts of files that are no pictures: a row for each class.

  Args:
    passed_over: the counts by class and ending; '' for no ending.
  """
  total: Counter[str] = Counter()
  for counts in passed_over.values():
    total.update(counts)
  endings = [ending for ending, _ in total.most_common(ENDINGS)]

  def row(name: str, counts: Mapping[str, int]) -> list[str]:
    others = sum(counts.values()) - sum(
        counts.get(ending, 0) for ending in endings)
    return [printable(name), *(f'{counts.get(ending, 0):,}'
                               for ending in endings),
            *([f'{others:,}'] if len(total) > ENDINGS else [])]

  names = sorted(passed_over, key=lambda name: -sum(passed_over[name].values()))
  rest: Counter[str] = Counter()
  for name in names[CLASSES:]:
    rest.update(passed_over[name])
  return tables.aligned([
      ['passed over', *(printable(ending) or 'no ending'
                        for ending in endings),
       *(['others'] if len(total) > ENDINGS else [])],
      *(row(name, passed_over[name]) for name in sorted(names[:CLASSES])),
      *([row(f'{len(names) - CLASSES:,} more', rest)] if rest else []),
      *([row('all', total)] if len(names) > 1 else [])])


def _missing(damaged: int, passed_over: Mapping[str, Mapping[str, int]]) -> str:
  """Says how many files are not among the records."""
  others = sum(sum(counts.values()) for counts in passed_over.values())
  parts = [f'{damaged} skipped'] if damaged or not others else []
  return ', '.join([*parts, *([f'{others} passed over'] if others else [])])
