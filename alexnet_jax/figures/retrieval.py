"""The precision of retrieval, precision@k, as a picture."""

from collections.abc import Mapping
from typing import Any

from matplotlib.ticker import MaxNLocator, PercentFormatter

from alexnet_jax.figures import style

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
  with style.figure(out, 5.0, 3.0, numbers) as figure:
    axes = figure.add_subplot()
    for name, (color, dashes) in LINES.items():
      precision = numbers[name]['precision']
      axes.plot(range(1, len(precision) + 1), precision, color=color,
                ls=dashes, lw=1.6,
                label=f'{name} ({numbers[name]["queries"]:,} queries)')
    axes.axhline(numbers['chance'], color=style.GRAY, lw=0.8, ls=':',
                 label='chance')
    axes.set(xlabel=f'k nearest of {numbers["images"]:,} training images',
             ylabel="share of the query's class (precision@k)",
             xlim=(1, len(numbers['features']['precision'])), ylim=(0, None))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.legend()
