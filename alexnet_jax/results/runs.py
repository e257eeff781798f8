"""Finished runs, read from their workdirs, and means over their seeds."""

import math
import os
import re
import shlex
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from alexnet_jax.learning import augment
from alexnet_jax.results import claims
from alexnet_jax.run import commands, journal, stored_config

# Overrides that `Run.changed` omits: results are averaged over seeds, and
# data and steps are compared as the run resolves them.
COMPARED_ELSEWHERE = re.compile(r'seed|data\..*|mesh\..*|run\..*')
# Overrides that do not change the results of a run.
WITHOUT_EFFECT = re.compile(
    r'mesh\..*|run\.(log_every|save_every|keep|threads|workers|stall_steps)')


class Run(NamedTuple):
  """A finished run."""

  workdir: str
  path: str  # Of its config, as --config takes it.
  overrides: dict[str, str]  # Such as 'optimizer.learning_rate': '0.005'.
  init_from: str  # --init_from; '': new parameters.
  config: dict[str, Any]  # Resolved, as in config.json.
  steps: int
  errors: dict[str, float]  # Of the final test: 'ten_crop_top1_error': 0.41.
  minutes: float  # Of training steps.

  @property
  def name(self) -> str:
    """The name of its config, such as 'ablations/no_norm'."""
    return claims.name_and_form(self.path)[0]

  @property
  def form(self) -> str:
    """The form of its config, '' if there is none."""
    return claims.name_and_form(self.path)[1]

  @property
  def seed(self) -> int:
    """The config's seed."""
    return self.config['seed']

  @property
  def data(self) -> str:
    """Its data as text: 'records, 72 pixels, 1000 trained on'."""
    data = self.config['data']
    named_by_path = data['name'] in ('records', 'folder')
    words = [os.path.basename(data['path'].rstrip('/')) if named_by_path
             else data['name'], f'{data["image_size"]} pixels']
    if data['name'] == 'folder':
      words += [f'{data["validation_fraction"]} for validation without val/']
    if data['train_examples']:
      words += [f'{data["train_examples"]} trained on']
    if data['validation_examples']:
      words += [f'{data["validation_examples"]} tested on']
    return ', '.join(words)

  @property
  def changed(self) -> tuple[tuple[str, str], ...]:
    """The overrides that make it another experiment than its config's."""
    return tuple(sorted(
        (field, value) for field, value in self.overrides.items()
        if not COMPARED_ELSEWHERE.fullmatch(field)))

  @property
  def conditions(self) -> tuple:
    """Equal for two runs that differ only in their configs and seeds."""
    # Seeds may begin with networks of their own: runs/others-0, runs/others-1.
    init_from = re.sub(rf'-{self.seed}$', '', self.init_from.rstrip('/'))
    return self.form, self.data, self.steps, init_from, self.changed

  @property
  def command(self) -> str:
    """A shell command that trains the same network."""
    fields = {field: value for field, value in self.overrides.items()
              if not WITHOUT_EFFECT.fullmatch(field)}
    return command(self.path, fields, init_from=self.init_from)


def read(workdir: str) -> Run | None:
  """Reads the run of a workdir; None if it is not finished or is damaged."""
  config, final = journal.read_config(workdir), journal.final_line(workdir)
  command_line = journal.read_command(workdir)
  if config is None or final is None or not command_line:
    return None
  errors = {name: value for name, value in final.items()
            if name not in ('step', 'kind')}
  try:
    path, overrides, init_from = commands.parse(command_line)
    # Runs of different years have the same fields, so that they are seeds of
    # one experiment.
    config = stored_config.with_added_fields(config)
    run = Run(workdir, claims.current_path(path), overrides, init_from, config,
              final['step'], errors,
              minutes(journal.read(workdir), config['optimizer']['batch_size']))
    complete = path and run.data and crops([run]) and run.seed >= 0
  except (AttributeError, KeyError, TypeError, ValueError):
    return None  # a file was changed
  return run if complete else None


def workdirs(folder: str) -> list[str]:
  """Returns the workdirs of all runs in a folder, at any depth, sorted."""
  return sorted(workdir for workdir, _, files in os.walk(folder)
                if {journal.METRICS, journal.COMMAND} <= set(files))


def command(path: str, overrides: Mapping[str, Any], **flags: str) -> str:
  """Returns a command line, quoted for a shell.

  Args:
    path: the path of the config.
    overrides: {'section.field': value}.
    **flags: further flags; those with an empty value are left out.
  """
  return shlex.join(
      ['python', 'launch.py', f'--config={path}']
      + [f'--config.{field}={value}' for field, value in overrides.items()]
      + [f'--{name}={value}' for name, value in flags.items() if value])


def minutes(lines: Iterable[dict[str, Any]], batch_size: int) -> float:
  """Returns the minutes of training, from the speeds in the log of a run."""
  seconds, before = 0.0, 0
  for line in lines:
    if line['kind'] == 'train':
      # There is no speed if the first step is alone.
      if line.get('images_per_second', 0) > 0:
        images = (line['step'] - before) * batch_size
        seconds += images / line['images_per_second']
      before = line['step']
  return seconds / 60


# --- Means over seeds ---------------------------------------------------------


class Estimate(NamedTuple):
  """A mean, of seeds or images, and its standard error; None: of one value."""

  mean: float
  standard_error: float | None


def estimate(values: Sequence[float]) -> Estimate:
  """Returns the mean, and the sample deviation (n - 1) divided by sqrt(n)."""
  error = (statistics.stdev(values) / len(values) ** 0.5
           if len(values) > 1 else None)
  return Estimate(statistics.fmean(values), error)


def as_text(value: Estimate | None, sign: bool = False) -> str:
  """Formats '40.70 +- 0.12', with a '+' before a positive mean if `sign`."""
  if value is None:
    return ''
  mean = f'{value.mean:+.2f}' if sign else f'{value.mean:.2f}'
  error = value.standard_error
  return mean if error is None else f'{mean} +- {error:.2f}'


def crops(runs: Iterable[Run]) -> list[str]:
  """Returns the tests that all runs have, of 'one', 'nine', 'ten' in order."""
  runs = list(runs)
  return [name for name in augment.CROPS.values()
          if all(f'{name}_crop_top{k}_error' in run.errors
                 for run in runs for k in (1, 5))]


def error(runs: Iterable[Run], crops: str, top: int) -> Estimate:
  """Returns the top-k error of the runs, in percent.

  Args:
    runs: one per seed.
    crops: the crops averaged in the test: 'one', 'nine' or 'ten'.
    top: k, which is 1 or 5.
  """
  return estimate([100 * run.errors[f'{crops}_crop_top{top}_error']
                   for run in runs])


def differences(runs: Iterable[Run], others: Iterable[Run], crops: str,
                top: int) -> dict[int, float]:
  """Returns {seed: difference of two top-k errors, in percentage points}.

  The error of `others` is subtracted from that of `runs` seed by seed, which
  cancels effects of the seed that both share.

  Args:
    runs: one per seed.
    others: one per seed; seeds that are not in both are omitted.
    crops: the crops averaged in the test: 'one', 'nine' or 'ten'.
    top: k, which is 1 or 5.
  """
  field = f'{crops}_crop_top{top}_error'
  of_seed = {run.seed: run.errors[field] for run in others}
  return {run.seed: 100 * (run.errors[field] - of_seed[run.seed])
          for run in runs if run.seed in of_seed}


def difference(runs: Iterable[Run], others: Iterable[Run], crops: str,
               top: int) -> Estimate:
  """Returns the mean of `differences`, which has the same arguments."""
  return estimate([*differences(runs, others, crops, top).values()])


class SignTest(NamedTuple):
  """How many of some differences are positive, and how likely that is."""

  positive: int
  count: int  # without those that are zero
  p: float  # two-sided, of a fair coin


def sign_test(values: Iterable[float]) -> SignTest:
  """Returns the exact two-sided sign test of paired differences."""
  nonzero = [value for value in values if value]
  positive, count = sum(value > 0 for value in nonzero), len(nonzero)
  tail = sum(math.comb(count, k) for k in range(
      min(positive, count - positive) + 1))
  return SignTest(positive, count, min(1.0, 2 * tail / 2**count))


def sign_as_text(test: SignTest) -> str:
  """Formats '3 of 3 (p = 0.25)'; a single seed has no p."""
  if test.count < 2:
    return f'{test.positive} of {test.count}'
  return f'{test.positive} of {test.count} (p = {test.p:.2f})'
