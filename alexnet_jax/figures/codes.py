"""Precision of retrieval by binary codes against their length, as a picture."""

from collections.abc import Mapping
from typing import Any

from matplotlib.ticker import MaxNLocator, NullLocator, PercentFormatter

from alexnet_jax.figures import style

# The name, the color, the line style and the marker of each method.
LINES = {
    'auto-encoder': ('auto-encoder', style.BLUE, 'solid', 'o'),
    'hyperplanes': ('random hyperplanes', style.VERMILION, (0, (4, 1.5)), 's'),
}


def draw(numbers: Mapping[str, Any], out: str) -> None:
  """Draws precision against bits, one line per method.

  Args:
    numbers: the output of `codes_table.compare`.
    out: the file.
  """
  rows = numbers['rows']
  exact = next(row for row in rows if row['method'] == 'exact')
  rank = '10' if '10' in exact['precision'] else max(exact['precision'])
  bits = sorted({row['bits'] for row in rows if row is not exact})
  with style.figure(out, numbers=numbers) as figure:
    axes = figure.add_subplot()
    axes.set(xlabel='Bits of a code (bytes an image)',
             ylabel=f"Share of the query's class (precision@{rank})",
             xscale='log',
             xlim=(bits[0] / 1.25, bits[-1] * 1.25))
    for method, (name, color, dashes, marker) in LINES.items():
      points = sorted((row['bits'], row['precision'][rank])
                     for row in rows if row['method'] == method)
      axes.plot(*zip(*points, strict=True), color=color, ls=dashes,
                marker=marker, ms=5.5, mec='white', mew=0.8, lw=1.6,
                label=name)
    _level(axes, exact['precision'][rank],
           f'exact search ({exact["bytes"]:,})')
    _level(axes, numbers['chance'], 'chance')
    axes.set_ylim(bottom=0)
    axes.margins(y=0.12)
    axes.set_xticks(bits, [f'{b}\n({b // 8})' for b in bits])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 5, 10)))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    figure.legend(loc='outside upper right', ncols=2)


def _level(axes, height, text):
  axes.axhline(height, color=style.GRAY, lw=0.8, ls=':', zorder=1)
  axes.annotate(text, (0, height), (3, 3), fontsize=8, color=style.GRAY,
                xycoords=axes.get_yaxis_transform(),
                textcoords='offset points', zorder=1)
