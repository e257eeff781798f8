"""--task=compare: trains several configs on the same data and seeds.

Every run is an ordinary one, at WORKDIR/NAME_OF_CONFIG/seed_S. The seeds are
the outer loop, so that a comparison which is stopped half way has whole pairs.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
from absl import flags
from ml_collections import ConfigDict
from tqdm import tqdm

from alexnet_jax import command_line, files, tables
from alexnet_jax.command_line import Invocation
from alexnet_jax.errors import InputError
from alexnet_jax.results import claims, runs
from alexnet_jax.results.runs import Estimate, Run
from alexnet_jax.run import checkpoint, experiment, journal, training
from alexnet_jax.run.experiment import Settings

CONFIG = 'required'
TABLE = 'compare.json'
# What makes the examples of two configs the same.
EXAMPLES = ('name', 'path', 'image_size', 'validation_fraction',
            'train_examples', 'validation_examples')


class Planned(NamedTuple):
  """One of the runs."""

  path: str
  settings: Settings  # with its seed, and with the first config's examples
  workdir: str
  command: str
  images: int  # that it trains on, all epochs together


class ComparisonRow(NamedTuple):
  """One config with one kind of test. Errors in percent."""

  config: str
  patches: str  # 'one', 'nine' or 'ten'
  seeds: tuple[int, ...]
  steps: int
  minutes: Estimate  # of training
  top1_error: Estimate
  top5_error: Estimate
  # Minus the first config's, seed by seed; None in its own rows, and in those
  # of a test that it does not make.
  top1_difference: Estimate | None
  top5_difference: Estimate | None


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_multi_string(
      'compare', [], 'A config to set beside --config; repeat it.',
      flag_values=values)
  flags.DEFINE_string(
      'seeds', '0', 'Such as 0,1,2.', flag_values=values)


def run(given: Invocation) -> None:
  """Trains what is missing and prints the table."""
  overrides = command_line.overrides()
  configs = [(path, command_line.load_config(path, overrides, 'compare'))
             for path in given.flags.compare]
  path = command_line.config_argument(sys.argv)
  compare(given.config, given.workdir, [(path, given.config), *configs],
          parse_seeds(given.flags.seeds), overrides)


def parse_seeds(text: str) -> tuple[int, ...]:
  """'0,1' -> (0, 1).

  Raises:
    InputError: something that is no seed, or the same one twice.
  """
  words = [word.strip() for word in text.split(',')]
  if not all(word.isdecimal() for word in words) or len(
      set(map(int, words))) < len(words):
    raise InputError(
        f'--seeds={text} is no list of seeds: give different whole numbers with'
        ' commas between them, such as --seeds=0,1.')
  return tuple(map(int, words))


def compare(config: ConfigDict, workdir: str,
            configs: Sequence[tuple[str, ConfigDict]], seeds: Sequence[int],
            overrides: Mapping[str, Any]) -> list[ComparisonRow]:
  """Trains what is not trained yet, prints the table, writes compare.json.

  Args:
    config: the one that the others are held against; its examples are theirs.
    workdir: where all the runs live.
    configs: (path as given, the config with all overrides), `config` first.
    seeds: every config is trained with each.
    overrides: {field: value} as given on the command line.

  Returns:
    The table; [] when asked to stop before its end, and in every process but
    the first.

  Raises:
    InputError: anything given that cannot work, before the first run starts.
  """
  planned = plan(config, workdir, configs, seeds, overrides)
  left = [run for run in planned if not _is_finished(run)]
  total = sum(run.images for run in planned)
  done = total - sum(run.images for run in left)
  first = jax.process_index() == 0
  with tqdm(total=total, initial=done, unit=' images', unit_scale=True,
            dynamic_ncols=True, disable=None if first else True) as bar:
    for run in left:
      bar.set_description(f'{run.path}, seed {run.settings.seed}')
      if first:
        bar.write(f'{run.path}, seed {run.settings.seed}, in {run.workdir}',
                  file=sys.stderr)
      if not training.train(
          run.settings, run.workdir, command=run.command, bar=bar):
        return []
      done += run.images  # also where the run began late or ended early
      bar.n = done
      bar.refresh()
  if not first:  # only the first process writes and reads what runs tell
    return []
  trained = [
      (path, [finished for run in planned if run.path == path
              and (finished := runs.read(run.workdir))])
      for path, _ in configs]
  table = rows(trained)
  _write(workdir, trained, table)
  print(as_text(table))
  return table


def plan(config: ConfigDict, workdir: str,
         configs: Sequence[tuple[str, ConfigDict]], seeds: Sequence[int],
         overrides: Mapping[str, Any]) -> list[Planned]:
  """All runs in their order, each of them checked.

  Raises:
    InputError: a config given twice, or one that cannot work; it is named.
  """
  _refuse_twice([path for path, _ in configs])
  base = experiment.read(config)
  source = base.open_split('train')
  base.open_split('validation')  # is it there?
  planned = []
  for seed in seeds:
    for path, given in configs:
      own = given.copy_and_resolve_references()
      other = {f'data.{name}': config.data[name] for name in EXAMPLES
               if own.data[name] != config.data[name]}
      own.update_from_flattened_dict({'seed': seed, **other})
      at = os.path.join(workdir, folder(path), f'seed_{seed}')
      try:
        settings = experiment.read(own)
        built = experiment.build(
            settings, len(source.class_names), len(source))
        _check_same_experiment(at, settings)
      except InputError as error:
        raise InputError(f'{path}: {error}') from error
      command = runs.command(
          path, {**overrides, **other, 'seed': seed}, workdir=at)
      planned.append(Planned(
          path, settings, at, command,
          built.length.total_steps * settings.optimizer.batch_size))
  return planned


def folder(path: str) -> str:
  """'configs/ablations/no_norm.py:small' -> 'ablations/no_norm-small'."""
  name, form = claims.name_and_form(path)
  return f'{name}-{form}' if form else name


def rows(trained: Sequence[tuple[str, Sequence[Run]]]) -> list[ComparisonRow]:
  """(config, its runs, a seed each) -> the table, the first config on top."""
  _, base = trained[0]
  table = []
  for path, own in trained:
    for views in runs.crops(own):
      paired = own is not base and views in runs.crops(base)
      table.append(ComparisonRow(
          path, views, tuple(run.seed for run in own),
          max(run.steps for run in own),
          runs.estimate([run.minutes for run in own]),
          *(runs.error(own, views, top) for top in (1, 5)),
          *(runs.difference(own, base, views, top) if paired else None
            for top in (1, 5))))
  return table


def as_text(table: Sequence[ComparisonRow]) -> str:
  """The table for people, errors in percent."""
  lines = [('config', 'patches', 'seeds', 'steps', 'minutes', 'top-1 error %',
            'top-5 error %', 'top-1 minus first', 'top-5 minus first')]
  lines += [(row.config, row.patches, ','.join(map(str, row.seeds)),
             str(row.steps), f'{row.minutes.mean:.1f}',
             runs.as_text(row.top1_error), runs.as_text(row.top5_error),
             runs.as_text(row.top1_difference, sign=True),
             runs.as_text(row.top5_difference, sign=True)) for row in table]
  text = tables.aligned(lines)
  if len(table[0].seeds) > 1:
    text.append('Means over the seeds +- their standard error; differences are'
                ' taken seed by seed.')
  return '\n'.join(text)


def _refuse_twice(paths):
  folders = list(map(folder, paths))
  for at, path in zip(folders, paths, strict=True):
    if folders.count(at) > 1:
      raise InputError(
          f'--config and --compare give {path} twice, or another that would'
          f' also be trained in {at}: give each config once, under names of'
          ' their own.')


def _check_same_experiment(workdir, settings):
  """Refuses before any training what the run would refuse itself."""
  saved = journal.read_config(workdir)
  if saved and checkpoint.exists(workdir):
    checkpoint.check_same_experiment(workdir, saved, settings.config)


def _is_finished(run):
  if runs.read(run.workdir) is None:
    return False
  return checkpoint.first_difference(
      journal.read_config(run.workdir) or {}, run.settings.config,
      [*checkpoint.IDENTITY, 'run']) is None


def _write(workdir, trained, table):
  made = {
      'runs': [{'config': path, 'seed': run.seed, 'workdir': run.workdir,
                'steps': run.steps, 'minutes': run.minutes, **run.errors}
               for path, own in trained for run in own],
      'rows': [{name: value._asdict() if isinstance(value, Estimate) else value
                for name, value in row._asdict().items()} for row in table],
  }
  files.write_json(os.path.join(workdir, TABLE), made)
