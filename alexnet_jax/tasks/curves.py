"""--task=curves: how training went, of one run or of several in one picture.

    python launch.py --task=curves RUN RUN2 ...

Runs whose configs differ only in the seed are one curve, the mean, in a band
from the least to the largest value. The picture is redrawn while a run trains,
as curves.png in its workdir; this task draws several together.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from absl import flags
from ml_collections import ConfigDict

from alexnet_jax.command_line import Invocation
from alexnet_jax.errors import InputError, printable
from alexnet_jax.figures import curves, style
from alexnet_jax.flag_errors import fields
from alexnet_jax.results import claims, runs
from alexnet_jax.run import checkpoint, journal

CONFIG, POSITIONAL = 'unused', 'runs'

def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_multi_string(
      'runs', [], 'Workdirs of runs; more may follow.', flag_values=values)
  flags.DEFINE_string(
      'out', '', 'The picture; curves.png in the first run unless given.',
      flag_values=values)


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
  grouped = group(workdirs)
  curves.draw(grouped, out, curves.series(grouped))
  print(style.drawn(out))


def group(workdirs: Sequence[str]) -> dict[str, list[curves.Lines]]:
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
  return repr([(field, value) for field, value in fields(ConfigDict(
      checkpoint.with_added_fields(dict(config))))
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
    return runs.parse(journal.read_command(workdir))[:2]
  except ValueError:  # the file was changed
    return '', {}
