"""Parses the command line of one task, and refuses what is wrong in it.

Invalid input ends the program with a one-sentence message and status 2.
"""

import difflib
import io
import re
import runpy
import sys
from collections.abc import Sequence

from absl import flags
from ml_collections.config_flags.config_flags import FlagOrderError

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
  argv = _with_one_config(argv)
  path = config_path(argv)
  common_flags.define_common(values)
  task.define_flags(values)
  config_flag.define_config(values, argv, task)
  if wants_help(argv):
    _print_help(values, name, task)
    sys.exit(0)
  positional = hasattr(task, 'POSITIONAL')
  values.set_gnu_getopt(positional)
  try:
    rest = values(argv)
    if 'config' in values and values['config'].value is not None:
      values['config'].value.is_locked  # noqa: B018 (loads the file)
  except flags.UnrecognizedFlagError as error:
    raise InputError(flag_errors.unknown_flag(
        error, name, _known_flags(values, name))) from error
  except FlagOrderError as error:
    raise InputError('--config.SECTION.FIELD=VALUE stands before --config=FILE,'
                     ' or a section after its fields: give --config=FILE first,'
                     ' then single fields.') from error
  except flags.Error as error:
    raise InputError(
        flag_errors.wrong_value(error, values, _base_config(values, path))
        or flag_errors.error_of_config(str(error)) or one_line(error)
    ) from error
  except (AttributeError, KeyError) as error:
    raise InputError(flag_errors.unknown_field(
        argv, _base_config(values, path), path) or one_line(error)) from error
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


def _print_help(values, name, task):
  task_flags = flags.FlagValues()
  task.define_flags(task_flags)
  flag_help.print_flags(name, task.__doc__, values, [
      *sorted(task_flags),
      *(flag for flag in common_flags.COMMON if flag in values)])
  path = config_path(sys.argv)
  if 'config' in values and path:
    flag_help.print_fields(
        config_files.load(config_argument(sys.argv), {}, 'config'), path)
  elif 'config' in values:
    print('\nFields of a config are listed with --config=FILE --help.')


def _with_one_config(argv):
  """Keeps the last --config=FILE, with `~` expanded: absl opens it as it is."""
  places = [i for i, arg in enumerate(argv) if re.match(r'--?config=', arg)]
  return [f'--config={config_argument(argv)}' if i in places else arg
          for i, arg in enumerate(argv) if i not in places[:-1]]


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


def _base_config(values, path):
  """Returns the config before overrides; None if there is none."""
  if path:
    return runpy.run_path(path)['get_config']()
  return values['config'].default if 'config' in values else None
