"""The parsed command line, as a task receives it."""

import os
import shlex
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from absl import flags
from ml_collections import ConfigDict, config_flags

from alexnet_jax import paths
from alexnet_jax.command_line.arguments import config_argument, config_name
from alexnet_jax.errors import InputError, refuse


class Invocation(NamedTuple):
  """The parsed command line."""

  task: str
  config: ConfigDict  # empty for a task that takes no config
  workdir: str  # '' if neither --workdir nor --config is given
  command: str  # the command line, stored with the run
  flags: flags.FlagValues
  arguments: Sequence[str]  # positional ones

  def overrides(self) -> dict[str, Any]:
    """Returns the fields that are set after --config, as {field: value}."""
    return dict(config_flags.get_override_values(self.flags['config']))

  def require_workdir(self) -> str:
    """Returns the --workdir of a task that reads a trained network.

    Raises:
      InputError: --workdir is not given.
    """
    if not self.workdir:
      raise InputError(needs_run(self.task))
    return self.workdir


class Task(Protocol):
  """The interface of a module in `alexnet_jax/tasks/`.

  The first line of its docstring is printed by --help. A task that accepts
  positional arguments sets `POSITIONAL` to the flag whose values they extend.
  """

  CONFIG: str  # whether it takes --config: 'required', 'optional' or 'unused'
  __doc__: str
  __name__: str

  def define_flags(self, values: flags.FlagValues) -> None:
    """Defines the task's own flags."""

  def run(self, invocation: Invocation) -> None:
    """Runs the task."""


def name_of(task: Task) -> str:
  """Returns the name of a task: that of its module."""
  return task.__name__.rpartition('.')[2]


def needs_run(name: str) -> str:
  """Says that a task needs the --workdir of a run."""
  return f'--task={name} looks into a trained network: add --workdir=RUN.'


def from_flags(argv: Sequence[str]) -> Invocation:
  """Builds the Invocation from the parsed flags and positional arguments.

  Args:
    argv: the program name and the positional arguments.
  """
  values = flags.FLAGS
  config = values['config'].value if 'config' in values else None
  workdir = values['workdir'].value or ''
  if not workdir and config is not None:
    workdir = os.path.join('runs', config_name(sys.argv))
  if os.path.exists(workdir) and not os.path.isdir(workdir):
    refuse(f'--workdir={workdir} is a file: give a folder, or a new name.')
  file = paths.file_above(workdir)
  if file:
    refuse(f'--workdir={workdir} is below the file {file}: give a folder, or a'
           ' new name.')
  task = values['task'].value or ''
  if config is not None and 'model' not in config and task != 'codes':
    refuse(f'--config={config_argument(sys.argv)} describes no network: add'
           ' --task=codes, or give another config.')
  return Invocation(task, config or ConfigDict(), workdir,
                    'python launch.py ' + shlex.join(sys.argv[1:]), values,
                    tuple(argv[1:]))
