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
import json
import os
import re
import runpy
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn, Protocol

from absl import flags
from ml_collections import ConfigDict, config_flags

from alexnet_jax.errors import InputError

TASKS = os.path.join(os.path.dirname(__file__), 'tasks')
# Whether a task uses --config. If it is optional and no file is given, the
# config of the run in --workdir is used; if it is unused, it is not read.
REQUIRED, OPTIONAL, UNUSED = 'required', 'optional', 'unused'
PROCESSES = ('distributed', 'coordinator', 'num_processes', 'process',
             'start_timeout', 'peer_timeout')
COMMON = ('task', 'config', 'workdir', *PROCESSES)


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


def task_names() -> list[str]:
  """Returns the names of all tasks."""
  return sorted(
      os.path.basename(path).removesuffix('.py')
      for path in glob.glob(os.path.join(TASKS, '[!_]*.py')))


def task_name(argv: Sequence[str]) -> str:
  """Returns the value of --task; exits for an unknown task or plain --help."""
  name, names = _value_of('task', argv), task_names()
  if not name and _wants_help(argv):
    _print_tasks(names)
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


def _print_tasks(names):
  print('python launch.py --task=TASK [--config=FILE] [--workdir=RUN] ...\n\n'
        'Tasks; without --task it is train:\n')
  width = max(map(len, names))
  for name in names:
    print(f'  {name:<{width}}  {_first_line(name)}')
  print(
    '\npython launch.py --task=TASK --help explains the flags of a task and,'
    '\nwith --config=FILE, the fields of that config.'
  )


def _first_line(name):
  with open(os.path.join(TASKS, f'{name}.py'), encoding='utf-8') as file:
    text = ast.get_docstring(ast.parse(file.read())) or ''
  return text.splitlines()[0].partition(': ')[2]


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
  values = flags.FLAGS
  name = task.__name__.rpartition('.')[2]
  path = config_path(argv)
  _define_common_flags(values)
  task.define_flags(values)
  _define_config(values, argv, task, name)
  if _wants_help(argv):
    _print_flags(values, name, task)
    sys.exit(0)
  positional = hasattr(task, 'POSITIONAL')
  values.set_gnu_getopt(positional)
  try:
    rest = values(list(argv))
    if 'config' in values and values['config'].value is not None:
      values['config'].value.is_locked  # noqa: B018 (loads the file)
  except flags.Error as error:
    refuse(_wrong_type(str(error), values, path)
           or _error_of_config(str(error))
           or _unknown_flag(error, values, name) or _one_line(error))
  except (AttributeError, KeyError):
    refuse(_unknown_field(argv, values, path) or _one_line(sys.exc_info()[1]))
  except (TypeError, ValueError) as error:
    refuse(_one_line(error))
  if len(rest) > 1 and not positional:
    refuse(f'{rest[1]!r} is not a flag: write --config.SECTION.FIELD=VALUE,'
           ' --task=TASK or --workdir=FOLDER.')
  return rest


def _define_common_flags(values):
  flags.DEFINE_string('task', 'train', 'What to do.', flag_values=values)
  flags.DEFINE_string(
      'workdir', '', 'The folder of the run; runs/NAME_OF_CONFIG unless given.',
      flag_values=values)
  flags.DEFINE_string(
      'coordinator', '', 'HOST:PORT of the first of several processes.',
      flag_values=values)
  flags.DEFINE_bool(
      'distributed', False, 'Find the other processes on a TPU pod, Slurm, Open'
      ' MPI or Kubernetes.', flag_values=values)
  for name, default, text in (
      ('num_processes', 1, 'How many processes there are.'),
      ('process', 0, 'The number of this process.'),
      ('start_timeout', 60, 'Seconds in which all processes must start.'),
      ('peer_timeout', 100, 'Seconds after which a silent process is lost.')):
    flags.DEFINE_integer(name, default, text, flag_values=values)


def _define_config(values, argv, task, name):
  """Defines --config: a file or, for an optional one, the config of the run."""
  path, workdir = config_path(argv), _value_of('workdir', argv)
  if path and not os.path.isfile(path):
    refuse(_no_config(path))
  if not path and task.CONFIG == OPTIONAL and workdir:
    config = _config_of_run(os.path.expanduser(workdir))
    config_flags.DEFINE_config_dict(
        'config', config, 'The experiment; that of --workdir unless given.',
        lock_config=True, flag_values=values)
    return
  wants_help = _wants_help(argv)
  if not path and task.CONFIG == REQUIRED and not wants_help:
    refuse(f'--task={name} needs an experiment: add'
           ' --config=configs/quickstart.py or another of'
           f' {_known_configs()}.')
  if not path and task.CONFIG == OPTIONAL and not wants_help:
    refuse(f'--task={name} looks into a trained network: add --workdir=RUN.')
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
    refuse(f'{workdir} holds no run: give the --workdir of one, or train with'
           ' --config=CONFIG.')
  with open(path, encoding='utf-8') as file:
    return ConfigDict(_tuples(json.load(file)))


def _tuples(value):
  if isinstance(value, dict):
    return {name: _tuples(item) for name, item in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value


def invocation(argv: Sequence[str]) -> Invocation:
  """Builds the Invocation from the parsed flags and positional arguments."""
  values = flags.FLAGS
  config = values['config'].value if 'config' in values else None
  workdir = os.path.expanduser(values['workdir'].value or '')
  if not workdir and config is not None:
    workdir = os.path.join('runs', config_name(sys.argv))
  if os.path.exists(workdir) and not os.path.isdir(workdir):
    refuse(f'--workdir={workdir} is a file: give a folder, or a new name.')
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
  sys.stderr.write(f'launch.py: {sentence}\n')
  sys.exit(2)


# --- The config ---------------------------------------------------------------


def config_argument(argv: Sequence[str]) -> str:
  """Returns the value of --config: 'FILE' or 'FILE:ARGUMENT'."""
  return _value_of('config', argv)


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
        f'--{flag}={value} cannot be used: {_one_line(error)}') from error
  return config


def _no_config(path: str) -> str:
  known = glob.glob('configs/**/*.py', recursive=True)
  near = difflib.get_close_matches(path, known, 2, 0.7)
  hint = ' or '.join(near) or 'one of ' + _known_configs()
  return f'there is no config {path}: did you mean {hint}?'


def _known_configs() -> str:
  return ', '.join([*sorted(glob.glob('configs/*.py')),
                    *sorted(glob.glob('configs/*/'))]) or 'configs/'


def fields(config: ConfigDict, prefix: str = '') -> Iterator[tuple[str, Any]]:
  """Yields ('section.field', value) for all fields of a config."""
  for name, value in config.items():
    if isinstance(value, ConfigDict):
      yield from fields(value, f'{prefix}{name}.')
    else:
      yield prefix + name, value


# --- Help ---------------------------------------------------------------------


def _print_flags(values, name, task):
  task_flags = flags.FlagValues()
  task.define_flags(task_flags)
  print(f'python launch.py --task={name}: {_first_line(name)}\n')
  print('\n'.join(task.__doc__.strip().splitlines()[1:]).strip() + '\n')
  for flag in [*sorted(task_flags), *(f for f in COMMON if f in values)]:
    default = values[flag].default
    shown = f' [{default}]' if default not in (None, '', []) else ''
    print(f'  --{flag}: {values[flag].help}{shown}')
  path = config_path(sys.argv)
  if 'config' not in values:
    return
  if not path:
    print('\nFields of a config are listed with --config=FILE --help.')
    return
  print(f'\nFields of {path}, set as --config.SECTION.FIELD=VALUE:\n')
  comments = _comments('configs/paper.py') | _comments(path)
  config = load_config(config_argument(sys.argv), {}, 'config')
  for field, value in fields(config):
    comment = comments.get(field.rpartition('.')[2], '')
    print(f'  {field}={value!r}' + (f'  # {comment}' if comment else ''))


def _comments(path):
  """Returns {field: its trailing comment} of a config file."""
  if not os.path.isfile(path):
    return {}
  with open(path, encoding='utf-8') as file:
    assignments = re.findall(
        r"^\s*(?:'(\w+)':|[\w.]*\.(\w+) =).*?[,)\d'\]]\s+#\s*(.+)$",
        file.read(), re.MULTILINE)
  return {literal or assigned: comment
          for literal, assigned, comment in assignments}


# --- Error messages -----------------------------------------------------------


def _value_of(flag: str, argv: Sequence[str]) -> str:
  """Returns the unparsed value of a flag, or '' if it is not given."""
  for i, arg in enumerate(argv):
    if arg in (f'--{flag}', f'-{flag}') and i + 1 < len(argv):
      return argv[i + 1]
    match = re.match(rf'--?{flag}=(.*)', arg)
    if match:
      return match.group(1)
  return ''


def _one_line(error) -> str:
  return re.sub(r'\s+', ' ', str(error)).strip()


def _unknown_flag(error, values, name):
  if not isinstance(error, flags.UnrecognizedFlagError):
    return ''
  flag = error.flagname.partition('=')[0]
  if flag.startswith('config'):
    return (f'--{flag} cannot be set: --task={name} takes no config, it uses'
            ' that of its --workdir.')
  owners = [task for task in task_names() if _defines(task, flag)]
  if owners:
    tasks = ' and '.join(f'--task={task}' for task in owners)
    return (f'--{flag} is a flag of {tasks}, not of --task={name}: leave it'
            ' out.')
  known = [other for other in values if _defines(name, other)
           or other in COMMON]
  near = difflib.get_close_matches(flag, known, 1)
  hint = f'did you mean --{near[0]}?' if near else (
      f'it has {", ".join(f"--{other}" for other in sorted(known))}.')
  return f'--task={name} has no flag --{flag}: {hint}'


def _defines(task, flag):
  """Returns whether a task's file defines a flag, without importing it."""
  with open(os.path.join(TASKS, f'{task}.py'), encoding='utf-8') as file:
    return bool(re.search(rf"DEFINE_\w+\(\s*'{re.escape(flag)}'", file.read()))


def _base_config(values, path):
  """Returns the config before overrides."""
  if path:
    return runpy.run_path(path)['get_config']()
  return values['config'].default


def _wrong_type(error: str, values: flags.FlagValues, path: str) -> str:
  match = re.match(r'flag --config\.([\w.]+)=(.*?): ', error)
  known = dict(fields(_base_config(values, path))) if match else {}
  if not match or match.group(1) not in known:
    return ''
  field, value = match.groups()
  return (f'--config.{field}={value} has the wrong type: give a value like'
          f' {known[field]!r}.')


def _unknown_field(argv: Sequence[str], values: flags.FlagValues,
                   path: str) -> str:
  known = list(dict(fields(_base_config(values, path))))
  for arg in argv:
    match = re.match(r'--(?:no)?config\.([\w.]+)', arg)
    if match and match.group(1) not in known:
      field = match.group(1)
      last = field.rpartition('.')[2]
      near = [name for name in known if _initials(name) == last]  # lr, wd
      near = near or difflib.get_close_matches(field, known, 3, 0.5)
      near = near or [name for name in known if name.endswith('.' + last)]
      hint = (f'did you mean {" or ".join(near)}?' if near
              else f'it has {", ".join(known)}.')
      return f'{path or "the config"} has no field {field!r}: {hint}'
  return ''


def _error_of_config(error: str) -> str:
  """Extracts the message of a ValueError raised by a config file."""
  parts = re.split(r'^ValueError: ', error, flags=re.MULTILINE)
  parsing = 'Error whilst parsing config file' in error
  return _one_line(parts[-1]) if parsing and len(parts) > 1 else ''


def _initials(field: str) -> str:
  return ''.join(word[:1] for word in field.rpartition('.')[2].split('_'))
