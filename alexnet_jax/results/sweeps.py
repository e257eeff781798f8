"""The values of --sweep: all combinations of values of some fields.

    --sweep=optimizer.learning_rate=0.003,0.01 --sweep=model.dropout=True,False

are four combinations. A value is read as --config.FIELD=VALUE reads it, and a
comma inside brackets belongs to the value.
"""

import itertools
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from alexnet_jax.command_line import config_flag
from alexnet_jax.errors import InputError
from alexnet_jax.results import claims

Changed = Mapping[str, Any]  # 'optimizer.learning_rate': 0.003
LONGEST = 100  # characters of a name


class Variant(NamedTuple):
  """A config with one combination of the values of the sweeps."""

  path: str  # As given.
  config: ConfigDict  # With all overrides and the values of the combination.
  changed: Changed  # By the sweeps.

  @property
  def folder(self) -> str:
    """The folder of its runs, such as 'paper/optimizer.momentum=0.8'."""
    values = name(self.changed)
    return os.path.join(folder(self.path), *([values] if values else []))

  @property
  def label(self) -> str:
    """Such as 'configs/paper.py with optimizer.momentum=0.8'."""
    changed = as_text(self.changed)
    return f'{self.path} with {changed}' if changed else self.path


def variants(configs: Sequence[tuple[str, ConfigDict]], sweeps: Sequence[str],
             examples: Sequence[str]) -> list[Variant]:
  """Returns each config with each combination of the values of the sweeps.

  Args:
    configs: pairs of (path as given, config with all overrides).
    sweeps: the values of --sweep.
    examples: the fields of config.data that all runs share.

  Raises:
    InputError: a sweep cannot be used.
  """
  for field in (sweep.partition('=')[0] for sweep in sweeps):
    if field == 'seed' or field in [f'data.{one}' for one in examples]:
      raise InputError(
          f'--sweep={field}: all runs of a comparison share it, as differences'
          ' are taken seed by seed and on the same examples: give '
          + ('--seeds=0,1.' if field == 'seed' else 'one --task=compare, with a'
             ' --workdir, for each value.'))
  made = []
  for path, config in configs:
    for changed in combinations(sweeps, config, path):
      varied = config.copy_and_resolve_references()
      varied.update_from_flattened_dict(changed)
      made.append(Variant(path, varied, changed))
  return made


def combinations(sweeps: Sequence[str], config: ConfigDict,
                 path: str) -> list[Changed]:
  """Returns the fields of each combination; the last sweep varies fastest.

  Args:
    sweeps: the values of --sweep, each FIELD=VALUE,VALUE,...
    config: the config that has the fields.
    path: its path, used in error messages.

  Returns:
    {field: value} of each combination; a single {} if there are no sweeps.

  Raises:
    InputError: a sweep has another form, an unknown field, or a value that is
      given twice or has the wrong type.
  """
  values: dict[str, list[Any]] = {}
  for sweep in sweeps:
    field, equals, text = sweep.partition('=')
    if not equals or not field or not text:
      raise InputError(
          f'--sweep={sweep} is no field with values: give'
          ' --sweep=SECTION.FIELD=VALUE,VALUE, such as'
          ' --sweep=optimizer.learning_rate=0.003,0.01.')
    if field in values:
      raise InputError(f'--sweep gives {field} twice: give all of its values'
                       ' at once, with commas between them.')
    values[field] = [config_flag.read_field(field, one, config, path)
                     for one in _split(text)]
    for i, value in enumerate(values[field]):
      if value in values[field][:i]:
        raise InputError(f'--sweep={sweep} gives {value!r} twice: give each'
                         ' value once.')
  return [dict(zip(values, chosen, strict=True))
          for chosen in itertools.product(*values.values())]


def folder(path: str) -> str:
  """'configs/ablations/no_norm.py:small' -> 'ablations/no_norm-small'."""
  name, form = claims.name_and_form(path)
  return f'{name}-{form}' if form else name


def name(changed: Changed) -> str:
  """Returns the name of a folder for a combination; '' for none.

  Where the values have other characters than letters, digits and .,=+-, or are
  long, a checksum of them keeps names apart.
  """
  text = as_text(changed).replace(' ', '')
  safe = re.sub(r'[^\w.,=+-]+', '_', text, flags=re.ASCII)
  if safe == text and len(text) <= LONGEST:
    return text
  checksum = zlib.crc32(text.encode(errors='surrogateescape'))
  return f'{safe[:LONGEST]}-{checksum:08x}'


def as_text(changed: Changed) -> str:
  """Returns 'optimizer.learning_rate=0.003, model.dropout=True'."""
  return ', '.join(f'{field}={value}' for field, value in changed.items())


def _split(text: str) -> list[str]:
  """Splits at the commas that are not inside brackets."""
  parts, depth = [''], 0
  for character in text:
    depth += (character in '([') - (character in ')]')
    if character == ',' and not depth:
      parts.append('')
    else:
      parts[-1] += character
  return [part.strip() for part in parts]
