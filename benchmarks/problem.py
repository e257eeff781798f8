"""What both frameworks are given to do: sizes, numbers, variants.

Imports neither of them, so that a process holds only the one it measures.
"""

from typing import NamedTuple

import numpy as np


class Sizes(NamedTuple):
  """The network and its pictures."""

  kernels: tuple[int, ...]  # maps per column of conv1 to conv5
  neurons: tuple[int, ...]  # per column, of fc6 and fc7
  classes: int
  patch: int  # side in pixels
  image: int  # side of the images that patches are cut from


PAPER = Sizes((48, 128, 192, 192, 128), (2048, 2048), 1000, 224, 256)
SMALL = Sizes((8, 8, 12, 12, 8), (32, 32), 10, 64, 72)  # to try the program

MODES = {
    'train': 'one training step: forward, backward, dropout, momentum update',
    'forward': 'logits of patches, as at test time',
    'ten_crop': 'softmax outputs averaged over ten patches of uint8 images',
}


class Problem(NamedTuple):
  """One mode at one batch size."""

  mode: str  # of MODES
  batch: int  # images a step
  small: bool
  gpu: bool

  @property
  def sizes(self) -> Sizes:
    """The paper's, or small ones."""
    return SMALL if self.small else PAPER


class Ours(NamedTuple):
  """A way to run our network."""

  columns_on: int = 1  # devices that share the two columns
  augments: bool = False  # from uint8 images, as a run does
  arithmetic: str = 'default'  # TF32 where there is any; 'strict' is float32,
  # and there is 'bfloat16'


class Peer(NamedTuple):
  """A way to run PyTorch's."""

  channels_last: bool = True
  norm: str = 'own'  # or 'hand', see peer.py
  compiled: bool = False  # torch.compile
  arithmetic: str = 'default'  # or 'strict', or 'bfloat16' by autocast


def patches(problem: Problem) -> np.ndarray:
  """Pixels around zero: float32 [B, patch, patch, 3]."""
  side = problem.sizes.patch
  draw = np.random.default_rng(0)
  numbers = draw.standard_normal(
      (problem.batch, side, side, 3), dtype=np.float32)
  return np.multiply(numbers, 50, out=numbers)  # gray levels, as photographs


def images(problem: Problem) -> np.ndarray:
  """uint8 [B, image, image, 3]."""
  side = problem.sizes.image
  return np.random.default_rng(0).integers(
      0, 256, (problem.batch, side, side, 3), np.uint8)


def labels(problem: Problem) -> np.ndarray:
  """Class numbers: int32 [B]."""
  return np.random.default_rng(1).integers(
      0, problem.sizes.classes, problem.batch, np.int32)
