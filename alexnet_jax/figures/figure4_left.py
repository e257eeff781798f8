"""Figure 4, left: pictures and their five most probable labels."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes

from alexnet_jax.analysis.class_words import shortened
from alexnet_jax.figures import style

DRAWN = 8  # Pictures in the paper's figure.
COLUMNS = 4
WIDTH, HEIGHT = 1.9, 3.3  # Of one panel, in inches.
PICTURE, BARS = 1.7, 1.35  # Shares of its height.
SIDE = 480  # Pixels of a picture that are useful at 300 dpi.
UNDER, BESIDE = 26, 21  # Characters that fit there.
REST = '#E3E3E3'  # The rest of a bar, up to probability 1.


class Panel(NamedTuple):
  """One picture and its predictions."""

  picture: np.ndarray  # uint8 [S, S, 3]
  title: str  # The true label or the file name.
  known: bool  # Whether the title is the true label.
  labels: Sequence[str]  # Most probable first.
  probabilities: Sequence[float]  # 0..1, of the labels.
  right: int | None  # Index of the true label, if it is there.


def draw(panels: Sequence[Panel], numbers: Mapping[str, Any],
         out: str) -> None:
  """Draws up to eight panels, four in a row, as in the paper.

  The title below a picture is its true label in bold, or its file name. If the
  true label is among the five, its bar is red and its text is bold.

  Args:
    panels: the pictures; those after the eighth are omitted.
    numbers: the numbers to write beside the picture.
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
  axes.set(xlim=(0, 1), ylim=(5.5, 0))  # Half a line of space below.
  for place, (label, probability) in enumerate(
      zip(panel.labels, panel.probabilities, strict=True)):
    right = place == panel.right
    color = style.VERMILION if right else style.BLUE
    text: dict[str, Any] = {
        'fontsize': 8, 'weight': 'bold' if right else 'normal',
        'parse_math': False}
    # A label of wide letters is clipped where its number begins.
    axes.text(0, place + 0.6, shortened(label, BESIDE), clip_on=True, **text)
    axes.text(1, place + 0.6, f'{probability:.0%}', ha='right', **text,
              bbox={'color': 'white', 'pad': 0.5, 'lw': 0})
    axes.barh(place + 0.8, 1, 0.14, color=REST)
    axes.barh(place + 0.8, probability, 0.14, color=color)
