"""Figure 4, right: queries and the training images nearest to each.

Below the nearest images by features, those of other searches are drawn smaller,
such as by pixels. The paper says that these differ: at the pixel level, "the
retrieved training images are generally not close in L2 to the query images".
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch

from alexnet_jax.analysis.class_words import shortened
from alexnet_jax.figures import style

QUERIES, NEIGHBORS = 8, 10  # At most this many are drawn.
# Inches: a picture, the smaller ones below, the query beside both, and text.
SIDE, SMALL, QUERY, LINE = 1.15, 0.82, 1.7, 0.19
LEGEND, BETWEEN = 0.4, 0.15  # below the legend, between queries
NARROWEST = 4.0  # of the title
# Characters that fit below, at 8 points or 0.07 inches each.
UNDER, UNDER_QUERY = 17, 24
LIGHT = '#BBBBBB'


class Picture(NamedTuple):
  """An image and its caption."""

  image: np.ndarray  # uint8 [S, S, 3]
  label: str
  same: bool | None = None  # Of the query's class; None: it has no known one.


class QueryRow(NamedTuple):
  """A query and its neighbors, nearest first."""

  query: Picture
  # {how they were found: pictures}; of two, the first are drawn larger.
  by: Mapping[str, Sequence[Picture]]


def draw(rows: Sequence[QueryRow], numbers: Mapping[str, Any],
         out: str) -> None:
  """Draws up to eight queries with up to ten neighbors each.

  Pictures of the query's class have a thick blue frame, others a thin gray one;
  the neighbors of a query whose class is not known have none.

  Args:
    rows: one query or more, all found in the same ways and with the same
      number of neighbors.
    numbers: the numbers to write beside the picture.
    out: the file.
  """
  rows = rows[:QUERIES]
  ways = list(rows[0].by)
  sides = (SIDE, SMALL) if len(ways) == 2 else (SMALL,) * len(ways)
  side = max(sides)
  columns = min(NEIGHBORS, len(rows[0].by[ways[0]]))
  width = max(NARROWEST, QUERY + LINE + columns * (side + 0.08))
  height = len(rows) * (
      sum(sides) + len(sides) * LINE + BETWEEN) + LEGEND
  lines = len(ways) + 1  # of a query; the last is empty
  under = round(UNDER * side / SIDE)
  with style.figure(out, width, height, numbers, style.SCREEN, w_pad=0.02,
                    h_pad=0.02, wspace=0.01, hspace=0.01) as figure:
    grid = figure.add_gridspec(
        lines * len(rows), 2 + columns,
        height_ratios=(*sides, BETWEEN) * len(rows),
        width_ratios=(QUERY, LINE, *(side,) * columns))
    for i, row in enumerate(rows):
      top = lines * i
      _draw_picture(figure.add_subplot(grid[top:top + len(ways), 0]), row.query,
                    UNDER_QUERY, 'black')
      for line, (name, neighbors) in enumerate(row.by.items(), top):
        beside = figure.add_subplot(grid[line, 1])
        beside.set_axis_off()
        beside.text(0.5, 0.5, name, rotation=90, ha='center', va='center',
                    fontsize=8, color=style.GRAY)
        for place, picture in enumerate(neighbors[:columns]):
          _draw_picture(figure.add_subplot(grid[line, 2 + place]),
                        picture, under, style.GRAY)
    known = any(picture.same is not None
                for row in rows for picture in row.by[ways[0]])
    figure.legend(
        handles=[
            Patch(fill=False, ec=style.BLUE, lw=2, label="query's class"),
            Patch(fill=False, ec=LIGHT, lw=0.8, label='another class')]
        if known else [],
        loc='outside upper right', ncols=2,
        title='nearest training images, by ' + (
            ' and by '.join(ways) if len(ways) < 3 else 'each search'),
        title_fontsize=9, alignment='right')


def _draw_picture(axes: Axes, picture: Picture, characters: int,
                  color: str) -> None:
  axes.imshow(picture.image)
  axes.set(xticks=[], yticks=[])
  axes.set_xlabel(shortened(picture.label, characters), fontsize=8,
                  parse_math=False,
                  color=style.BLUE if picture.same else color, labelpad=2)
  axes.spines[:].set(
      visible=picture.same is not None,
      color=style.BLUE if picture.same else LIGHT,
      linewidth=2.2 if picture.same else 0.6)
