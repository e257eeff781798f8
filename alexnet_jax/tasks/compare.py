"""--task=compare: trains several configs on the same data and seeds.

Every run is an ordinary training run, in WORKDIR/NAME_OF_CONFIG/seed_S, or with
--sweep in WORKDIR/NAME_OF_CONFIG/FIELD=VALUE/seed_S. The outer loop is over
seeds, so that a comparison that is stopped early still has all configs for the
seeds that are complete.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
from absl import flags
from ml_collections import ConfigDict
from tqdm import tqdm

from alexnet_jax import config_files, files, tables
from alexnet_jax.command_line import arguments
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.data import sources
from alexnet_jax.errors import InputError, printable
from alexnet_jax.figures import curves
from alexnet_jax.pages import comparison_page
from alexnet_jax.results import runs, sweeps
from alexnet_jax.results.runs import Estimate, Run
from alexnet_jax.results.sweeps import Changed, Variant
from alexnet_jax.run import (
  checkpoint,
  evaluation,
  experiment,
  journal,
  memory,
  stored_config,
  training,
  typed_config,
)
from alexnet_jax.run.typed_config import Settings

CONFIG = 'required'
TABLE = 'compare.json'
# The fields of config.data that two configs with the same examples share.
EXAMPLES = ('name', 'path', 'labels', 'image_size', 'validation_fraction',
            'train_examples', 'validation_examples')


class Planned(NamedTuple):
  """One of the runs."""

  variant: Variant
  settings: Settings  # With its seed, and the first config's examples.
  workdir: str
  command: str
  images: int  # Training images, summed over all epochs.


class ComparisonRow(NamedTuple):
  """One config with one number of test patches. Errors are in percent."""

  config: str
  changed: Changed  # By the sweeps.
  patches: str  # 'one', 'nine' or 'ten'
  seeds: tuple[int, ...]
  steps: int
  minutes: Estimate  # of training
  top1_error: Estimate
  top5_error: Estimate
  # The difference to the first config, seed by seed; None in the first config's
  # own rows, and for a number of patches that it is not tested with.
  top1_difference: Estimate | None
  top5_difference: Estimate | None


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_multi_string(
      'compare', [], 'A config to set beside --config; repeat it.',
      flag_values=values)
  flags.DEFINE_multi_string(
      'sweep', [], 'Values of a field, such as optimizer.learning_rate=0.003,'
      '0.01, with which each config is trained; repeat it for combinations.',
      flag_values=values)
  flags.DEFINE_string(
      'seeds', '0', 'Such as 0,1,2.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Trains the missing runs and prints the table."""
  overrides = invocation.overrides()
  configs = [(path, config_files.load(path, overrides, 'compare'))
             for path in invocation.flags.compare]
  path = arguments.config_argument(sys.argv)
  compare(invocation.config, invocation.workdir,
          sweeps.variants([(path, invocation.config), *configs],
                          invocation.flags.sweep, EXAMPLES),
          parse_seeds(invocation.flags.seeds), overrides)


def parse_seeds(text: str) -> tuple[int, ...]:
  """'0,1' -> (0, 1).

  Raises:
    InputError: a value that is not a seed, or a repeated seed.
  """
  words = [word.strip() for word in text.split(',')]
  if not all(word.isdecimal() for word in words) or len(
      set(map(int, words))) < len(words):
    raise InputError(
        f'--seeds={text} is no list of seeds: give different whole numbers with'
        ' commas between them, such as --seeds=0,1.')
  return tuple(map(int, words))


def compare(config: ConfigDict, workdir: str,
            configs: Sequence[Variant], seeds: Sequence[int],
            overrides: Mapping[str, Any]) -> list[ComparisonRow]:
  """Trains the missing runs, prints the table, writes compare.json and a page.

  Args:
    config: the reference config; all configs use its examples.
    workdir: the folder of all runs.
    configs: the configs, `config` or a combination of it first.
    seeds: the seeds that every config is trained with.
    overrides: {field: value} as given on the command line.

  Returns:
    The table; [] if a signal stops the task before it finishes, and in every
    process but the first.

  Raises:
    InputError: an argument that cannot work; raised before the first run
      starts.
  """
  planned = plan(config, workdir, configs, seeds, overrides)
  left = [run for run in planned if not _is_finished(run)]
  total = sum(run.images for run in planned)
  done = total - sum(run.images for run in left)
  first = jax.process_index() == 0
  with tqdm(total=total, initial=done, unit=' images', unit_scale=True,
            dynamic_ncols=True, disable=None if first else True) as bar:
    for run in left:
      title = printable(f'{run.variant.label}, seed {run.settings.seed}')
      bar.set_description(title)
      if first:
        bar.write(f'{title}, in {printable(run.workdir)}', file=sys.stderr)
      if not training.train(
          run.settings, run.workdir, command=run.command, bar=bar,
          draw=curves.draw_workdir):
        return []
      done += run.images  # Also if the run resumed or ended early.
      bar.n = done
      bar.refresh()
  if not first:  # Only the first process reads and writes results.
    return []
  trained = [
      (variant, [finished for run in planned if run.variant is variant
                 and (finished := runs.read(run.workdir))])
      for variant in configs]
  table = rows(trained)
  _write(workdir, trained, table)
  print(as_text(table))
  head, *body = cells(table)
  print(comparison_page.make(
      workdir, [(variant.label, own_runs) for variant, own_runs in trained],
      head, body))
  return table


def plan(config: ConfigDict, workdir: str,
         configs: Sequence[Variant], seeds: Sequence[int],
         overrides: Mapping[str, Any]) -> list[Planned]:
  """Returns all runs in training order, after checking each of them.

  Args:
    config: the reference config; all configs use its examples.
    workdir: the folder of all runs.
    configs: the configs, `config` or a combination of it first.
    seeds: the seeds that every config is trained with.
    overrides: {field: value} as given on the command line.

  Raises:
    InputError: a config that is given twice or cannot work; the message names
      it.
  """
  _refuse_twice(configs)
  base = typed_config.read(config)
  source = base.open_split('train')
  validation = base.open_split('validation')
  planned = []
  for seed in seeds:
    for variant in configs:
      own_runs = variant.config.copy_and_resolve_references()
      other = {f'data.{name}': config.data[name] for name in EXAMPLES
               if own_runs.data[name] != config.data[name]}
      own_runs.update_from_flattened_dict({'seed': seed, **other})
      at = os.path.join(workdir, variant.folder, f'seed_{seed}')
      try:
        settings = typed_config.read(own_runs)
        built = experiment.build(
            settings, len(source.class_names), len(source))
        memory.check(built, len(source))
        if settings.optimizer.class_weights:
          sources.check_labels(source)
        _check_same_experiment(at, settings)
      except InputError as error:
        raise InputError(f'{variant.label}: {error}') from error
      command = runs.command(
          variant.path,
          {**overrides, **variant.changed, **other, 'seed': seed}, workdir=at)
      planned.append(Planned(
          variant, settings, at, command,
          built.length.total_steps * settings.optimizer.batch_size))
  evaluation.print_notes(source, validation)
  return planned


def rows(
    trained: Sequence[tuple[Variant, Sequence[Run]]]) -> list[ComparisonRow]:
  """[(config, its runs, one per seed)] -> the table, in the same order."""
  _, base = trained[0]
  table = []
  for variant, own_runs in trained:
    for views in runs.crops(own_runs):
      paired = own_runs is not base and views in runs.crops(base)
      table.append(ComparisonRow(
          variant.path, variant.changed, views,
          tuple(run.seed for run in own_runs),
          max(run.steps for run in own_runs),
          runs.estimate([run.minutes for run in own_runs]),
          *(runs.error(own_runs, views, top) for top in (1, 5)),
          *(runs.difference(own_runs, base, views, top) if paired else None
            for top in (1, 5))))
  return table


def as_text(table: Sequence[ComparisonRow]) -> str:
  """Formats the table as text, with errors in percent."""
  text = tables.aligned(cells(table))
  if len(table[0].seeds) > 1:
    text.append('Means over the seeds +- their standard error; differences are'
                ' taken seed by seed.')
  return '\n'.join(text)


def cells(table: Sequence[ComparisonRow]) -> list[tuple[str, ...]]:
  """Returns the texts of the table, the first row of which is its heading."""
  swept = tuple(table[0].changed)
  head = ('config', *swept, 'patches', 'seeds', 'steps', 'minutes',
          'top-1 error %', 'top-5 error %', 'top-1 minus first',
          'top-5 minus first')
  return [head, *(
      (row.config, *(str(row.changed[field]) for field in swept),
       row.patches, ','.join(map(str, row.seeds)),
       str(row.steps), f'{row.minutes.mean:.1f}',
       runs.as_text(row.top1_error), runs.as_text(row.top5_error),
       runs.as_text(row.top1_difference, sign=True),
       runs.as_text(row.top5_difference, sign=True)) for row in table)]


def _refuse_twice(configs):
  folders = [variant.folder for variant in configs]
  for at, variant in zip(folders, configs, strict=True):
    if folders.count(at) > 1:
      raise InputError(
          f'--config and --compare give {variant.path} twice, or another that'
          f' would also be trained in {at}: give each config once, under names'
          ' of their own.')


def _check_same_experiment(workdir, settings):
  """Raises the errors of the run itself, but before any training."""
  saved = journal.read_config(workdir)
  if saved and checkpoint.exists(workdir):
    stored_config.check_same_experiment(workdir, saved, settings.config)


def _is_finished(run):
  if runs.read(run.workdir) is None:
    return False
  return stored_config.first_difference(
      journal.read_config(run.workdir) or {}, run.settings.config,
      [*stored_config.IDENTITY, 'run']) is None


def _write(workdir, trained, table):
  made = {
      'runs': [{'config': variant.path, 'changed': variant.changed,
                'seed': run.seed, 'workdir': run.workdir,
                'steps': run.steps, 'minutes': run.minutes, **run.errors}
               for variant, own_runs in trained for run in own_runs],
      'rows': [{name: value._asdict() if isinstance(value, Estimate) else value
                for name, value in row._asdict().items()} for row in table],
  }
  files.write_json(os.path.join(workdir, TABLE), made)
