"""What the paper and its program claim about each config.

A config file has its claim in the constant CLAIM, or several in CLAIMS;
configs/ablations.py has the table ABLATIONS, with one claim per row. The name
of a config is its path without 'configs/' and '.py'; the name of a row of the
table is 'ablations/NAME'. The rest of the argument after the colon is the form.
Numbers that belong to no config are in `claims_of_no_config.py`.
"""

import glob
import os
import re
import runpy
from collections.abc import Iterable
from typing import NamedTuple

from alexnet_jax.errors import InputError

FOLDER = 'configs'
TABLE, BASELINE = 'ablations', 'baseline'  # The file, and its default row.
ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))


class Claim(NamedTuple):
  """One number to measure. Errors are in percent; None: not published."""

  config: str  # Its name, such as 'ablations/no_norm'; '': of no config.
  what: str
  section: str  # Of the paper.
  against: str  # Errors are differences to this config; '': none.
  top1_error: float | None
  top5_error: float | None
  source: str
  ratio: float | None = None  # Of Figure 1; then there are no errors.
  form: str = ''  # The form of the config; '': any.
  crops: str = ''  # 'one', 'nine' or 'ten' in the test; '': the most that were.
  command: str = ''  # That measures it; '': the training of the config.

  @property
  def path(self) -> str:
    """The argument of --config, such as 'configs/ablations.py:no_norm'."""
    path = current_path(f'{FOLDER}/{self.config}.py')
    return f'{path}:{self.form}' if self.form else path


def name_and_form(path: str) -> tuple[str, str]:
  """Returns the name and the form of a config.

  'configs/ablations.py:no_norm,small' -> ('ablations/no_norm', 'small');
  '../mine.py:2' -> ('mine', '2'), since its folder is not named configs.
  """
  file, _, form = path.partition(':')
  file = os.path.normpath(file).removesuffix('.py')
  if os.path.basename(file) == TABLE:
    row, _, form = form.partition(',')
    file = os.path.join(file, row or BASELINE)
  _, folder, name = f'/{file}'.rpartition(f'/{FOLDER}/')
  return (name if folder else os.path.basename(file)), form


def current_path(path: str) -> str:
  """Converts the path of a config to the form that --config takes.

  Some workdirs record each ablation as a file:
  'configs/ablations/no_norm.py:small' -> 'configs/ablations.py:no_norm,small'.
  Other paths are returned unchanged.
  """
  return re.sub(
      rf'(^|/){FOLDER}/{TABLE}/(\w+)\.py(?::(.*))?$',
      lambda match: f'{match[1]}{FOLDER}/{TABLE}.py:{match[2]}'
      + (f',{match[3]}' if match[3] else ''), path)


def read(folder: str = os.path.join(ROOT, FOLDER)) -> list[Claim]:
  """Reads the claims of all config files, sorted by section and then by name.

  Raises:
    InputError: a claim does not have the fields of `Claim`.
  """
  claims = []
  for path in glob.glob(os.path.join(folder, '**', '*.py'), recursive=True):
    module = runpy.run_path(path)
    claims += [
        Claim(f'{TABLE}/{name}', row.what, row.section,
              '' if name == BASELINE else f'{TABLE}/{BASELINE}',
              row.top1_error, row.top5_error, row.source)
        for name, row in module.get('ABLATIONS', {}).items()]
    name = os.path.relpath(path, folder).removesuffix('.py')
    claims += [
        _claim_of(name.replace(os.sep, '/'), fields, path)
        for fields in (*module.get('CLAIMS', ()),
                       *([module['CLAIM']] if 'CLAIM' in module else []))]
  return in_order(claims)


def in_order(claims: Iterable[Claim]) -> list[Claim]:
  """Sorts claims by section and then by name, those of other papers last."""
  return sorted(claims, key=lambda claim: (
      ' of ' in claim.section, _numbers(claim.section), claim.config))


def _claim_of(name, fields, path):
  optional = Claim._field_defaults
  required = [field for field in Claim._fields[1:] if field not in optional]
  if {*fields, *optional} != {*required, *optional}:
    raise InputError(
        f'a claim in {path} has the fields {", ".join(fields)}: give it'
        f' {", ".join(required)}, and perhaps {", ".join(optional)}.')
  return Claim(name, **fields)


def _numbers(section: str) -> list[int]:
  """Returns a sort key that puts 4.10 after 4.2."""
  return [int(number) for number in re.findall(r'\d+', section)]
