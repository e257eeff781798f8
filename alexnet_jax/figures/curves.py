"""How training went: loss and top-1 error, of one run or of several."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from alexnet_jax.errors import printable
from alexnet_jax.figures import style

# The lines of one run, as `journal.read` returns them.
Lines = Sequence[Mapping]
# Okabe and Ito's colors; more configs repeat them.
COLORS = (style.BLUE, style.VERMILION, '#009E73', '#CC79A7', '#E69F00',
          '#56B4E9', '#000000')
QUANTITIES = (('loss', 'loss'), ('top1_error', 'top-1 error'))
# Kinds of lines of metrics.jsonl: their names and styles.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    'train': ('training', {'lw': 0.9, 'ls': (0, (3, 1.5))}),
    'validation': ('validation', {'lw': 1.6, 'marker': 'o', 'ms': 3})}


def draw(runs: Mapping[str, Sequence[Lines]], out: str) -> None:
  """Draws loss and error against steps: of training and of validation.

  A single config has a color for training and one for validation; of several,
  each has one color. Of several seeds the mean is drawn, and a band from the
  least to the largest value.

  Args:
    runs: {config: the lines of each of its runs}, one run a seed.
    out: the file.
  """
  with style.figure(out, 8.0, 3.4, dpi=style.SCREEN) as figure:
    for axes, (field, name) in zip(
        figure.subplots(1, 2), QUANTITIES, strict=True):
      for at, (config, seeds) in enumerate(runs.items()):
        for kind_at, (kind, (title, how)) in enumerate(KINDS.items()):
          color = COLORS[(kind_at if len(runs) == 1 else at) % len(COLORS)]
          label = title if len(runs) == 1 else f'{printable(config)}, {title}'
          _draw_one(axes, *values(seeds, kind, field),
                    {'color': color, 'label': label, **how})
      axes.set(xlabel='step', ylabel=name, xlim=(0, None))
      axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    handles, labels = axes.get_legend_handles_labels()
    legend = figure.legend(handles, labels, loc='outside upper left',
                           ncols=3 if len(runs) > 2 else 2)
    for text in legend.get_texts():
      text.set_parse_math(False)


def values(seeds: Sequence[Lines], kind: str,
           field: str) -> tuple[np.ndarray, np.ndarray]:
  """Returns the steps that all runs have, [n], and values [runs, n].

  Args:
    seeds: the lines of each run.
    kind: 'train' or 'validation'.
    field: 'loss' or 'top1_error'.
  """
  series = [{line['step']: line[field] for line in lines
             if line['kind'] == kind and field in line} for lines in seeds]
  steps = sorted(set.intersection(*map(set, series)))
  return np.array(steps), np.array([[one[step] for step in steps]
                                    for one in series])


def _draw_one(axes: Axes, steps: np.ndarray, every: np.ndarray,
              how: dict[str, Any]) -> None:
  if not len(steps):
    return
  axes.plot(steps, every.mean(0), **how)
  if len(every) > 1:
    axes.fill_between(steps, every.min(0), every.max(0), color=how['color'],
                      alpha=0.15, lw=0)
