"""Figure 4, left: pictures and the five labels considered most probable."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from alexnet_jax.analysis.class_words import shortened
from alexnet_jax.figures import style

DRAWN = 8  # pictures in the paper's figure
COLUMNS = 4
WIDTH, HEIGHT = 1.9, 3.3  # of one panel, in inches
PICTURE, BARS = 1.7, 1.35  # shares of its height
SIDE = 480  # pixels of a picture that are worth drawing at 300 dpi
UNDER, BESIDE = 26, 21  # characters that fit under a picture, beside its bars
REST = '#E3E3E3'  # of a bar, up to certainty


class Panel(NamedTuple):
  """One picture and its predictions."""

  picture: np.ndarray  # uint8 [S, S, 3]
  title: str  # its true label, or its file's name
  known: bool  # whether that is the true label
  labels: Sequence[str]  # the most probable first
  probabilities: Sequence[float]  # 0..1, of the labels
  right: int | None  # which of the labels is the true one


def draw(panels: Sequence[Panel], numbers: Mapping[str, Any],
         out: str) -> None:
  """Draws up to eight panels, four in a row, as in the paper.

  Under a picture stands its true label in bold, or its file's name; the bar of
  the true label, if it is among the five, is red and its text bold.

  Args:
    panels: the pictures; those after the eighth are left out.
    numbers: what is written beside the picture.
    out: the file.
  """
  panels = panels[:DRAWN]
  columns = min(COLUMNS, len(panels))
  rows = -(-len(panels) // columns)
  with style.figure(out, WIDTH * columns, HEIGHT * rows, numbers,
                    wspace=0.07) as figure:
    axes = figure.subplots(2 * rows, columns, squeeze=False,
                           height_ratios=(PICTURE, BARS) * rows)
    for one in axes.flat:
      one.set_axis_off()
    for i, panel in enumerate(panels):
      row, column = divmod(i, columns)
      axes[2 * row, column].imshow(panel.picture)
      _draw_bars(axes[2 * row + 1, column], panel)


def _draw_bars(axes: Axes, panel: Panel) -> None:
  axes.set_title(shortened(panel.title, UNDER), pad=3,
                 parse_math=False, weight='bold' if panel.known else 'normal')
  axes.set(xlim=(0, 1), ylim=(5.5, 0))  # half a line of room below
  for place, (label, probability) in enumerate(
      zip(panel.labels, panel.probabilities, strict=True)):
    right = place == panel.right
    color = style.VERMILION if right else style.BLUE
    text: dict[str, Any] = {
        'fontsize': 8, 'weight': 'bold' if right else 'normal',
        'parse_math': False}
    # A label of wide letters ends where its number begins.
    axes.text(0, place + 0.6, shortened(label, BESIDE), clip_on=True, **text)
    axes.text(1, place + 0.6, f'{probability:.0%}', ha='right', **text,
              bbox={'color': 'white', 'pad': 0.5, 'lw': 0})
    axes.barh(place + 0.8, 1, 0.14, color=REST)
    axes.barh(place + 0.8, probability, 0.14, color=color)
