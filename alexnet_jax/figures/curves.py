"""How training went: loss, error and learning rate of one or several runs.

Runs with `config.optimizer.clip_norm` also have the norm of their gradient.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from alexnet_jax.errors import printable
from alexnet_jax.figures import style
from alexnet_jax.run import journal

PICTURE = 'curves.png'  # in each workdir
# The lines of one run, as `journal.read` returns them.
Lines = Sequence[Mapping]
# Okabe and Ito's colors; more configs than these get those of a color wheel.
COLORS = (style.BLUE, style.VERMILION, '#009E73', '#CC79A7', '#E69F00',
          '#56B4E9', '#000000')
QUANTITIES = (('loss', 'loss'), ('top1_error', 'top-1 error'),
              ('gradient_norm', 'norm of the gradient before clipping'))
EXPLODED = 1e4  # a loss above which others would be drawn as zero
# Kinds of lines of metrics.jsonl: their names and styles.
KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    'train': ('training', {'lw': 0.9, 'ls': (0, (3, 1.5))}),
    'validation': ('validation', {'lw': 1.6, 'marker': 'o', 'ms': 3})}


def draw_workdir(workdir: str) -> None:
  """Draws the curves of a run into its workdir, if it has any lines yet."""
  lines = journal.read(workdir)
  if any(line['kind'] in KINDS for line in lines):
    name = os.path.basename(os.path.abspath(workdir))
    draw({name: [lines]}, os.path.join(workdir, PICTURE))


def draw(runs: Mapping[str, Sequence[Lines]], out: str,
         numbers: Mapping[str, Any] | None = None) -> None:
  """Draws loss and error against steps, and the learning rate below.

  A single config has a color for training and one for validation; of several,
  each has one color. Of several seeds the mean is drawn, and a band from the
  least to the largest value. Drops of the learning rate are dotted lines.

  Args:
    runs: {config: the lines of each of its runs}, one run a seed.
    out: the file.
    numbers: the numbers of the picture, see `series`; None writes none.
  """
  quantities = [(field, name) for field, name in QUANTITIES
                if _has(runs, field)]
  rows = 2 if _has(runs, 'learning_rate') else 1
  with style.figure(out, 4.2 * max(2, len(quantities)), 2.2 + 1.6 * rows,
                    numbers, dpi=style.SCREEN) as figure:
    grid = figure.add_gridspec(
        rows, max(1, len(quantities)), height_ratios=(3, 1)[:rows])
    first = None
    for column, (field, name) in enumerate(quantities):
      above = figure.add_subplot(grid[0, column], sharex=first)
      first = first or above
      _draw_quantity(above, runs, field)
      above.set_ylabel(name)
      lowest = above
      if rows == 2:
        lowest = figure.add_subplot(grid[1, column], sharex=first)
        above.tick_params(labelbottom=False)
        _draw_rates(lowest, runs)
      for axes in {above, lowest}:
        _mark_drops(axes, runs)
      lowest.set(xlabel='step', xlim=(0, None))
      lowest.xaxis.set_major_locator(MaxNLocator(6, integer=True))
      _set_scale(above, field)
    if first is not None:
      if len(runs) == 1:
        figure.suptitle(printable(next(iter(runs))), parse_math=False)
      legend = figure.legend(handles=_legend(first, runs),
                             loc='outside upper left', ncols=_columns(runs))
      for text in legend.get_texts():
        text.set_parse_math(False)


def series(runs: Mapping[str, Sequence[Lines]]) -> dict[str, Any]:
  """Returns the numbers that `draw` draws.

  Args:
    runs: {config: the lines of each of its runs}.

  Returns:
    {config: {kind: {field: {'steps': [n], 'values': [runs][n]}}}}; a value that
    is not finite is None.
  """
  def numbers(seeds, kind, field):
    steps, every = values(seeds, kind, field)
    return {'steps': steps.tolist(), 'values': [
        [value if np.isfinite(value) else None for value in one]
        for one in every.tolist()]}

  return {config: {
      kind: {field: numbers(seeds, kind, field)
             for field in (*dict(QUANTITIES), 'learning_rate')}
      for kind in KINDS} for config, seeds in runs.items()}


def values(seeds: Sequence[Lines], kind: str,
           field: str) -> tuple[np.ndarray, np.ndarray]:
  """Returns the steps that all runs have, [n], and values [runs, n].

  Args:
    seeds: the lines of each run.
    kind: 'train' or 'validation'.
    field: such as 'loss'.
  """
  by_step = [{line['step']: line[field] for line in lines
              if line['kind'] == kind and field in line} for lines in seeds]
  steps = sorted(set.intersection(*map(set, by_step)))
  return np.array(steps), np.array(
      [[one[step] for step in steps] for one in by_step], float)


def drops(steps: np.ndarray, rates: np.ndarray) -> list[int]:
  """Returns the last logged steps before the learning rate falls.

  A rate that changes at every step, as in a schedule, has no drops: the rate is
  the same before and after one.

  Args:
    steps: [n].
    rates: [n] learning rates.
  """
  return [int(steps[i - 1]) for i in range(1, len(rates))
          if rates[i] < rates[i - 1]
          and (i == 1 or rates[i - 2] == rates[i - 1])
          and (i + 1 == len(rates) or rates[i + 1] == rates[i])]


def _has(runs, field):
  return any(field in line for seeds in runs.values() for lines in seeds
             for line in lines if line['kind'] in KINDS)


def _legend(axes, runs):
  """Returns the lines of the legend: of several configs, one for each."""
  lines, _ = axes.get_legend_handles_labels()
  if len(runs) == 1:
    return lines
  by_label = {line.get_label(): line.get_color() for line in lines}
  colors = [Line2D([], [], color=color, lw=3, label=label)
            for label, color in by_label.items()]
  return [*colors, *(Line2D([], [], color=style.GRAY, label=title, **how)
                     for title, how in KINDS.values())]


def _columns(runs):
  """Returns how many entries the legend has side by side."""
  return max(1, min(4, 110 // (max(map(len, runs)) + 20)))


def _style(runs, at, kind):
  return {'color': _color(runs, list(KINDS).index(kind) if len(runs) == 1
                          else at), **KINDS[kind][1]}


def _color(runs, at):
  if len(runs) <= len(COLORS):
    return COLORS[at]
  return to_hex(colormaps['hsv'](at / len(runs)))


def _dot(steps, how=()):
  """A curve of one point is a dot, as a line would not be seen."""
  alone = len(steps) == 1 and 'marker' not in how
  return {'marker': 'o', 'ms': 3} if alone else {}


def _draw_quantity(axes: Axes, runs: Mapping[str, Sequence[Lines]],
                   field: str) -> None:
  for at, (config, seeds) in enumerate(runs.items()):
    for kind, (title, _) in KINDS.items():
      steps, every = values(seeds, kind, field)
      if not len(steps):
        continue
      how = _style(runs, at, kind)
      name = title if len(runs) == 1 else printable(config)
      if len(seeds) > 1:
        name += f', {len(seeds)} seeds'
      axes.plot(steps, every.mean(0), label=name, **how, **_dot(steps, how))
      if len(every) > 1:
        axes.fill_between(steps, every.min(0), every.max(0),
                          color=how['color'], alpha=0.15, lw=0)


def _set_scale(axes: Axes, field: str) -> None:
  """Makes the axis of a norm logarithmic, and that of a loss that explodes."""
  if field == 'top1_error':
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
  elif field == 'gradient_norm' or axes.dataLim.y1 > EXPLODED:
    axes.set_yscale('log')


def _draw_rates(axes: Axes, runs: Mapping[str, Sequence[Lines]]) -> None:
  for at, seeds in enumerate(runs.values()):
    color = '#000000' if len(runs) == 1 else _color(runs, at)
    for lines in seeds:
      steps, (rates,) = values([lines], 'train', 'learning_rate')
      axes.plot(steps, rates, color=color, lw=1.0, drawstyle='steps-pre',
                **_dot(steps))
  axes.set(yscale='log', ylabel='learning rate')


def _mark_drops(axes: Axes, runs: Mapping[str, Sequence[Lines]]) -> None:
  for at, seeds in enumerate(runs.values()):
    color = style.GRAY if len(runs) == 1 else _color(runs, at)
    for lines in seeds:
      steps, (rates,) = values([lines], 'train', 'learning_rate')
      for step in drops(steps, rates):
        axes.axvline(step, color=color, lw=0.8, ls=':', zorder=0)
