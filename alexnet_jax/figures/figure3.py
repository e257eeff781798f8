"""Figure 3 as a picture: the kernels, and below them their colorfulness.

Of several networks, the kernels alone, in a row for each.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from alexnet_jax.errors import printable
from alexnet_jax.figures import style

PER_ROW = 16  # As in the paper and in the program's shownet.py.
# All lengths are in pixels of a .png, which style.py writes at 300 per inch, so
# that each weight is a square of whole pixels.
DPI = 300
WIDTH = 1740  # Approximate width of the kernels; weights are whole pixels.
MARGIN = 24
LABEL = 66  # Above a column's kernels.
ROW = 190  # Height of a row of dots, one row per column.
AXIS = 120  # Below the dots.
TITLE = 125  # Above the dots.
NAMES = 170  # Left of the dots.
BINS = 50  # Bins of dots between 0 and 1.
DOT = 25  # Diameter in pixels.


def mosaic(shown: np.ndarray) -> np.ndarray:
  """Tiles kernels, 16 a row: [C, h, w, 3] -> [rows*(h+1) - 1, 16*(w+1) - 1, 3].

  Kernels are separated by white lines as wide as one weight; the rest of an
  incomplete row is white.
  """
  count, height, width, _ = shown.shape
  rows = -(-count // PER_ROW)
  tiles = np.ones((rows * PER_ROW, height + 1, width + 1, 3))
  tiles[:count, :height, :width] = shown
  tiled = tiles.reshape(rows, PER_ROW, height + 1, width + 1, 3)
  grid = tiled.transpose(0, 2, 1, 3, 4).reshape(
      rows * (height + 1), PER_ROW * (width + 1), 3)
  return grid[:-1, :-1]


def stretched(kernels: np.ndarray, per_kernel: bool) -> np.ndarray:
  """Scales weights to colors from 0 to 1: [K, C, h, w, 3] -> the same shape.

  The smallest weight of the whole layer is 0 and its largest 1, as in the
  program's shownet.py; `per_kernel` scales each kernel separately, which makes
  faint kernels visible.
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
    numbers: the output of `specialization.measure`.
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
  # Slightly more than whole pixels, so that rounding keeps the last one.
  with style.figure(out, (width + 0.01) / DPI, (height + 0.01) / DPI,
                    numbers) as figure:
    figure.set_layout_engine('none')  # All positions are explicit here.
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


def draw_rows(kernels: Mapping[str, np.ndarray], numbers: Mapping[str, Any],
              per_kernel: bool, out: str) -> None:
  """Draws a row for each network, with its columns side by side.

  Args:
    kernels: {name: [K, C, h, w, 3]}; the shapes are the same.
    numbers: 'rows' has the output of `specialization.measure` of each name.
    per_kernel: see `stretched`; the contrast of each row is stretched alone.
    out: the file.
  """
  pictures = {
      name: [mosaic(column) for column in stretched(one, per_kernel)]
      for name, one in kernels.items()}
  first = next(iter(pictures.values()))
  rows, across, _ = first[0].shape
  zoom = max(1, round((WIDTH / len(first) - MARGIN) / across))
  rows, across = rows * zoom, across * zoom
  width = len(first) * (across + MARGIN) + MARGIN
  height = len(pictures) * (2 * LABEL + rows) + MARGIN
  with style.figure(out, (width + 0.01) / DPI, (height + 0.01) / DPI,
                    numbers) as figure:
    figure.set_layout_engine('none')
    for i, (name, columns) in enumerate(pictures.items()):
      row, top = numbers['rows'][name], i * (2 * LABEL + rows) + 2 * LABEL
      for k, picture in enumerate(columns):
        axes = _place(figure, MARGIN + k * (across + MARGIN), top, across, rows)
        axes.imshow(picture, aspect='auto', interpolation='nearest')
        axes.set_axis_off()
        axes.set_title(
            f'Column {k + 1}: colorfulness'
            f' {row["columns"][k]["mean_colorfulness"]:.2f}',
            loc='left', pad=4, fontsize=8, color=style.GRAY)
      figure.text(MARGIN / width, 1 - (top - LABEL) / height,
                  printable(name) + _test(row), parse_math=False)


def _test(row):
  difference = row['difference']
  return '' if difference is None else (
      f': {difference["value"]:.2f} apart, p = {difference["p_value"]:.2g}')


def _place(figure: Figure, left, top, width, height) -> Axes:
  """Adds axes at a position in pixels from the upper left corner."""
  whole_width, whole_height = (figure.get_size_inches() * DPI).round()
  return figure.add_axes((
      left / whole_width, 1 - (top + height) / whole_height,
      width / whole_width, height / whole_height))


def _about(column):
  return (f'mean colorfulness {column["mean_colorfulness"]:.2f}, '
          f'{100 * column["oriented"]:.0f} % oriented')


def _dots(axes: Axes, numbers):
  """Draws a dot per kernel at its colorfulness, and a row per column."""
  noise, columns = numbers['random_kernels'], numbers['columns']
  axes.axvspan(noise['colorfulness'] - 2 * noise['stddev'],
               noise['colorfulness'] + 2 * noise['stddev'],
               color='#DDDDDD', lw=0, zorder=0)
  axes.annotate('random kernels', (noise['colorfulness'], 1), (0, 2),
                xycoords=axes.get_xaxis_transform(), va='bottom', ha='center',
                textcoords='offset points', color=style.GRAY, fontsize=8)
  many = (len(columns), -1)
  across, up = _stacked(np.array(
      [kernel['colorfulness'] for kernel in numbers['kernels']]).reshape(many))
  learned = np.array(
      [kernel['learned'] for kernel in numbers['kernels']]).reshape(many)
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
  """Returns (x, y) of dots [K, C]; dots in the same bin stack up, below 1."""
  bins = np.minimum((values * BINS).astype(int), BINS - 1)
  below = np.array([[(row[:i] == row[i]).sum() for i in range(len(row))]
                    for row in bins])
  pitch = min(1.1 * DOT / ROW, 0.85 / (below.max() + 1))
  return (bins + 0.5) / BINS, (below + 0.6) * pitch


def _title(numbers, all_learned):
  difference = numbers['difference']
  caption = ('The line is the mean' if difference is None else
          f'Means (lines) {difference["value"]:.2f} apart: p = '
          f'{difference["p_value"]:.2g}, permutation test')
  return caption + ('' if all_learned else '; hollow: not learned')
