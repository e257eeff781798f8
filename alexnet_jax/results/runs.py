"""Finished runs as their workdirs tell them, and means over their seeds."""

import os
import re
import shlex
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from alexnet_jax.learning import augment
from alexnet_jax.results import claims
from alexnet_jax.run import journal

# Overrides that do not make two runs different: seeds are averaged over, and
# that data and steps are the same is seen in the run itself.
SEEN_ELSEWHERE = re.compile(r'seed|data\..*|mesh\..*|run\..*')
# What changes no number of a run.
NO_MATTER = re.compile(
    r'mesh\..*|run\.(log_every|save_every|keep|threads|workers|stall_steps)')


class Run(NamedTuple):
  """One run that came to its end."""

  workdir: str
  path: str  # of its config as it was given, with the form behind a colon
  overrides: dict[str, str]  # 'optimizer.learning_rate': '0.005'
  init_from: str  # whose parameters it started from, '' for its own
  config: dict[str, Any]  # resolved, as in config.json
  steps: int
  errors: dict[str, float]  # of its last test: 'ten_crop_top1_error': 0.41
  minutes: float  # of training alone

  @property
  def name(self) -> str:
    """'ablations/no_norm'."""
    return claims.name_and_form(self.path)[0]

  @property
  def form(self) -> str:
    """What was given behind the colon, '' if nothing was."""
    return claims.name_and_form(self.path)[1]

  @property
  def seed(self) -> int:
    """The config's seed."""
    return self.config['seed']

  @property
  def data(self) -> str:
    """Which examples, in words: 'tiny_records, 72 pixels, 1000 trained on'."""
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
  def conditions(self) -> tuple:
    """Equal in two runs that tell something about their configs and seeds."""
    changed = sorted((field, value) for field, value in self.overrides.items()
                     if not SEEN_ELSEWHERE.fullmatch(field))
    return (self.form, self.data, self.steps, bool(self.init_from),
            tuple(changed))

  @property
  def command(self) -> str:
    """What computes the same, for a person to paste."""
    fields = {field: value for field, value in self.overrides.items()
              if not NO_MATTER.fullmatch(field)}
    return command(self.path, fields, init_from=self.init_from)


def read(workdir: str) -> Run | None:
  """The run of a workdir, None if it is none or has not come to its end."""
  command_file = os.path.join(workdir, journal.COMMAND)
  config, last = journal.read_config(workdir), journal.finished(workdir)
  if config is None or last is None or not os.path.exists(command_file):
    return None
  with open(command_file, encoding='utf-8') as file:
    given = parse(file.read())
  errors = {name: value for name, value in last.items()
            if name not in ('step', 'kind')}
  return Run(workdir, *given, config, last['step'], errors,
             minutes(journal.read(workdir), config['optimizer']['batch_size']))


def workdirs(folder: str) -> list[str]:
  """Where runs were begun, in the folder or deeper, by name."""
  return sorted(at for at, _, files in os.walk(folder)
                if {journal.METRICS, journal.COMMAND} <= set(files))


def parse(command_line: str) -> tuple[str, dict[str, str], str]:
  """A command line -> path of its config, overrides as given, --init_from."""
  path, overrides, init_from = '', {}, ''
  words = shlex.split(command_line)
  for word, after in zip(words, [*words[1:], '-'], strict=True):
    match = re.fullmatch(
        r'--?(no)?(config|init_from)(?:\.([\w.]+))?(?:=(.*))?', word, re.DOTALL)
    if not match:
      continue
    no, flag, field, value = match.groups()
    if value is None:  # --config FILE, --config.model.dropout
      value = ('False' if no else 'True') if after[0] == '-' else after
    if field:
      overrides[field] = value
    elif flag == 'config':
      path = value
    else:
      init_from = value
  return path, overrides, init_from


def command(path: str, overrides: Mapping[str, Any], **flags: str) -> str:
  """A command line as a shell takes it; flags without a value are left out."""
  return shlex.join(
      ['python', 'launch.py', f'--config={path}']
      + [f'--config.{field}={value}' for field, value in overrides.items()]
      + [f'--{name}={value}' for name, value in flags.items() if value])


def minutes(lines: Iterable[dict[str, Any]], batch_size: int) -> float:
  """How long the training steps took, by the speeds that were written down."""
  seconds, before = 0.0, 0
  for line in lines:
    if line['kind'] == 'train':
      images = (line['step'] - before) * batch_size
      seconds += images / line['images_per_second']
      before = line['step']
  return seconds / 60


class Estimate(NamedTuple):
  """A mean over seeds and its standard error, None with a single seed."""

  mean: float
  standard_error: float | None


def as_text(found: Estimate | None, sign: bool = False) -> str:
  """'40.70 +- 0.12', with a '+' in front if a difference has none."""
  if found is None:
    return ''
  mean = f'{found.mean:+.2f}' if sign else f'{found.mean:.2f}'
  error = found.standard_error
  return mean if error is None else f'{mean} +- {error:.2f}'


def estimate(values: Sequence[float]) -> Estimate:
  """Mean, and sample deviation (n - 1) over the root of n."""
  error = (statistics.stdev(values) / len(values) ** 0.5
           if len(values) > 1 else None)
  return Estimate(statistics.fmean(values), error)


def patches(runs: Iterable[Run]) -> list[str]:
  """Which tests all of the runs have: 'one', 'nine' or 'ten', one first."""
  suffix = '_crop_top1_error'
  each = [{name.removesuffix(suffix) for name in run.errors
           if name.endswith(suffix)} for run in runs]
  return [name for name in augment.VIEWS.values() if all(
      name in names for names in each)]


def error(runs: Iterable[Run], views: str, top: int) -> Estimate:
  """The runs' top-1 or top-5 error, in percent."""
  return estimate([100 * run.errors[f'{views}_crop_top{top}_error']
                   for run in runs])


def difference(runs: Sequence[Run], others: Sequence[Run], views: str,
               top: int) -> Estimate:
  """The runs' error minus that of the others, in percent points.

  Run by run of the same seed, so that what the seed does to both is out.
  """
  field = f'{views}_crop_top{top}_error'
  there = {run.seed: run.errors[field] for run in others}
  return estimate([100 * (run.errors[field] - there[run.seed])
                   for run in runs if run.seed in there])
