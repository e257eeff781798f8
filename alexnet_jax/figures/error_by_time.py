"""Error against the seconds of training, several networks in one picture."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import PercentFormatter

from alexnet_jax.figures import curves, style
from alexnet_jax.figures.curves import Lines

PANELS = (('validation', 'validation error'),
          ('train', 'training error, cropped and mirrored'))
VALIDATION = {'lw': 1.6, 'marker': 'o', 'ms': 3}
TRAINING = {'lw': 1.0}


def draw(runs: Mapping[str, Sequence[Lines]],
         step_seconds: Mapping[str, float], chance: float, out: str,
         numbers: Mapping[str, Any]) -> None:
  """Draws the top-1 error on validation images, and that in training.

  Of several seeds the mean is drawn, and a band from the least to the largest.

  Args:
    runs: {network: the lines of each of its runs}, one run a seed.
    step_seconds: {network: seconds of one step}.
    chance: the error of guessing, 0..1, a dotted line.
    out: the file.
    numbers: what goes into the .json file of the same name.
  """
  with style.figure(out, 9.0, 3.8, numbers, dpi=style.SCREEN) as figure:
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    for axes, (kind, title) in zip(panels, PANELS, strict=True):
      for color, (network, seeds) in zip(curves.COLORS, runs.items(),
                                         strict=False):
        steps, every = curves.values(seeds, kind, 'top1_error')
        seconds = steps * step_seconds[network]
        axes.plot(seconds, every.mean(0), color=color, label=network,
                  **(VALIDATION if kind == 'validation' else TRAINING))
        if len(every) > 1:
          axes.fill_between(seconds, *np.quantile(every, (0, 1), axis=0),
                            color=color, alpha=0.15, lw=0)
      axes.axhline(chance, color=style.GRAY, lw=0.8, ls=':')
      axes.annotate('chance', (1, chance), (0, -3), ha='right', va='top',
                    xycoords=axes.get_yaxis_transform(), fontsize=7,
                    textcoords='offset points', color=style.GRAY)
      axes.set(title=title, xlabel='seconds of training steps', xlim=(0, None))
      axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[0].set_ylabel('top-1 error')
    figure.legend(handles=panels[0].get_legend_handles_labels()[0],
                  loc='outside upper left', ncols=len(runs))


def series(runs: Mapping[str, Sequence[Lines]],
           step_seconds: Mapping[str, float]) -> dict[str, Any]:
  """Returns the numbers that `draw` draws.

  Args:
    runs: {network: the lines of each of its runs}.
    step_seconds: {network: seconds of one step}.

  Returns:
    {network: {kind: {'seconds': [n], 'top1_error': [runs][n]}}}.
  """
  numbers: dict[str, Any] = {}
  for network, seeds in runs.items():
    numbers[network] = {}
    for kind, _ in PANELS:
      steps, every = curves.values(seeds, kind, 'top1_error')
      numbers[network][kind] = {
          'seconds': (steps * step_seconds[network]).tolist(),
          'top1_error': every.tolist()}
  return numbers
