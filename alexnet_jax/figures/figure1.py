"""Figure 1 as a picture: two training curves and where they reach the goal."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from alexnet_jax.figures import style
from alexnet_jax.results import learning_rate_search
from alexnet_jax.results.learning_rate_search import (
  NAMES,
  Curve,
  percent,
  ratio_text,
)

# Styles of the first and the second nonlinearity: solid and dashed, as in the
# paper.
LINES = ((style.BLUE, 'solid', 'o'), (style.VERMILION, (0, (4, 1.5)), 's'))


def draw(numbers: Mapping[str, Any],
         curves: Sequence[Mapping[float, Curve]], out: str) -> None:
  """Draws training error against epochs.

  Args:
    numbers: the output of `learning_rate_search.results`.
    curves: the curves of the first and the second nonlinearity, by learning
      rate.
    out: the file.
  """
  epoch, goal = numbers['steps_per_epoch'], numbers['goal']
  with style.figure(out, numbers=numbers) as figure:
    axes = figure.add_subplot()
    axes.set(xlabel='Epochs', ylabel='Training error rate', ylim=(0, 1),
             title=f'{ratio_text(numbers)}\n{numbers["data"]}')
    for (name, search), tried, line in zip(
        numbers['nonlinearities'].items(), curves, LINES, strict=True):
      color, dashes, marker = line
      rate = search['learning_rate']
      for other in sorted(set(tried) - {rate}):
        axes.plot(*_points(tried[other], epoch), color=color, ls=dashes,
                  lw=0.7, alpha=0.45)
      axes.plot(*_points(tried[rate], epoch), color=color, ls=dashes, lw=1.6,
                label=f'{NAMES.get(name, name)}, learning rate {rate:g}')
      if search['iterations'] is not None:
        at = search['iterations'] / epoch
        axes.plot([at, at], [0, goal], color=color, lw=0.8, ls=':')
        axes.plot(at, goal, marker, color=color, ms=5.5, mec='white',
                  mew=0.8, zorder=4)
    axes.axhline(goal, color=style.GRAY, lw=0.8, ls=':', zorder=1)
    axes.annotate(percent(goal), (1, goal), (2, 0), va='center', fontsize=8,
                  xycoords=axes.get_yaxis_transform(), color=style.GRAY,
                  textcoords='offset points')
    if any(len(tried) > 1 for tried in curves):
      axes.plot([], [], color=style.GRAY, lw=0.7, alpha=0.6,
                label='other learning rates')
    axes.legend(loc='upper right')
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=axes.get_xlim()[1] > 3))
    _mark_ratio(axes, numbers)


def _points(curve, steps_per_epoch):
  return [
    at / steps_per_epoch for at in learning_rate_search.middle_iterations(curve)
  ], curve.errors


def _mark_ratio(axes: Axes, numbers):
  """Draws an arrow between the feet of the two marks, if there are two."""
  if numbers['ratio'] is None or numbers['ratio_sign'] != '=':
    return
  low, high = sorted(search['iterations'] / numbers['steps_per_epoch']
                     for search in numbers['nonlinearities'].values())
  axes.annotate('', (high, 0.06), (low, 0.06), arrowprops={
      'arrowstyle': '<->', 'color': style.GRAY, 'lw': 0.8, 'shrinkA': 0,
      'shrinkB': 0})
  axes.text((low + high) / 2, 0.06, f'× {numbers["ratio"]:.1f}', ha='center',
            va='center', bbox={'color': 'white', 'pad': 2, 'lw': 0})
