"""One sentence for each way in which a flag or a field can be wrong."""

import difflib
import re
from collections.abc import Sequence

from absl import flags
from ml_collections import ConfigDict

from alexnet_jax.command_line import task_files
from alexnet_jax.config_files import fields
from alexnet_jax.errors import InputError, shortened


def wrong_value(error: flags.Error, values: flags.FlagValues,
                base: ConfigDict | None) -> str:
  """Says what a flag or a field takes; '' if the error is another one.

  Args:
    error: what absl raised.
    values: the flags.
    base: the config before overrides, if there is one.
  """
  match = re.match(r'flag --([\w.]+)=(.*?): ', str(error), re.DOTALL)
  if not match:
    return ''
  flag, value = match.group(1), shortened(match.group(2))
  section, _, field = flag.partition('.')
  if field and section == 'config':
    known = dict(fields(base)) if base is not None else {}
    return (f'--{flag}={value} has the wrong type: give a value like'
            f' {known[field]!r}.') if field in known else ''
  if flag not in values or flag == 'config':
    return ''
  return f'--{flag}={value} cannot be used: give {_takes(values[flag])}.'


def _takes(flag):
  """Describes the values of a flag."""
  parser = flag.parser
  if isinstance(parser, flags.EnumParser):
    return f'one of {", ".join(filter(None, parser.enum_values))}'
  if isinstance(parser, flags.BooleanParser):
    return 'True or False'
  kind = ('a whole number' if isinstance(parser, flags.IntegerParser)
          else 'a number')
  least, most = (getattr(parser, name, None)
                 for name in ('lower_bound', 'upper_bound'))
  return (kind + ('' if least is None else f' of {least:,} or more')
          + ('' if most is None else f', up to {most:,}'))


def unknown_flag(error: flags.UnrecognizedFlagError, name: str,
                 known: Sequence[str]) -> str:
  """Says whose flag it is, or which one is near.

  Args:
    error: what absl raised.
    name: the task.
    known: the flags of the task, with the common ones.
  """
  flag = error.flagname.partition('=')[0]
  if flag.startswith('config'):
    return (f'--{flag} cannot be set: --task={name} takes no config, it uses'
            ' that of its --workdir.')
  owners = [task for task in task_files.task_names()
            if task_files.defines(task, flag)]
  if owners:
    tasks = ' and '.join(f'--task={task}' for task in owners)
    return (f'--{flag} is a flag of {tasks}, not of --task={name}: leave it'
            ' out.')
  near = difflib.get_close_matches(flag, known, 1)
  hint = f'did you mean --{near[0]}?' if near else (
      f'it has {", ".join(f"--{other}" for other in sorted(known))}.')
  return f'--task={name} has no flag --{flag}: {hint}'


def check_fields(argv: Sequence[str], config: ConfigDict, path: str) -> None:
  """Checks that the config has every field that the command line sets.

  Args:
    argv: the command line.
    config: the config before fields are set.
    path: the file of the config, '' for that of a run.

  Raises:
    InputError: there is no such field, or it is a section.
  """
  known = [field for field, _ in fields(config)]
  for arg in argv:
    match = re.match(r'--?(?:no)?config\.([^=]+)', arg)
    if not match or match.group(1) in known:
      continue
    field = match.group(1)
    inside = [name for name in known if name.startswith(f'{field}.')]
    if inside:
      raise InputError(f'{shortened(arg)} sets a whole section: set one of its'
                       f' fields, such as --config.{inside[0]}.')
    last = field.rpartition('.')[2]
    near = [name for name in known if _initials(name) == last]  # lr, wd
    near = near or difflib.get_close_matches(field, known, 3, 0.5)
    near = near or [name for name in known if name.endswith('.' + last)]
    hint = (f'did you mean {" or ".join(near)}?' if near
            else f'it has {", ".join(known)}.')
    raise InputError(f'{path or "the config"} has no field {field!r}: {hint}')


def _initials(field: str) -> str:
  return ''.join(word[:1] for word in field.rpartition('.')[2].split('_'))
