"""Parses the command line of one task, and refuses what is wrong in it.

Invalid input ends the program with a one-sentence message and status 2.
"""

import difflib
import io
import sys
from collections.abc import Sequence

from absl import flags

from alexnet_jax import config_files, paths
from alexnet_jax.command_line import (
  common_flags,
  config_flag,
  flag_errors,
  flag_help,
  task_files,
)
from alexnet_jax.command_line.arguments import (
  config_argument,
  config_path,
  value_of,
  wants_help,
  without_config,
)
from alexnet_jax.command_line.invocation import Task, name_of
from alexnet_jax.errors import InputError, one_line, refuse

# --- Which task ---------------------------------------------------------------


def task_name(argv: Sequence[str]) -> str:
  """Returns the value of --task; exits for an unknown task or plain --help."""
  name, names = value_of('task', argv), task_files.task_names()
  if not name and wants_help(argv):
    flag_help.print_tasks()
    sys.exit(0)
  if name and name not in names:
    near = difflib.get_close_matches(name, names, 1)
    hint = f'did you mean {near[0]}? ' if near else ''
    refuse(f'--task={name} is not a task: {hint}give one of'
           f' {", ".join(names)}.')
  return name or 'train'


# --- Parsing ------------------------------------------------------------------


def parse(argv: Sequence[str], task: Task) -> list[str]:
  """Parses the command line of one task with absl.

  Config overrides are parsed together with the other flags. An invalid flag or
  field prints one sentence and ends the program with status 2.

  Args:
    argv: the command line.
    task: the module of the task.

  Returns:
    The program name and the positional arguments.
  """
  print_anything()
  try:
    return _parse(argv, task)
  except InputError as error:
    refuse(str(error))


def print_anything() -> None:
  """Lets names be printed on terminals that cannot show their letters."""
  for stream in (sys.stdout, sys.stderr):
    if isinstance(stream, io.TextIOWrapper):
      stream.reconfigure(errors='backslashreplace')


def _parse(argv, task):
  values, name = flags.FLAGS, name_of(task)
  _forget_earlier_flags(values)
  common_flags.define_common(values)
  task.define_flags(values)
  if wants_help(argv):
    _print_help(values, argv, task)
    sys.exit(0)
  config = config_flag.base_config(argv, task)
  positional = hasattr(task, 'POSITIONAL')
  values.set_gnu_getopt(positional)
  argv, path = without_config(argv), config_path(argv)
  try:
    if config is not None:
      config_flag.define(values, config, argv, path)
    rest = values(argv)
  except flags.UnrecognizedFlagError as error:
    raise InputError(flag_errors.unknown_flag(
        error, name, _known_flags(values, name))) from error
  except flags.Error as error:
    raise InputError(flag_errors.wrong_value(error, values, config)
                     or one_line(error)) from error
  except (TypeError, ValueError) as error:
    raise InputError(one_line(error)) from error
  if len(rest) > 1 and not positional:
    raise InputError(
        f'{rest[1]!r} is not a flag: write --config.SECTION.FIELD=VALUE,'
        ' --task=TASK or --workdir=FOLDER.')
  _expand_paths(values)
  return [rest[0], *(paths.local(f'--{task.POSITIONAL}', path)
                     for path in rest[1:])]


def _forget_earlier_flags(values):
  """Removes what the last command defined: a notebook's process runs several.

  The modules are those that define flags for this program: its own, that of
  --config, and that of the fields behind it.
  """
  ours = ('alexnet_jax.', 'ml_collections.', 'absl.flags._flag')
  for module, defined in values.flags_by_module_dict().items():
    if module.startswith(ours):
      for flag in list(defined):
        delattr(values, flag.name)


def _print_help(values, argv, task):
  task_flags, has_config = flags.FlagValues(), task.CONFIG != config_flag.UNUSED
  task.define_flags(task_flags)
  if has_config:
    flags.DEFINE_string('config', None, 'The experiment: a file in configs/.',
                        flag_values=values)
  flag_help.print_flags(name_of(task), task.__doc__, values, [
      *sorted(task_flags),
      *(flag for flag in common_flags.COMMON if flag in values)])
  value = config_argument(argv)
  if value and has_config:
    flag_help.print_fields(
        config_files.load(value, flag='config'), config_path(argv))
  elif has_config:
    print('\nFields of a config are listed with --config=FILE --help.')


def _expand_paths(values):
  """Checks and expands the values of all flags that take a path."""
  for name in common_flags.PATHS:
    if name not in values or not values[name].present:
      continue
    flag = values[name]
    path_list = flag.value if isinstance(flag.value, list) else [flag.value]
    if '' in path_list:
      raise InputError(f'--{name}= is empty: give a path, or leave it out.')
    expanded = [paths.local(f'--{name}', path) for path in path_list]
    flag.value = expanded if isinstance(flag.value, list) else expanded[0]


def _known_flags(values, name):
  return [flag for flag in values
          if flag in common_flags.COMMON or task_files.defines(name, flag)]

