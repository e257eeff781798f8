"""What the command line says before absl parses it."""

import os
import re
from collections.abc import Sequence

from alexnet_jax import paths

HELP = ('--help', '-help', '-h', '-?', '--helpfull')


def value_of(flag: str, argv: Sequence[str]) -> str:
  """Returns the unparsed value of a flag, the last one; '' if there is none."""
  value = ''
  for i, arg in enumerate(argv):
    if arg in (f'--{flag}', f'-{flag}') and i + 1 < len(argv):
      value = argv[i + 1]
    match = re.match(rf'--?{flag}=(.*)', arg, re.DOTALL)
    if match:
      value = match.group(1)
  return value


def wants_help(argv: Sequence[str]) -> bool:
  """Returns whether a flag asks for help."""
  return any(arg in HELP for arg in argv[1:])


def config_argument(argv: Sequence[str]) -> str:
  """Returns the value of --config: 'FILE' or 'FILE:ARGUMENT'."""
  value = value_of('config', argv)
  return paths.local('--config', value) if value else ''


def config_path(argv: Sequence[str]) -> str:
  """Returns the file given by --config, without the argument."""
  return config_argument(argv).partition(':')[0]


def without_config(argv: Sequence[str]) -> list[str]:
  """Returns the command line without --config=FILE and --config FILE."""
  kept, it = [], iter(argv)
  for arg in it:
    if arg in ('--config', '-config'):
      next(it, None)
    elif not re.match(r'--?config=', arg):
      kept.append(arg)
  return kept


def config_name(argv: Sequence[str]) -> str:
  """Returns the default run name: configs/a/b.py:small -> b-small."""
  path, _, form = config_argument(argv).partition(':')
  name = os.path.splitext(os.path.basename(path))[0]
  form = re.sub(r'[^\w.-]+', '-', form)
  return f'{name}-{form}' if form else name
