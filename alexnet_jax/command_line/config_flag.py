"""The flag --config, and the values of its fields."""

import ast
import os
import re
import sys
from collections.abc import Sequence
from typing import Any

from absl import flags
from ml_collections import ConfigDict, config_flags

from alexnet_jax import config_files, files, paths
from alexnet_jax.command_line import flag_errors
from alexnet_jax.command_line.arguments import config_argument, value_of
from alexnet_jax.command_line.invocation import Task, name_of, needs_run
from alexnet_jax.errors import InputError, one_line

# Whether a task uses --config. If it is optional and no file is given, the
# config of the run in --workdir is used, or none by a task that also takes runs
# as positional arguments; if it is unused, it is not read.
REQUIRED, OPTIONAL, UNUSED = 'required', 'optional', 'unused'
# Sections of the config of every network.
SECTIONS = ('model', 'data', 'augment', 'optimizer', 'run', 'mesh')


class _TupleParser(flags.ArgumentParser):
  """Reads a tuple; unlike the parser of ml_collections, the last one counts."""

  def parse(self, argument):
    """Returns the tuple that a Python expression or a single name gives."""
    if isinstance(argument, tuple):
      return argument
    try:
      value = ast.literal_eval(argument)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
      if not re.fullmatch(r'[\w.-]+', argument):
        raise ValueError('no tuple') from None
      value = argument
    return tuple(value) if isinstance(value, tuple | list) else (value,)


config_flags.register_flag_parser_for_type(tuple, _TupleParser())


def base_config(argv: Sequence[str], task: Task) -> ConfigDict | None:
  """Returns the config before fields are set: of a file, or of the run.

  Args:
    argv: the command line.
    task: the module of the task.

  Returns:
    The locked config; None if the task can do without one.

  Raises:
    InputError: the config cannot be read, or the task needs one and the command
      line gives none.
  """
  name = name_of(task)
  value = config_argument(argv)
  workdir = paths.local('--workdir', value_of('workdir', argv))
  if value and task.CONFIG == UNUSED:
    print(f'--config is not read: --task={name} uses the config of its'
          ' --workdir.', file=sys.stderr)
  if value:
    return config_files.load(value, flag='config')
  if task.CONFIG == UNUSED:
    return None
  if task.CONFIG == OPTIONAL and workdir:
    return _config_of_run(workdir).lock()
  if task.CONFIG == REQUIRED:
    raise InputError(
        f'--task={name} needs an experiment: add --config=configs/quickstart.py'
        f' or another of {config_files.all_configs()}.')
  if not hasattr(task, 'POSITIONAL'):
    raise InputError(needs_run(name))
  return None


def define(values: flags.FlagValues, config: ConfigDict, argv: Sequence[str],
           path: str) -> None:
  """Defines 'config', and a flag for each field that the command line sets.

  Args:
    values: gets the flags.
    config: the config. Parsing the flags sets its fields.
    argv: the command line without --config=FILE.
    path: the file of the config, '' for that of a run.

  Raises:
    InputError: there is no such field.
    TypeError: a field is of a type that no flag can set.
  """
  flag_errors.check_fields(argv, config, path)
  config_flags.DEFINE_config_dict(
      'config', config, flag_values=values, sys_argv=list(argv))


def _config_of_run(workdir):
  path = os.path.join(workdir, 'config.json')
  if not os.path.exists(path):
    raise InputError(f'{workdir} holds no run: give the --workdir of one, or'
                     ' train with --config=CONFIG.')
  config = files.read_json(path)
  if not isinstance(config, dict) or not all(
      isinstance(config.get(section), dict) for section in SECTIONS):
    raise InputError(f'{path} is damaged: give the --config=CONFIG of the run.'
                     ' Training goes on with it and writes the file again.')
  return config_files.from_json(config)


def read_field(field: str, text: str, config: ConfigDict, path: str) -> Any:
  """Reads a value of a field as --config.FIELD=TEXT would.

  Args:
    field: such as 'optimizer.learning_rate'.
    text: the value.
    config: the config that has the field.
    path: the file of the config.

  Raises:
    InputError: there is no such field, or the value has another type.
  """
  values, argv = flags.FlagValues(), ['', f'--config.{field}={text}']
  config = config.copy_and_resolve_references()
  try:
    define(values, config, argv, path)
    values(argv)
  except flags.Error as error:
    raise InputError(flag_errors.wrong_value(error, values, config)
                     or one_line(error)) from error
  return config_flags.get_override_values(values['config'])[field]
