"""What all campaigns share: the outcome of a trial and a network of seconds."""

import os
import re
from typing import NamedTuple

import numpy as np
from PIL import Image

TINY = {
    'model.kernels': (4, 4, 6, 6, 4), 'model.neurons': (16, 16),
    'model.stddevs': (0.1,) * 8, 'optimizer.batch_size': 8,
    'optimizer.drops': (), 'run.views': 1, 'run.log_every': 1}
COLORS = ((200, 40, 40), (40, 180, 60), (50, 70, 210), (220, 200, 40))


class Trial(NamedTuple):
  """One trial of a campaign."""

  kind: str  # a row of the table
  name: str  # what was tried
  good: bool
  output: str = ''  # what the program said


def fields(**values) -> list[str]:
  """Flags of the smallest network; `a__b=1` stands for --config.a.b=1."""
  chosen = TINY | {name.replace('__', '.'): value
                   for name, value in values.items()}
  return ['--config=configs/quickstart.py',
          *(f'--config.{name}={value}' for name, value in chosen.items())]


def clean(text: str) -> bool:
  """Returns whether a program printed neither a traceback nor a stack."""
  return not re.search(
      r'Traceback|^Exception|\*\*\* |Check failure|core dumped|^\s+@ 0x|'
      r'Fatal Python error', text, re.MULTILINE)


def refused(code: int, text: str, *words: str) -> bool:
  """Returns whether a program refused its input in a sentence.

  Args:
    code: its exit code.
    text: its output and errors.
    *words: that the sentence must contain.
  """
  return code == 2 and clean(text) and all(word in text for word in words)


def write_pictures(folder: str, count: int, color: int = 0, ending='png',
                   size=(48, 40)) -> None:
  """Writes `count` small pictures of one color with noise.

  Args:
    folder: where to; it is made.
    count: of pictures.
    color: an index of COLORS, and the seed of the noise.
    ending: of the files, without the dot.
    size: (width, height) in pixels.
  """
  os.makedirs(folder, exist_ok=True)
  draw = np.random.default_rng(color)
  for i in range(count):
    noise = draw.integers(-40, 40, (size[1], size[0], 3))
    pixels = (np.array(COLORS[color % len(COLORS)]) + noise).clip(0, 255)
    Image.fromarray(pixels.astype(np.uint8)).save(
        os.path.join(folder, f'{i}.{ending}'))
