"""How the figures look: one font size, colours that everybody can tell apart.

The colours are those of Okabe and Ito's "Color Universal Design" (2008).
"""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from alexnet_jax.errors import InputError

BLUE, VERMILION, GREY = '#0072B2', '#D55E00', '#555555'
FORMATS = ('.png', '.pdf', '.svg')

_SETTINGS = {
    'font.family': 'DejaVu Sans',  # comes with matplotlib, so is everywhere
    'font.size': 9,
    'axes.labelsize': 9,
    'axes.titlesize': 9,
    'xtick.labelsize': 8,
    'ytick.labelsize': 8,
    'legend.fontsize': 8,
    'axes.spines.top': False,
    'axes.spines.right': False,
    'axes.linewidth': 0.8,
    'legend.frameon': False,
    'svg.fonttype': 'none',
    'pdf.fonttype': 42,
}


def check(flag: str, path: str) -> None:
  """Raises InputError if no picture can have the name that a flag gives."""
  if os.path.splitext(path)[1] not in FORMATS or os.path.isdir(path):
    raise InputError(f'--{flag}={path} is no picture: give a name that ends in'
                     f' {", ".join(FORMATS)}.')


def write_numbers(picture: str, numbers: Mapping[str, Any]) -> str:
  """Writes what a picture shows into the .json of the same name: its path."""
  path = os.path.splitext(picture)[0] + '.json'
  with open(path, 'w', encoding='utf-8') as file:
    json.dump(numbers, file, indent=2)
    file.write('\n')
  return path


@contextmanager
def figure(path: str, width: float = 5.0,
           height: float = 3.5) -> Iterator[Figure]:
  """A figure of so many inches, written to `path` when its block ends."""
  with matplotlib.rc_context(_SETTINGS):
    drawn = Figure(figsize=(width, height), layout='constrained')
    yield drawn
    os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
    drawn.savefig(path, dpi=300)
