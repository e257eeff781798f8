"""What the paper and its program claim: the constant CLAIM of config files.

A config is called by its path without 'configs/' and '.py'; what stands behind
a colon is its form: configs/ablations/no_norm.py:small is form 'small' of
'ablations/no_norm'.
"""

import glob
import os
import re
import runpy
from typing import NamedTuple

from alexnet_jax.errors import InputError

FOLDER = 'configs'
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class Claim(NamedTuple):
  """One number to measure. Errors are in percent; None: given nowhere."""

  config: str  # 'ablations/no_norm'
  what: str
  section: str  # of the paper
  against: str  # config that the errors are differences to; '': to nothing
  top1_error: float | None
  top5_error: float | None
  source: str
  ratio: float | None = None  # Figure 1's; then there are no errors


def name_and_form(path: str) -> tuple[str, str]:
  """'configs/ablations/no_norm.py:small' -> ('ablations/no_norm', 'small').

  Of a file that is in no folder called configs its own name is left.
  """
  file, _, form = path.partition(':')
  file = os.path.normpath(file).removesuffix('.py')
  _, inside, name = f'/{file}'.rpartition(f'/{FOLDER}/')
  return (name if inside else os.path.basename(file)), form


def read(folder: str = os.path.join(ROOT, FOLDER)) -> list[Claim]:
  """The claims of all config files in a folder, by section and then by name.

  Raises:
    InputError: a CLAIM with other fields than those above.
  """
  found = []
  for path in glob.glob(os.path.join(folder, '**', '*.py'), recursive=True):
    fields = runpy.run_path(path).get('CLAIM')
    if fields is None:
      continue
    wanted = Claim._fields[1:-1]
    if {*fields, 'ratio'} != {*wanted, 'ratio'}:
      raise InputError(
          f'CLAIM in {path} has the fields {", ".join(fields)}: give it'
          f' {", ".join(wanted)}.')
    name = os.path.relpath(path, folder).removesuffix('.py')
    found.append(Claim(name.replace(os.sep, '/'), **fields))
  return sorted(found, key=lambda claim: (_numbers(claim.section),
                                          claim.config))


def _numbers(section: str) -> list[int]:
  """So that 4.10 comes after 4.2."""
  return [int(number) for number in re.findall(r'\d+', section)]
