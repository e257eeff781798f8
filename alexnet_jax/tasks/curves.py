"""--task=curves: how training went, of one run or of several in one picture.

    python launch.py --task=curves RUN RUN2 ...

Runs whose configs differ only in the seed are one curve, the mean, in a band
from the least to the largest value. The picture is redrawn while a run trains,
as curves.png in its workdir; this task draws several together. --panels draws
the errors of each config in a panel of its own, --reaches prints when training
gets to some losses or errors.
"""

import math
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from absl import flags

from alexnet_jax import config_files, tables
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.config_files import fields
from alexnet_jax.errors import InputError, printable, shortened
from alexnet_jax.figures import curves, panels, style
from alexnet_jax.results import claims, learning_rate_search, runs
from alexnet_jax.run import commands, journal, stored_config

CONFIG, POSITIONAL = 'unused', 'runs'


class Goal(NamedTuple):
  """A training loss or error that a run may reach."""

  text: str  # '2.5', '25%'
  metric: str  # 'loss' or 'top1_error'
  value: float


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_multi_string(
      'runs', [], 'Workdirs of runs; more may follow.', flag_values=values)
  flags.DEFINE_string(
      'out', '', 'The picture; curves.png in the first run unless given.',
      flag_values=values)
  flags.DEFINE_bool(
      'panels', False, 'A panel for each config: the errors in training and'
      ' validation, and the gap.', flag_values=values)
  flags.DEFINE_string(
      'reaches', '', 'Training losses and top-1 errors, such as 2.5,25%: also'
      ' print after how many steps each run reaches them.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Draws the curves of all runs, and writes their numbers."""
  values = invocation.flags
  workdirs = [*([invocation.workdir] if invocation.workdir else []),
              *values.runs, *invocation.arguments]
  if not workdirs:
    raise InputError('--task=curves needs runs: give their workdirs, as in'
                     ' --task=curves runs/a runs/b.')
  out = values.out or os.path.join(workdirs[0], curves.PICTURE)
  style.check_picture_path('out', out)
  goals = parse_goals(values.reaches) if values.reaches else ()
  grouped = group_by_seed(workdirs)
  (panels if values.panels else curves).draw(
      grouped, out, curves.series(grouped))
  if goals:
    print('\n'.join(tables.aligned(steps_to_goals(grouped, goals))))
  print(style.drawn(out))


def parse_goals(text: str) -> list[Goal]:
  """'2.5,25%' -> a loss of 2.5 and a top-1 error of 25 %.

  Raises:
    InputError: a value that no training loss or error can have.
  """
  goals = []
  for word in map(str.strip, text.split(',')):
    try:
      value = float(word.removesuffix('%'))
    except ValueError:
      value = math.nan
    if not 0 < value < (100 if word.endswith('%') else math.inf):
      raise InputError(
          f'--reaches={printable(shortened(text))} is no list of losses and'
          ' errors: give numbers above 0 with commas between them, errors in'
          ' percent, such as --reaches=2.5,25%.')
    goals.append(Goal(f'{value:g}%', 'top1_error', value / 100)
                 if word.endswith('%') else Goal(f'{value:g}', 'loss', value))
  return goals


def steps_to_goals(grouped: Mapping[str, Sequence[curves.Lines]],
                   goals: Sequence[Goal]) -> list[tuple[str, ...]]:
  """Returns a table of the steps after which runs reach a loss or an error.

  A number of the log is a mean over some steps, and counts as that of the
  middle of these; between two of them it is interpolated.

  Args:
    grouped: {config: the lines of each of its runs}.
    goals: the losses and errors, in training.

  Returns:
    For each config and goal the steps of each run, 'never' if it ends above the
    goal, and the ratio of the mean to that of the first config.
  """
  table = [('config', *(cell for goal in goals for cell in (
      f'steps to {goal.text}', 'over the first')))]
  first: dict[Goal, float | None] = {}
  for config, seeds in zip(panels.short(list(grouped)), grouped.values(),
                           strict=True):
    cells = []
    for goal in goals:
      steps = [_steps_to(lines, goal) for lines in seeds]
      known = [step for step in steps if step is not None]
      mean = sum(known) / len(known) if len(known) == len(steps) else None
      base = first.setdefault(goal, mean)
      cells += [', '.join('never' if step is None else f'{step:.0f}'
                          for step in steps),
                f'{mean / base:.2f}' if mean and base else '-']
    table.append((config, *cells))
  return table


def _steps_to(lines, goal):
  """Returns the step at which a run reaches a goal, or None."""
  return learning_rate_search.iterations_to(
      learning_rate_search.curve(lines, goal.metric), goal.value)


def group_by_seed(workdirs: Sequence[str]) -> dict[str, list[curves.Lines]]:
  """Reads runs, those that differ only in the seed together.

  Args:
    workdirs: the workdirs of the runs; one that is given twice counts once.

  Returns:
    {name: the lines of each run}. The name is that of the config with the
    fields of the command line in which the groups differ, or that of the
    workdir where two groups would have the same name.

  Raises:
    InputError: a workdir has no run, or a run without any lines.
  """
  groups: dict[str, list[tuple[str, curves.Lines]]] = {}
  for workdir in dict.fromkeys(map(os.path.abspath, workdirs)):
    config, lines = journal.read_config(workdir), journal.read(workdir)
    if config is None:
      raise InputError(f'{printable(workdir)} holds no run: give the workdirs'
                       ' of runs.')
    if not any(line['kind'] in curves.KINDS for line in lines):
      raise InputError(f'the run in {printable(workdir)} has no log lines yet:'
                       ' leave it out, or try again later.')
    groups.setdefault(_experiment(config), []).append((workdir, lines))
  names = _names([group[0][0] for group in groups.values()])
  return {
      os.path.relpath(group[0][0]) if names.count(name) > 1 or not name
      else name: [lines for _, lines in group]
      for name, group in zip(names, groups.values(), strict=True)}


def _experiment(config: Mapping[str, Any]) -> str:
  """Returns a text that is equal for runs that differ only in the seed."""
  stored = config_files.from_json(
      stored_config.with_added_fields(dict(config)))
  return repr([(field, value) for field, value in fields(stored)
               if not _is_same_experiment(field)])


def _is_same_experiment(field):
  """Returns whether runs that differ in a field are one curve."""
  return field == 'seed' or runs.WITHOUT_EFFECT.fullmatch(field)


def _names(workdirs):
  """'ablations/no_norm:small optimizer.batch_size=32' ..., '' if not known."""
  commands = [_parsed(workdir) for workdir in workdirs]
  every = [set(overrides.items()) for _, overrides in commands]
  common = set.intersection(*every) if len(every) > 1 else set()
  names = []
  for path, overrides in commands:
    name, form = claims.name_and_form(path)
    changed = [f'{field}={value}' for field, value in overrides.items()
               if (field, value) not in common
               and not _is_same_experiment(field)
               and not field.startswith('data.')]
    names.append(' '.join([f'{name}:{form}' if form else name, *changed]))
  return [name.strip() for name in names]


def _parsed(workdir):
  """Returns the config's path and the fields of a run's command line."""
  try:
    return commands.parse(journal.read_command(workdir))[:2]
  except ValueError:  # the file was changed
    return '', {}
