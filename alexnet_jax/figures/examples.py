"""Images with their true class and the two most probable ones."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.transforms import Bbox, TransformedBbox

from alexnet_jax.analysis.answers import Example
from alexnet_jax.analysis.class_words import shortened
from alexnet_jax.figures import style

COLUMNS = 6
# Inches: an image, the space around it, a line of text and the title.
SIDE, SPACE, LINE, TITLE = 1.5, 0.1, 0.165, 0.3
WIDTH, HEIGHT = SIDE + SPACE, SIDE + SPACE + 3 * LINE
NARROWEST = 3  # images as wide as the title
UNDER = 20  # characters that fit below an image


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
  rows = -(-len(shown) // COLUMNS)
  width = WIDTH * min(COLUMNS, max(NARROWEST, len(shown)))
  height = HEIGHT * rows + TITLE
  with style.figure(out, width, height, dpi=style.SCREEN) as figure:
    figure.set_layout_engine('none')
    # One axes in inches, from the upper left corner of the picture.
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, width), ylim=(height, 0))
    axes.set_axis_off()
    axes.autoscale(False)
    axes.text(SPACE / 2, TITLE / 2, title if shown else f'{title}: none',
              va='center')
    for i, example in enumerate(shown):
      row, column = divmod(i, COLUMNS)
      _draw(axes, example, names, column * WIDTH + SPACE / 2,
            row * HEIGHT + TITLE)


def _draw(axes: Axes, example: Example, names: Sequence[str], left: float,
          top: float) -> None:
  """Draws an image and its text below a point, in inches."""
  axes.imshow(example.picture, aspect='auto',
              extent=(left, left + SIDE, top + SIDE, top))
  lines = [(shortened(names[example.true], UNDER), 'black', 'bold')]
  answers = {example.predicted: example.probability,
             example.second: example.second_probability}
  for name, probability in answers.items():
    right = name == example.true
    line = (f'{"✓" if right else "✗"} {_percent(probability)}'
            f' {names[name]}')
    lines.append((shortened(line, UNDER + 2),
                  style.BLUE if right else style.VERMILION, 'normal'))
  # Text of wide letters ends before the next image.
  below = TransformedBbox(Bbox.from_extents(
      left, top + SIDE, left + WIDTH - 0.05, top + HEIGHT), axes.transData)
  for place, (line, color, weight) in enumerate(lines):
    axes.text(
        left, top + SIDE + (place + 0.6) * LINE, line, fontsize=8, color=color,
        weight=weight, va='center', parse_math=False,
        clip_on=True).set_clip_box(below)


def _percent(probability: float) -> str:
  if probability < 0.005:
    return '<1%'
  return '>99%' if probability > 0.995 else f'{probability:.0%}'
