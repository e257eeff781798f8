"""Flags to values, and one sentence where a flag cannot work."""

import difflib
import glob
import os
import re
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from absl import flags
from ml_collections import ConfigDict, config_flags

# What these need to know is in the workdir of a run.
WITHOUT_CONFIG = ('report', 'predict', 'figure3', 'features', 'retrieve',
                  'projections')
TAKES_PICTURES = ('predict', 'retrieve')


def parse(argv: Sequence[str]) -> list[str]:
  """absl's parser, whose complaints come out as one sentence; exits with 2.

  Returns:
    The program's name and the pictures that stand behind --images.
  """
  path, task = config_path(argv), _value_of('task', argv)
  alone = task in WITHOUT_CONFIG and (
      task == 'report' or _value_of('workdir', argv)
      or _value_of('kernels', argv))
  tasks = flags.FLAGS['task'].parser.enum_values
  if not path and not alone and task in ('', *tasks) and not any(
      arg.startswith('--help') for arg in argv):
    refuse(f'--task={task} looks into a trained network: add --workdir=RUN.'
           if task in WITHOUT_CONFIG else
           'no experiment was given: add --config=configs/quickstart.py or'
           f' another of {_known_configs()}.')
  if path and not os.path.isfile(path):
    refuse(_no_config(path))
  try:
    flags.FLAGS.set_gnu_getopt(task in TAKES_PICTURES)
    rest = flags.FLAGS(list(argv))
    if flags.FLAGS['config'].value is not None:
      flags.FLAGS['config'].value.is_locked  # noqa: B018 (loads the file)
  except flags.Error as error:
    refuse(_wrong_type(str(error), path) or _of_the_config(str(error))
           or _one_line(error))
  except (AttributeError, KeyError):
    refuse(_unknown_fields(argv, path) or _one_line(sys.exc_info()[1]))
  except (TypeError, ValueError) as error:
    refuse(_one_line(error))
  if len(rest) > 1 and task not in TAKES_PICTURES:
    refuse(f'{rest[1]!r} is no flag: write --config.SECTION.FIELD=VALUE,'
           ' --task=TASK or --workdir=FOLDER.')
  return rest


def config_argument(argv: Sequence[str]) -> str:
  """What --config was given: a file, and an argument behind a colon or none."""
  return _value_of('config', argv)


def config_path(argv: Sequence[str]) -> str:
  """The file that --config names."""
  return config_argument(argv).partition(':')[0]


def config_name(argv: Sequence[str]) -> str:
  """What a run of --config is called: configs/a/b.py:small -> b-small."""
  path, _, form = config_argument(argv).partition(':')
  name = os.path.splitext(os.path.basename(path))[0]
  return f'{name}-{form}' if form else name


def is_one_of_the_workdir(checkpoints: Sequence[str]) -> bool:
  """Whether a single checkpoint is meant, of --workdir itself."""
  return len(checkpoints) == 1 and bool(
      re.fullmatch(r'latest|best|\d+', checkpoints[0]))


def overrides() -> dict[str, Any]:
  """{field: value} as given on the command line."""
  return dict(config_flags.get_override_values(flags.FLAGS['config']))


def load_configs(
    paths: Sequence[str], overrides: Mapping[str, Any]
) -> list[tuple[str, ConfigDict]]:
  """Further configs, with the same fields overridden as in --config."""
  loaded = []
  for given in paths:
    path, colon, form = given.partition(':')
    if not os.path.isfile(path):
      refuse(_no_config(path))
    try:
      config = runpy.run_path(path)['get_config'](*([form] if colon else []))
      config.lock().update_from_flattened_dict(overrides)
    except (KeyError, TypeError, ValueError) as error:
      refuse(f'--compare={given} cannot be used: {_one_line(error)}')
    loaded.append((given, config))
  return loaded


def refuse(sentence: str) -> NoReturn:
  """Says the sentence and exits with 2, as shells expect of bad usage."""
  sys.stderr.write(f'launch.py: {sentence}\n')
  sys.exit(2)


def _value_of(flag: str, argv: Sequence[str]) -> str:
  """What a flag was given, before anything is parsed; '' if it was not."""
  for i, arg in enumerate(argv):
    if arg in (f'--{flag}', f'-{flag}') and i + 1 < len(argv):
      return argv[i + 1]
    match = re.match(rf'--?{flag}=(.*)', arg)
    if match:
      return match.group(1)
  return ''


def _one_line(error) -> str:
  return re.sub(r'\s+', ' ', str(error)).strip()


def _no_config(path: str) -> str:
  known = glob.glob('configs/**/*.py', recursive=True)
  near = difflib.get_close_matches(path, known, 2, 0.7)
  hint = ' or '.join(near) or 'one of ' + _known_configs()
  return f'there is no config {path}: did you mean {hint}?'


def _known_configs() -> str:
  return ', '.join([*sorted(glob.glob('configs/*.py')),
                    *sorted(glob.glob('configs/*/'))]) or 'configs/'


def _wrong_type(error: str, path: str) -> str:
  match = re.match(r'flag --config\.([\w.]+)=(.*?): ', error)
  fields = dict(_fields(runpy.run_path(path)['get_config']())) if match else {}
  if not match or match.group(1) not in fields:
    return ''
  field, given = match.groups()
  return (f'--config.{field}={given} is of the wrong type: give a value like'
          f' {fields[field]!r}.')


def _unknown_fields(argv: Sequence[str], path: str) -> str:
  known = list(dict(_fields(runpy.run_path(path)['get_config']())))
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
      return f'{path} has no field {field!r}: {hint}'
  return ''


def _of_the_config(error: str) -> str:
  """What a config file said itself, such as of its form behind the colon."""
  said = re.split(r'^ValueError: ', error, flags=re.MULTILINE)
  parsing = 'Error whilst parsing config file' in error
  return _one_line(said[-1]) if parsing and len(said) > 1 else ''


def _initials(field: str) -> str:
  return ''.join(word[:1] for word in field.rpartition('.')[2].split('_'))


def _fields(config: ConfigDict, prefix: str = '') -> Iterator[tuple[str, Any]]:
  for name, value in config.items():
    if isinstance(value, ConfigDict):
      yield from _fields(value, f'{prefix}{name}.')
    else:
      yield prefix + name, value
