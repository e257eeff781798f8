"""How large outputs and gradients are in every layer, at steps of training."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import colormaps
from matplotlib.axes import Axes

from alexnet_jax.analysis.gradients import Measured
from alexnet_jax.errors import printable
from alexnet_jax.figures import style
from alexnet_jax.figures.curves import COLORS

PICTURE = 'gradients.png'
MOST = len(COLORS)  # networks in one picture
QUANTITIES = {
    'outputs': 'outputs',
    'output_gradients': 'gradients of the outputs',
    'kernel_gradients': 'gradients of the kernels'}
STEPS = colormaps['viridis_r']  # the first step is light, the last one dark
Networks = Mapping[str, Mapping[int, Measured]]  # {name: {step: measured}}


def draw(networks: Networks, out: str) -> None:
  """Draws root mean squares against layers, in a panel for each quantity.

  If each network was measured once, they share the panels, with a line each.
  Otherwise each has a row of panels, with a line for each step.

  Args:
    networks: {name: {step: what was measured}}, MOST at most.
    out: the file; its numbers are in the .json file of the same name.
  """
  once = all(len(steps) == 1 for steps in networks.values())
  rows = 1 if once else len(networks)
  height = 3.8 if once else 0.4 + 2.4 * rows
  with style.figure(out, 10.0, height, numbers(networks), dpi=style.SCREEN,
                    hspace=0.04, wspace=0.03) as figure:
    panels = figure.subplots(rows, len(QUANTITIES), squeeze=False,
                             sharey='col')
    if once:
      lines = {name: next(iter(steps.values()))
               for name, steps in networks.items()}
      _draw_row(panels[0], lines, COLORS)
      handles, _ = panels[0, 0].get_legend_handles_labels()
      _plain_text(figure.legend(handles=handles, loc='outside upper left',
                                ncols=_side_by_side(lines)))
    else:
      for row, (name, steps) in zip(panels, networks.items(), strict=True):
        _draw_row(row, {f'step {step}': one for step, one in steps.items()},
                  [STEPS((i + 1) / len(steps)) for i in range(len(steps))])
        _plain_text(row[-1].legend(title=printable(name), loc='center left',
                                   bbox_to_anchor=(1, 0.5)))
    for axes, title in zip(panels[0], QUANTITIES.values(), strict=True):
      axes.set_title(title)


def numbers(networks: Networks) -> dict[str, Any]:
  """Returns what is in the picture, for JSON: numbers not finite are None.

  Args:
    networks: {name: {step: what was measured}}.
  """
  return {name: {str(step): {
      'loss': _finite(one.loss), 'gradient_norm': _finite(one.gradient_norm),
      'layers': [{field: _finite(value) for field, value
                  in layer._asdict().items()} for layer in one.layers]}
      for step, one in steps.items()} for name, steps in networks.items()}


def _finite(value):
  return value if isinstance(value, str | None) or math.isfinite(
      value) else None


def _plain_text(legend):
  """Shows names as they are: a dollar sign starts no formula."""
  for text in (legend.get_title(), *legend.get_texts()):
    text.set_parse_math(False)


def _draw_row(panels: Sequence[Axes], lines: Mapping[str, Measured],
              colors: Sequence[Any]) -> None:
  names = {tuple(layer.layer for layer in one.layers)
           for one in lines.values()}
  for axes, field in zip(panels, QUANTITIES, strict=True):
    for (label, one), color in zip(lines.items(), colors, strict=False):
      values = [getattr(layer, field) for layer in one.layers]
      places = range(len(values)) if len(names) == 1 else [
          i / (len(values) - 1) for i in range(len(values))]
      axes.plot(places, [value or math.nan for value in values], color=color,
                lw=1.2, marker='o', ms=2.5, label=printable(label))
    axes.set_yscale('log')
    axes.grid(axis='y', lw=0.4, color='#DDDDDD')
    axes.set_axisbelow(True)
    if len(names) == 1:
      _name_layers(axes, *names)
    else:
      axes.set_xlabel('first layer to last')
      axes.set_xticks([0, 1], ['first', 'last'])
  panels[0].set_ylabel('root mean square')


def _side_by_side(names):
  """Returns how many entries the legend has side by side."""
  return max(1, min(len(names), 130 // (max(map(len, names)) + 6)))


def _name_layers(axes, names):
  small = len(names) > 12
  axes.set_xticks(range(len(names)), names, rotation=90 if small else 60,
                  fontsize=6 if small else 8,
                  **({} if small else {'ha': 'right',
                                       'rotation_mode': 'anchor'}))
