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
from alexnet_jax.command_line.arguments import (
  config_path,
  value_of,
  wants_help,
)
from alexnet_jax.command_line.invocation import Task, name_of
from alexnet_jax.config_files import fields
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


def define_config(values: flags.FlagValues, argv: Sequence[str],
                  task: Task) -> None:
  """Defines --config: a file or, for an optional one, the config of the run.

  Args:
    values: gets the flag.
    argv: the command line.
    task: the module of the task.

  Raises:
    InputError: the task needs a config, and the command line gives none.
  """
  name = name_of(task)
  path = config_path(argv)
  workdir = paths.local('--workdir', value_of('workdir', argv))
  if path and not os.path.isfile(path):
    raise InputError(config_files.no_config(path))
  if not path and task.CONFIG == OPTIONAL and workdir:
    config = _config_of_run(workdir)
    config_flags.DEFINE_config_dict(
        'config', config, 'The experiment; that of --workdir unless given.',
        lock_config=True, flag_values=values)
    return
  for_help = wants_help(argv)
  if not path and task.CONFIG == REQUIRED and not for_help:
    raise InputError(
        f'--task={name} needs an experiment: add --config=configs/quickstart.py'
        f' or another of {config_files.all_configs()}.')
  if not path and task.CONFIG == OPTIONAL and not for_help:
    if hasattr(task, 'POSITIONAL'):
      return
    raise InputError(
        f'--task={name} looks into a trained network: add --workdir=RUN.')
  if not path and task.CONFIG == UNUSED:
    return
  config_flags.DEFINE_config_file(
      'config', None, 'The experiment: a file in configs/.', lock_config=True,
      flag_values=values)
  if task.CONFIG == UNUSED:
    print(f'--config is not read: --task={name} uses the config of its'
          ' --workdir.', file=sys.stderr)


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
  known = [name for name, _ in fields(config)]
  if not any(f'{name}.'.startswith(f'{field}.') for name in known):
    raise InputError(flag_errors.unknown_field(argv, config, path) or (
        f'{path} has no field {field!r}: it has {", ".join(known)}.'))
  try:
    config_flags.DEFINE_config_dict(
        'config', config.copy_and_resolve_references(), flag_values=values,
        sys_argv=argv)
    values(argv)
  except flags.Error as error:
    raise InputError(flag_errors.wrong_value(error, values, config)
                     or one_line(error)) from error
  return config_flags.get_override_values(values['config'])[field]
