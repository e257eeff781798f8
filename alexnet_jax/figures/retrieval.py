"""The precision of retrieval, precision@k, as a picture."""

import itertools
from collections.abc import Mapping
from typing import Any

from matplotlib.ticker import MaxNLocator, PercentFormatter

from alexnet_jax.figures import style
from alexnet_jax.figures.curves import COLORS

LINES = {'features': (style.BLUE, 'solid'),
         'pixels': (style.VERMILION, (0, (4, 1.5)))}


def draw(numbers: Mapping[str, Any], out: str) -> None:
  """Draws precision@k against k, one line per distance measure.

  Args:
    numbers: {'features': {'queries': their number, 'precision': [k]}, 'pixels':
      the same, 'chance': the precision of random images, 'images': the number
      of images in the database}.
    out: the file.
  """
  lines = [(f'{name} ({numbers[name]["queries"]:,} queries)',
            numbers[name]['precision'], *how) for name, how in LINES.items()]
  with style.figure(out, 5.0, 3.0, numbers) as figure:
    _draw_lines(figure.add_subplot(), lines, numbers).legend()


def draw_searches(numbers: Mapping[str, Any], out: str) -> None:
  """Draws precision@k against k, one line per search.

  The features of a layer are drawn solid, codes of them dashed; pixels have the
  color that they have beside the features.

  Args:
    numbers: what `layer_searches.compare` returns.
    out: the file.
  """
  searches = numbers['searches'][::-1]
  layers = dict.fromkeys(search['layer'] for search in searches)
  pixels, _ = LINES['pixels']
  others = itertools.cycle(color for color in COLORS if color != pixels)
  colors = {layer: pixels if layer == 'pixels' else next(others)
            for layer in layers}
  lines = [(search['name'], search['precision'], colors[search['layer']],
            (0, (4, 1.5)) if search['bits'] else 'solid')
           for search in searches]
  with style.figure(out, 6.4, 3.4, numbers) as figure:
    _draw_lines(figure.add_subplot(), lines, numbers)
    figure.legend(loc='outside right upper')


def _draw_lines(axes, lines, numbers):
  """Draws lines (label, precision, color, dashes) and the level of chance."""
  for label, precision, color, dashes in lines:
    axes.plot(range(1, len(precision) + 1), precision, color=color,
              ls=dashes, lw=1.6, label=label)
  axes.axhline(numbers['chance'], color=style.GRAY, lw=0.8, ls=':',
               label='chance')
  axes.set(xlabel=f'k nearest of {numbers["images"]:,} training images',
           ylabel="share of the query's class (precision@k)",
           xlim=(1, len(lines[0][1])), ylim=(0, None))
  axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
  axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
  return axes
