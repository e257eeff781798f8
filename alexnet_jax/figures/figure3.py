"""Figure 3 as a picture: the kernels, and below them how colorful they are."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from alexnet_jax.figures import style

PER_ROW = 16  # as in the paper and in the program's shownet.py
# All lengths are pixels of a .png, of which style.py writes 300 per inch, so
# that each weight is a square of whole pixels.
DPI = 300
WIDTH = 1740  # of the kernels, nearly: a whole number for each weight
MARGIN = 24
LABEL = 66  # above a column's kernels
ROW = 190  # of dots, one for each column
AXIS = 120  # below the dots
TITLE = 125  # above them
NAMES = 170  # left of them
BINS = 50  # of dots between 0 and 1
DOT = 25  # pixels across


def mosaic(shown: np.ndarray) -> np.ndarray:
  """Kernels in rows of 16: [C, h, w, 3] -> [rows * (h+1) - 1, 16 (w+1) - 1, 3].

  A white line of one weight's width between them; white where a row ends.
  """
  count, height, width, _ = shown.shape
  rows = -(-count // PER_ROW)
  tiles = np.ones((rows * PER_ROW, height + 1, width + 1, 3))
  tiles[:count, :height, :width] = shown
  tiled = tiles.reshape(rows, PER_ROW, height + 1, width + 1, 3)
  whole = tiled.transpose(0, 2, 1, 3, 4).reshape(
      rows * (height + 1), PER_ROW * (width + 1), 3)
  return whole[:-1, :-1]


def stretched(kernels: np.ndarray, per_kernel: bool) -> np.ndarray:
  """Weights as colors 0 to 1: [K, C, h, w, 3] -> the same shape.

  The smallest weight of the whole layer is 0 and its largest 1, as in the
  program's shownet.py; `per_kernel` does so for each kernel alone, which shows
  the faint ones.
  """
  axes = (2, 3, 4) if per_kernel else None
  low = kernels.min(axes, keepdims=True)
  span = kernels.max(axes, keepdims=True) - low
  return np.where(span > 0, (kernels - low) / np.where(span > 0, span, 1), 0.5)


def draw(kernels: np.ndarray, numbers: Mapping[str, Any], per_kernel: bool,
         out: str) -> None:
  """Draws column 1 above column 2, and the colorfulness of each kernel.

  Args:
    kernels: [K, C, h, w, 3].
    numbers: of `figure3.measure`.
    per_kernel: see `stretched`.
    out: the file.
  """
  pictures = [mosaic(column) for column in stretched(kernels, per_kernel)]
  rows, across, _ = pictures[0].shape
  zoom = max(1, round(WIDTH / across))
  rows, across, columns = rows * zoom, across * zoom, len(pictures)
  width = across + 2 * MARGIN
  dots = columns * ROW
  height = MARGIN + columns * (LABEL + rows) + TITLE + dots + AXIS
  # A hair more than whole pixels, lest rounding lose the last.
  with style.figure(out, (width + 0.01) / DPI, (height + 0.01) / DPI,
                    numbers) as figure:
    figure.set_layout_engine('none')  # every place is given here
    top = MARGIN
    for k, picture in enumerate(pictures):
      top += LABEL
      axes = _place(figure, MARGIN, top, across, rows)
      axes.imshow(picture, aspect='auto', interpolation='nearest')
      axes.set_axis_off()
      axes.set_title(f'Column {k + 1}', loc='left', pad=4)
      axes.set_title(_about(numbers['columns'][k]), loc='right', pad=4)
      top += rows
    _dots(_place(figure, MARGIN + NAMES, top + TITLE, across - NAMES, dots),
          numbers)


def _place(figure: Figure, left, top, width, height) -> Axes:
  """Axes at pixels that are counted from the upper left corner."""
  whole_width, whole_height = (figure.get_size_inches() * DPI).round()
  return figure.add_axes((
      left / whole_width, 1 - (top + height) / whole_height,
      width / whole_width, height / whole_height))


def _about(column):
  return (f'mean colorfulness {column["mean_colorfulness"]:.2f}, '
          f'{100 * column["oriented"]:.0f} % oriented')


def _dots(axes: Axes, numbers):
  """A dot for each kernel above its colorfulness, a row for each column."""
  noise, columns = numbers['random_kernels'], numbers['columns']
  axes.axvspan(noise['colorfulness'] - 2 * noise['stddev'],
               noise['colorfulness'] + 2 * noise['stddev'],
               color='#DDDDDD', lw=0, zorder=0)
  axes.annotate('random kernels', (noise['colorfulness'], 1), (0, 2),
                xycoords=axes.get_xaxis_transform(), va='bottom', ha='center',
                textcoords='offset points', color=style.GRAY, fontsize=8)
  many = (len(columns), -1)
  across, up = _stacked(np.array(
      [held['colorfulness'] for held in numbers['kernels']]).reshape(many))
  learned = np.array(
      [held['learned'] for held in numbers['kernels']]).reshape(many)
  for k, column in enumerate(columns):
    for chosen, face in ((learned[k], style.BLUE), (~learned[k], 'white')):
      axes.scatter(across[k, chosen], up[k, chosen] - k,
                   (DOT * 72 / DPI) ** 2, face, edgecolors=style.BLUE,
                   linewidths=0.7, zorder=3)
    mean = column['mean_colorfulness']
    axes.plot([mean, mean], [-k, 0.9 - k], color=style.VERMILION, lw=1.6,
              zorder=4)
    axes.axhline(-k, color=style.GRAY, lw=0.6, zorder=1)
  axes.set_yticks([0.4 - k for k in range(len(columns))],
                  [f'column {k + 1}' for k in range(len(columns))])
  axes.tick_params(axis='y', length=0)
  axes.spines[['left', 'bottom']].set_visible(False)
  axes.set(xlim=(-0.015, 1.015), ylim=(1 - len(columns), 1),
           xlabel='Colorfulness of each kernel: the share of its energy off'
           ' the gray axis')
  axes.set_title(_title(numbers, learned.all()), pad=15)


def _stacked(values):
  """Places (x, y) of dots [K, C], piled up where alike, the highest below 1."""
  bins = np.minimum((values * BINS).astype(int), BINS - 1)
  below = np.array([[(row[:i] == row[i]).sum() for i in range(len(row))]
                    for row in bins])
  pitch = min(1.1 * DOT / ROW, 0.85 / (below.max() + 1))
  return (bins + 0.5) / BINS, (below + 0.6) * pitch


def _title(numbers, all_learned):
  found = numbers['difference']
  said = ('The line is the mean' if found is None else
          f'Means (lines) {found["value"]:.2f} apart: p = '
          f'{found["p_value"]:.2g}, permutation test')
  return said + ('' if all_learned else '; hollow: not learned')
