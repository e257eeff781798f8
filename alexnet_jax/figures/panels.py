"""Training and validation error of several configs, each in its own panel.

The shaded area between the two is what a network knows of its training images
and not of others: overfitting (sections 4.1 and 4.2).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from alexnet_jax.errors import printable
from alexnet_jax.figures import curves, style
from alexnet_jax.figures.curves import Lines

COLUMNS = 5  # of panels
TRAINING: dict[str, Any] = {'color': style.BLUE, 'lw': 0.9}
VALIDATION: dict[str, Any] = {'color': style.VERMILION, 'lw': 1.4}
FIRST: dict[str, Any] = {'color': style.GRAY, 'lw': 0.9, 'ls': ':'}


def draw(runs: Mapping[str, Sequence[Lines]], out: str,
         numbers: Mapping[str, Any] | None = None) -> None:
  """Draws a panel for each config, with the first's validation dotted in all.

  Of several seeds the means are drawn.

  Args:
    runs: {config: the lines of each of its runs}, one run a seed.
    out: the file.
    numbers: the numbers of the picture, see `curves.series`; None writes none.
  """
  columns = min(COLUMNS, len(runs))
  rows = math.ceil(len(runs) / columns)
  with style.figure(out, max(5.0, 2.1 * columns), 0.7 + 1.9 * rows, numbers,
                    dpi=style.SCREEN) as figure:
    panels = figure.subplots(rows, columns, sharex=True, sharey=True,
                             squeeze=False)
    titles = list(map(printable, short(list(runs))))
    first, *_ = runs.values()
    for axes, title, seeds in zip(panels.flat, titles, runs.values(),
                                  strict=False):
      axes.plot(*mean(first, 'validation'), **FIRST)
      _draw_panel(axes, seeds)
      axes.set_title(title, fontsize=8, parse_math=False)
    used = panels.flat[:len(runs)]
    for axes in panels.flat[len(runs):]:
      axes.set_visible(False)
    for axes in used[-columns:]:  # also those above an empty place
      axes.xaxis.set_tick_params(labelbottom=True)
      axes.set_xlabel('step')
    for axes in panels[:, 0]:
      axes.set_ylabel('top-1 error')
    used[0].set(xlim=(0, None), ylim=(_lowest(runs.values()), 1))
    used[0].xaxis.set_major_locator(MaxNLocator(3, integer=True))
    used[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    legend = figure.legend(loc='outside upper left', ncols=3, handles=[
        Line2D([], [], label='training', **TRAINING),
        Line2D([], [], label='validation', **VALIDATION),
        Line2D([], [], label=f'validation of {titles[0]}', **FIRST)])
    for text in legend.get_texts():
      text.set_parse_math(False)


def short(names: list[str]) -> list[str]:
  """Leaves out the folder and the form that all names share.

  ['ablations/tanh:small', 'ablations/no_norm:small'] -> ['tanh', 'no_norm'].
  """
  folders, forms = ({name.rpartition('/')[0] for name in names},
                    {name.partition(':')[2] for name in names})
  if len(folders) == 1:
    names = [name.rpartition('/')[2] for name in names]
  if len(names) > 1 and len(forms) == 1:
    names = [name.partition(':')[0] for name in names]
  return names


def mean(seeds: Sequence[Lines], kind: str) -> tuple[np.ndarray, np.ndarray]:
  """Returns steps [n] and the top-1 error [n] averaged over seeds.

  Args:
    seeds: the lines of each run.
    kind: 'train' or 'validation'.
  """
  steps, every = curves.values(seeds, kind, 'top1_error')
  return steps, every.mean(0)


def gap(seeds: Sequence[Lines]) -> float | None:
  """Returns the last validation error less the training error before it.

  The training error is the mean since the validation before, as the network was
  trained: with dropout and augmentation. None: there are no two validations.
  """
  (at, validation), (steps, training) = (
      mean(seeds, kind) for kind in ('validation', 'train'))
  if len(at) < 2:
    return None
  late = (at[-2] < steps) & (steps <= at[-1])
  return float(validation[-1] - training[late].mean()) if late.any() else None


def _lowest(runs: Iterable[Sequence[Lines]]) -> float:
  """Returns the tenth below the smallest error, where the axes start."""
  every = np.concatenate([mean(seeds, kind)[1] for seeds in runs
                          for kind in ('train', 'validation')])
  finite = every[np.isfinite(every)]
  return math.floor(10 * finite.min()) / 10 if finite.size else 0.0


def _draw_panel(axes: Axes, seeds: Sequence[Lines]) -> None:
  (at, validation), (steps, training) = (
      mean(seeds, kind) for kind in ('validation', 'train'))
  axes.plot(steps, training, **TRAINING)
  axes.plot(at, validation, **VALIDATION)
  if len(at) and len(steps):
    axes.fill_between(at, np.interp(at, steps, training), validation,
                      color=style.GRAY, alpha=0.15, lw=0)
  points = gap(seeds)
  notes = [*([f'gap {round(100 * points)}'] if points is not None else []),
           *([f'{len(seeds)} seeds'] if len(seeds) > 1 else [])]
  axes.annotate(', '.join(notes), (0.98, 0.97), xycoords='axes fraction',
                ha='right', va='top', fontsize=7, color=style.GRAY)
