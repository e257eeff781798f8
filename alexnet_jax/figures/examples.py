"""Images with their true class and the two most probable ones."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from alexnet_jax.analysis.answers import Example
from alexnet_jax.analysis.class_words import shortened
from alexnet_jax.figures import style

COLUMNS = 6
WIDTH, HEIGHT = 1.6, 2.1  # of an image with its text, in inches
TEXT = 0.5  # of the text
TITLE = 0.35
UNDER = 17  # characters of a class name


def draw(shown: Sequence[Example], names: Sequence[str], title: str,
         out: str) -> None:
  """Draws images, six in a row.

  Below each is its true class in bold and its answers, the right one marked by
  a check and in blue, wrong ones by a cross and in orange.

  Args:
    shown: the images; if there are none, the picture says so.
    names: the class names.
    title: the line above.
    out: the file.
  """
  rows = max(1, -(-len(shown) // COLUMNS))
  columns = min(COLUMNS, max(3, len(shown)))
  with style.figure(out, WIDTH * columns, HEIGHT * rows + TITLE,
                    dpi=style.SCREEN, w_pad=0.05, h_pad=0.04,
                    hspace=0) as figure:
    figure.suptitle(title if shown else f'{title}: there are none',
                    fontsize=9, x=0.005, ha='left')
    axes = figure.subplots(
        2 * rows, columns, squeeze=False,
        height_ratios=(HEIGHT - TEXT, TEXT) * rows)
    for one in axes.flat:
      one.set_axis_off()
    for i, example in enumerate(shown):
      row, column = divmod(i, columns)
      axes[2 * row, column].imshow(example.picture)
      _write(axes[2 * row + 1, column], example, names)


def _write(axes: Axes, example: Example, names: Sequence[str]) -> None:
  axes.set(xlim=(0, 1), ylim=(3, 0))
  lines = [(shortened(names[example.true], UNDER + 3), 'black', 'bold')]
  answers = {example.predicted: example.probability,
             example.second: example.second_probability}
  for name, probability in answers.items():
    right = name == example.true
    lines.append((
        f'{"✓" if right else "✗"} {_percent(probability)}'
        f' {shortened(names[name], UNDER)}',
        style.BLUE if right else style.VERMILION, 'normal'))
  for place, (line, color, weight) in enumerate(lines):
    axes.text(0, place + 0.5, line, fontsize=8, color=color, weight=weight,
              va='center', parse_math=False, clip_on=True)


def _percent(probability: float) -> str:
  if probability < 0.005:
    return '<1%'
  return '>99%' if probability > 0.995 else f'{probability:.0%}'
