"""What --help prints: the tasks, or the flags and fields of one of them."""

import os
import re
from collections.abc import Sequence

from absl import flags
from ml_collections import ConfigDict

from alexnet_jax.command_line import task_files
from alexnet_jax.config_files import fields


def print_tasks() -> None:
  """Prints a line for each task."""
  names = task_files.task_names()
  print('python launch.py --task=TASK [--config=FILE] [--workdir=RUN] ...\n\n'
        'Tasks; without --task it is train:\n')
  width = max(map(len, names))
  for name in names:
    print(f'  {name:<{width}}  {task_files.summary(name)}')
  print(
    '\npython launch.py --task=TASK --help explains the flags of a task and,'
    '\nwith --config=FILE, the fields of that config. If a flag or a field is'
    '\ngiven twice, the last value counts; --images, --runs, --checkpoint,'
    '\n--compare and --sweep add up. In every path `~` is the home folder.'
  )


def print_flags(name: str, docstring: str, values: flags.FlagValues,
                shown: Sequence[str]) -> None:
  """Prints what a task does and its flags.

  Args:
    name: the task.
    docstring: the docstring of its file.
    values: all flags.
    shown: the names of those to print.
  """
  print(f'python launch.py --task={name}: {task_files.summary(name)}\n')
  print('\n'.join(docstring.strip().splitlines()[1:]).strip() + '\n')
  for flag in shown:
    default = values[flag].default
    suffix = f' [{default}]' if default not in (None, '', []) else ''
    print(f'  --{flag}: {values[flag].help}{suffix}')


def print_fields(config: ConfigDict, path: str) -> None:
  """Prints the fields of a config, with their comments in its file."""
  print(f'\nFields of {path}, set as --config.SECTION.FIELD=VALUE:\n')
  comments = _comments('configs/paper.py') | _comments(path)
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
