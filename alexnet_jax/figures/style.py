"""The style of the figures: fonts, and colors for all kinds of color vision.

The colors are those of Okabe and Ito's "Color Universal Design" (2008).
"""

import os
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from alexnet_jax import files
from alexnet_jax.errors import InputError, printable

BLUE, VERMILION, GRAY = '#0072B2', '#D55E00', '#555555'
FORMATS = ('.png', '.pdf', '.svg')
VECTORS = ('.pdf', '.svg')
PRINT = 300  # pixels an inch, also of the images in VECTORS
SCREEN = 150  # pixels an inch at which 8 points are easily read on a screen

_SETTINGS: dict[Any, Any] = {
    'font.family': 'DejaVu Sans',  # Matplotlib includes it.
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


def check_picture_path(flag: str, path: str) -> None:
  """Raises InputError if the value of a flag is not a valid picture path."""
  if os.path.splitext(path)[1] not in FORMATS or os.path.isdir(path):
    raise InputError(f'--{flag}={path} is no picture: give a name that ends in'
                     f' {", ".join(FORMATS)}.')


def numbers_path(picture: str) -> str:
  """Returns the file of a picture's numbers: the .json of the same name."""
  return os.path.splitext(picture)[0] + '.json'


def drawn(picture: str) -> str:
  """Returns the sentence that says where a picture and its numbers are."""
  return printable(f'Drawn in {picture}; the numbers are in'
                   f' {numbers_path(picture)}.')


@contextmanager
def figure(path: str, width: float = 5.0, height: float = 3.5,
           numbers: Mapping[str, Any] | None = None, dpi: int = PRINT,
           **spacing: Any) -> Generator[Figure]:
  """Yields a figure, and writes it and its numbers at the end of the block.

  Args:
    path: the file.
    width: the width in inches.
    height: the height in inches.
    numbers: the numbers in the figure, which go into `numbers_path`.
    dpi: pixels an inch of a file of pixels; SCREEN for one to look at.
    **spacing: arguments of matplotlib's `ConstrainedLayoutEngine`.
  """
  with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
    # Letters that the font lacks are drawn as boxes.
    warnings.filterwarnings('ignore', message='Glyph .* missing from font')
    drawn = Figure(figsize=(width, height),
                   layout=ConstrainedLayoutEngine(**spacing))
    yield drawn
    ending = os.path.splitext(path)[1]
    with files.atomic_write(path) as file:
      drawn.savefig(file, dpi=PRINT if ending in VECTORS else dpi,
                    format=ending[1:])
  if numbers is not None:
    files.write_json(numbers_path(path), numbers)
