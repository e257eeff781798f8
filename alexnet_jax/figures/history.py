"""The ILSVRC errors by year, beside those of single networks, as a picture."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from alexnet_jax.figures import style

WIDTH = 0.64  # of a bar
PALE_BLUE, DASHES = '#7FB8D9', (0, (4, 2))


class Bar(NamedTuple):
  """One network of the right half."""

  name: str
  top5_error: float | None  # published, in percent; None: no such number
  published: str  # what to write at the bar
  ours: str


def draw(winners: Sequence[tuple[int, str, float]],
         runner_up: tuple[int, str, float], human: float,
         bars: Sequence[Bar], numbers: Mapping[str, Any], out: str) -> None:
  """Draws the years on the left and the networks on the right.

  Args:
    winners: (year, name, top-5 error in percent), one per year.
    runner_up: the second of one of these years.
    human: the top-5 error of a person, in percent.
    bars: the networks, the oldest first.
    numbers: what goes into the .json file of the same name.
    out: the file.
  """
  with style.figure(out, 10.0, 4.2, numbers, wspace=0.04) as figure:
    left, right = figure.subplots(1, 2, width_ratios=(1, 1.25))
    _draw_years(left, winners, runner_up, human)
    _draw_networks(right, bars, human)


def _draw_years(axes, winners, runner_up, human):
  second_year, second_name, second_error = runner_up
  labels = []
  for year, name, error in winners:
    # From 2012 on the winners are convolutional networks.
    color = style.GRAY if year < 2012 else style.BLUE
    half = year == second_year
    _bar(axes, year - half * WIDTH / 4, error, WIDTH / (1 + half), color)
    labels.append(f'{name}, {second_name}' if half else name)
  _bar(axes, second_year + WIDTH / 4, second_error, WIDTH / 2, PALE_BLUE)
  axes.axhline(human, color=style.VERMILION, lw=0.9, ls=DASHES)
  axes.annotate(f'one person {human:g}', (1, human), (0, 3),
                xycoords=axes.get_yaxis_transform(), ha='right',
                textcoords='offset points', fontsize=7, color=style.VERMILION)
  axes.set(title='ILSVRC, test images (blue: convolutional networks)',
           ylabel='top-5 error, %', ylim=(0, 31))
  axes.set_xticks(
      [year for year, _, _ in winners],
      [f'{name} {year}' for (year, _, _), name in zip(
          winners, labels, strict=True)],
      rotation=35, ha='right', rotation_mode='anchor', fontsize=7)


def _bar(axes, at, error, width, color):
  axes.bar(at, error, color=color, width=width)
  axes.annotate(f'{error:g}', (at, error), (0, 1), ha='center', fontsize=7,
                textcoords='offset points')


def _draw_networks(axes, bars, human):
  heights = range(len(bars))
  across = axes.get_yaxis_transform()  # 0..1 from left to right
  axes.axvline(human, color=style.VERMILION, lw=0.9, ls=DASHES)
  axes.barh(heights, [bar.top5_error or 0 for bar in bars], color=style.BLUE,
            height=WIDTH)
  for height, bar in zip(heights, bars, strict=True):
    axes.text((bar.top5_error or 0) + 0.3, height, bar.published, va='center',
              fontsize=7, bbox={'color': 'white', 'pad': 1})
    axes.text(1, height, bar.ours, va='center', ha='right', fontsize=7,
              color=style.GRAY if bar.ours == 'not run' else 'black',
              transform=across)
  axes.text(1, -0.9, 'top-1 error here', ha='right', va='center', fontsize=7,
            style='italic', transform=across)
  axes.set(title='single networks, as published and as run here',
           xlabel='published top-5 error, ILSVRC-2012 validation images, %',
           xlim=(0, 42), ylim=(len(bars) - 0.4, -1.3),
           xticks=range(0, 21, 5))
  axes.set_yticks(list(heights), [bar.name for bar in bars])
