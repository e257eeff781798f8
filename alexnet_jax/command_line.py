"""The command line: parses one task, its flags and its config.

A task is a module of `alexnet_jax/tasks/`. The first line of its docstring
is printed by --help, `CONFIG` says whether the task takes --config,
`define_flags` defines its flags, and `run` executes it. A task that accepts
positional arguments sets `POSITIONAL` to the flag whose values they extend.
Invalid input ends the program with a one-sentence message and status 2.
"""

import ast
import difflib
import glob
import io
import os
import re
import runpy
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, Protocol

from absl import flags
from ml_collections import ConfigDict, config_flags
from ml_collections.config_flags.config_flags import FlagOrderError

from alexnet_jax import files, flag_errors, flag_help, paths, task_files
from alexnet_jax.errors import InputError, printable
from alexnet_jax.flag_errors import one_line
from alexnet_jax.task_files import task_names

# Whether a task uses --config. If it is optional and no file is given, the
# config of the run in --workdir is used, or none by a task that also takes runs
# as positional arguments; if it is unused, it is not read.
REQUIRED, OPTIONAL, UNUSED = 'required', 'optional', 'unused'
# The flags that take a path, or several: `~` is expanded, URLs are refused.
PATHS = ('workdir', 'against', 'checkpoint', 'compare', 'data', 'features',
         'figure', 'images', 'init_from', 'kernels', 'mean', 'out',
         'predictions', 'runs', 'trace', 'weights', 'words')
PROCESSES = ('distributed', 'coordinator', 'num_processes', 'process',
             'start_timeout', 'peer_timeout')
COMMON = ('task', 'config', 'workdir', *PROCESSES)
# Sections of the config of every network.
SECTIONS = ('model', 'data', 'augment', 'optimizer', 'run', 'mesh')


class Invocation(NamedTuple):
  """The parsed command line."""

  task: str
  config: ConfigDict  # empty for a task that takes no config
  workdir: str  # '' if neither --workdir nor --config is given
  command: str  # the command line, stored with the run
  flags: flags.FlagValues
  arguments: Sequence[str]  # positional ones


class Task(Protocol):
  """The interface of a module in `alexnet_jax/tasks/`."""

  CONFIG: str
  __doc__: str
  __name__: str

  def define_flags(self, values: flags.FlagValues) -> None:
    """Defines the task's own flags."""

  def run(self, invocation: Invocation) -> None:
    """Runs the task."""


# --- Which task ---------------------------------------------------------------


def task_name(argv: Sequence[str]) -> str:
  """Returns the value of --task; exits for an unknown task or plain --help."""
  name, names = _value_of('task', argv), task_names()
  if not name and _wants_help(argv):
    flag_help.print_tasks()
    sys.exit(0)
  if name and name not in names:
    near = difflib.get_close_matches(name, names, 1)
    hint = f'did you mean {near[0]}? ' if near else ''
    refuse(f'--task={name} is not a task: {hint}give one of'
           f' {", ".join(names)}.')
  return name or 'train'


def _wants_help(argv):
  return any(arg in ('--help', '-help', '-h', '-?', '--helpfull')
             for arg in argv[1:])


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
  values, name = flags.FLAGS, task.__name__.rpartition('.')[2]
  _forget_earlier_flags(values)
  argv = _with_one_config(argv)
  path = config_path(argv)
  _define_common_flags(values)
  task.define_flags(values)
  _define_config(values, argv, task, name)
  if _wants_help(argv):
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
      *sorted(task_flags), *(flag for flag in COMMON if flag in values)])
  path = config_path(sys.argv)
  if 'config' in values and path:
    flag_help.print_fields(
        load_config(config_argument(sys.argv), {}, 'config'), path)
  elif 'config' in values:
    print('\nFields of a config are listed with --config=FILE --help.')


def _with_one_config(argv):
  """Keeps the last --config=FILE, with `~` expanded: absl opens it as it is."""
  places = [i for i, arg in enumerate(argv) if re.match(r'--?config=', arg)]
  return [f'--config={config_argument(argv)}' if i in places else arg
          for i, arg in enumerate(argv) if i not in places[:-1]]


def _expand_paths(values):
  """Checks and expands the values of all flags that take a path."""
  for name in PATHS:
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
          if flag in COMMON or task_files.defines(name, flag)]


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


def _define_common_flags(values):
  flags.DEFINE_string('task', 'train', 'What to do.', flag_values=values)
  flags.DEFINE_string(
      'workdir', '', 'The folder of the run; runs/NAME_OF_CONFIG unless given.',
      flag_values=values)
  flags.DEFINE_string(
      'coordinator', '', 'HOST:PORT of the first of several processes.',
      flag_values=values)
  flags.DEFINE_integer(
      'num_processes', 1, 'How many processes there are.', flag_values=values,
      lower_bound=1, upper_bound=2**16)
  flags.DEFINE_integer(
      'process', 0, 'The number of this process.', flag_values=values,
      lower_bound=0, upper_bound=2**16)
  flags.DEFINE_bool(
      'distributed', False, 'Find the other processes on a TPU pod, Slurm, Open'
      ' MPI or Kubernetes.', flag_values=values)
  flags.DEFINE_integer(
      'start_timeout', 60, 'Seconds to wait for the other processes at the'
      ' start.', flag_values=values, lower_bound=1, upper_bound=10**6)
  flags.DEFINE_integer(
      'peer_timeout', 100, 'Seconds without a sign of life after which another'
      ' process is given up.', flag_values=values, lower_bound=1,
      upper_bound=10**6)


def _define_config(values, argv, task, name):
  """Defines --config: a file or, for an optional one, the config of the run."""
  path = config_path(argv)
  workdir = paths.local('--workdir', _value_of('workdir', argv))
  if path and not os.path.isfile(path):
    raise InputError(_no_config(path))
  if not path and task.CONFIG == OPTIONAL and workdir:
    config = _config_of_run(workdir)
    config_flags.DEFINE_config_dict(
        'config', config, 'The experiment; that of --workdir unless given.',
        lock_config=True, flag_values=values)
    return
  wants_help = _wants_help(argv)
  if not path and task.CONFIG == REQUIRED and not wants_help:
    raise InputError(
        f'--task={name} needs an experiment: add --config=configs/quickstart.py'
        f' or another of {_known_configs()}.')
  if not path and task.CONFIG == OPTIONAL and not wants_help:
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
  return stored_config(config)


def stored_config(fields: Mapping[str, Any]) -> ConfigDict:
  """Converts a config read from JSON to a ConfigDict; lists become tuples."""
  return ConfigDict(_tuples(fields))


def _tuples(value):
  if isinstance(value, dict):
    return {name: _tuples(item) for name, item in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value


def invocation(argv: Sequence[str]) -> Invocation:
  """Builds the Invocation from the parsed flags and positional arguments."""
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


def require_workdir(invocation: Invocation) -> str:
  """Returns the --workdir of a task that reads a trained network.

  Raises:
    InputError: --workdir is not given.
  """
  if not invocation.workdir:
    raise InputError(f'--task={invocation.task} looks into a trained network:'
                     ' add --workdir=RUN.')
  return invocation.workdir


def refuse(sentence: str) -> NoReturn:
  """Prints the sentence and exits with 2, the usual status for bad usage."""
  sys.stderr.write(f'launch.py: {printable(sentence)}\n')
  sys.exit(2)


# --- The config ---------------------------------------------------------------


def config_argument(argv: Sequence[str]) -> str:
  """Returns the value of --config: 'FILE' or 'FILE:ARGUMENT'."""
  value = _value_of('config', argv)
  return paths.local('--config', value) if value else ''


def config_path(argv: Sequence[str]) -> str:
  """Returns the file given by --config, without the argument."""
  return config_argument(argv).partition(':')[0]


def config_name(argv: Sequence[str]) -> str:
  """Returns the default run name: configs/a/b.py:small -> b-small."""
  path, _, form = config_argument(argv).partition(':')
  name = os.path.splitext(os.path.basename(path))[0]
  form = re.sub(r'[^\w.-]+', '-', form)
  return f'{name}-{form}' if form else name


def overrides() -> dict[str, Any]:
  """Returns the config overrides of the command line as {field: value}."""
  return dict(config_flags.get_override_values(flags.FLAGS['config']))


def load_config(value: str, overrides: Mapping[str, Any],
                flag: str) -> ConfigDict:
  """Loads a config from a file and overrides some of its fields.

  Args:
    value: 'FILE' or 'FILE:ARGUMENT'.
    overrides: {'section.field': value}.
    flag: name of the flag that gives the file, used in error messages.

  Returns:
    The locked config.

  Raises:
    InputError: the file does not exist, or the config lacks one of the fields.
  """
  path, colon, form = value.partition(':')
  if not os.path.isfile(path):
    raise InputError(_no_config(path))
  try:
    config = runpy.run_path(path)['get_config'](*([form] if colon else []))
    config.lock().update_from_flattened_dict(overrides)
  except (KeyError, TypeError, ValueError) as error:
    raise InputError(
        f'--{flag}={value} cannot be used: {one_line(error)}') from error
  return config


def _no_config(path: str) -> str:
  known = glob.glob('configs/**/*.py', recursive=True)
  near = difflib.get_close_matches(path, known, 2, 0.7)
  hint = ' or '.join(near) or 'one of ' + _known_configs()
  return f'there is no config {path}: did you mean {hint}?'


def _known_configs() -> str:
  return ', '.join([*sorted(glob.glob('configs/*.py')),
                    *sorted(glob.glob('configs/*/'))]) or 'configs/'


# --- The unparsed command line -----------------------------------------------


def _value_of(flag: str, argv: Sequence[str]) -> str:
  """Returns the unparsed value of a flag, the last one; '' if there is none."""
  value = ''
  for i, arg in enumerate(argv):
    if arg in (f'--{flag}', f'-{flag}') and i + 1 < len(argv):
      value = argv[i + 1]
    match = re.match(rf'--?{flag}=(.*)', arg, re.DOTALL)
    if match:
      value = match.group(1)
  return value


def _base_config(values, path):
  """Returns the config before overrides; None if there is none."""
  if path:
    return runpy.run_path(path)['get_config']()
  return values['config'].default if 'config' in values else None
