"""What a network mixes up: the matrix of confusions, as a picture."""

import os
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from alexnet_jax.analysis import confusion
from alexnet_jax.analysis.answers import Answers, Example
from alexnet_jax.analysis.class_words import shortened
from alexnet_jax.figures import calibration, examples, style

MATRIX, CALIBRATION = 'confusion.png', 'calibration.png'
WORST, UNCERTAIN = 'worst.jpg', 'uncertain.jpg'
FILES = (MATRIX, WORST, UNCERTAIN, CALIBRATION)
CELL = 0.36  # inches
NAME, CHARACTER = 18, 0.085  # most characters of a class name; inches of one
BESIDE = 0.9  # inches of axis titles
NARROWEST = 3.6  # inches of the title
DARK = 0.55  # share from which the text in a cell is white


def draw_all(answers: Answers, worst: Sequence[Example],
             uncertain: Sequence[Example], folder: str,
             names: Sequence[str]) -> None:
  """Draws FILES into a folder.

  Args:
    answers: the answers to all images.
    worst: the images of `answers.worst`.
    uncertain: those of `answers.uncertain`.
    folder: the folder; created if it does not exist.
    names: the class names to show.
  """
  draw(confusion.most_confused(answers), len(answers.class_names), names,
       os.path.join(folder, MATRIX))
  calibration.draw(confusion.calibration(answers),
                   os.path.join(folder, CALIBRATION))
  for shown, title, file in (
      (worst, 'The wrong answers that the network is most certain of', WORST),
      (uncertain, 'The images that the network is least certain of',
       UNCERTAIN)):
    examples.draw(shown, names, title, os.path.join(folder, file))


def draw(block: confusion.Block, total: int, names: Sequence[str],
         out: str) -> None:
  """Draws the matrix: a row for each true class, a column for each answer.

  A cell has the percentage of the images of its row. Right answers are blue,
  wrong ones orange; all others of a part of the matrix are gray.

  Args:
    block: the matrix or a part of it.
    total: number of all classes.
    names: the names of all classes.
    out: the file.
  """
  images = block.counts.sum(1, keepdims=True)
  shares = block.counts / np.maximum(images, 1)
  shown = [shortened(names[i], NAME) for i in block.classes]
  size = len(shown)
  part = size < total
  columns = size + part
  beside = BESIDE + CHARACTER * max(map(len, shown))
  with style.figure(out, max(NARROWEST, beside + CELL * columns + 0.5),
                    beside + CELL * size + 0.4, dpi=style.SCREEN) as figure:
    axes = figure.add_subplot()
    _draw_cells(axes, shares[:, :columns], images[:, 0])
    answers = [*shown, 'all others'] if part else shown
    axes.set_xticks(range(columns), answers, rotation=90, parse_math=False)
    axes.set_yticks(range(size), [
        f'{name} ({int(count):,})'
        for name, count in zip(shown, images[:, 0], strict=True)],
                    parse_math=False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set(xlabel='answer of the network', ylabel='true class (images)')
    what = (f'the {size} of {total:,} classes with the most confusions'
            if part else f'all {total:,} classes')
    figure.suptitle(f'Answers in percent of the true class:\n{what}',
                    fontsize=9, x=0.02, ha='left')


def _draw_cells(axes: Axes, shares: np.ndarray, images: np.ndarray) -> None:
  rows, columns = shares.shape
  row, column = np.indices(shares.shape)
  for color, cells in ((style.BLUE, row == column),
                       (style.VERMILION, (row != column) & (column < rows)),
                       (style.GRAY, column == rows)):
    axes.imshow(
        np.ma.masked_array(shares, ~cells), vmin=0, vmax=1,
        cmap=LinearSegmentedColormap.from_list('', ('white', color)))
  for row, column in np.argwhere(shares > 0):
    share = shares[row, column]
    axes.text(column, row, f'{share:.0%}'.removesuffix('%'), ha='center',
              va='center', fontsize=8,
              color='white' if share > DARK else 'black')
  for row in np.flatnonzero(images == 0):
    axes.text((columns - 1) / 2, row, 'no images', ha='center',
              va='center', fontsize=8, color=style.GRAY)
  axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
  axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
  axes.grid(which='minor', color='#E3E3E3', linewidth=0.5)
  axes.tick_params(which='minor', length=0)
