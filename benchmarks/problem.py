"""The problem for both frameworks: sizes, inputs and variants.

This module imports neither framework, so that a process loads only the one that
it measures.
"""

from typing import NamedTuple

import numpy as np


class Sizes(NamedTuple):
  """The sizes of the network and its images."""

  kernels: tuple[int, ...]  # Maps per column of conv1 to conv5.
  neurons: tuple[int, ...]  # Per column, of fc6 and fc7.
  classes: int
  patch: int  # Side in pixels.
  image: int  # Side of the images that patches are cut from.


PAPER = Sizes((48, 128, 192, 192, 128), (2048, 2048), 1000, 224, 256)
SMALL = Sizes((8, 8, 12, 12, 8), (32, 32), 10, 64, 72)  # To try it out.

MODES = {
    'train': 'one training step: forward, backward, dropout, momentum update',
    'forward': 'logits of patches, as at test time',
    'ten_crop': 'softmax outputs averaged over ten patches of uint8 images',
}


class Problem(NamedTuple):
  """One mode at one batch size."""

  mode: str  # One of MODES.
  batch: int  # Images per step.
  small: bool
  gpu: bool

  @property
  def sizes(self) -> Sizes:
    """The sizes of the paper, or small ones."""
    return SMALL if self.small else PAPER


class Ours(NamedTuple):
  """A way to run our network."""

  columns_on: int = 1  # Devices that share the two columns.
  augments: bool = False  # From uint8 images, as in a training run.
  # 'default' is TF32 if the device has it, 'strict' is float32; or 'bfloat16'.
  arithmetic: str = 'default'


class Peer(NamedTuple):
  """A way to run the network in PyTorch."""

  channels_last: bool = True
  norm: str = 'own'  # Or 'hand'; see peer.py.
  compiled: bool = False  # By torch.compile.
  arithmetic: str = 'default'  # Or 'strict', or 'bfloat16' by autocast.


def patches(problem: Problem) -> np.ndarray:
  """Returns random patches with zero mean: float32 [B, patch, patch, 3]."""
  side = problem.sizes.patch
  draw = np.random.default_rng(0)
  numbers = draw.standard_normal(
      (problem.batch, side, side, 3), dtype=np.float32)
  return np.multiply(numbers, 50, out=numbers)  # Gray levels, as in photos.


def images(problem: Problem) -> np.ndarray:
  """Returns random images: uint8 [B, image, image, 3]."""
  side = problem.sizes.image
  return np.random.default_rng(0).integers(
      0, 256, (problem.batch, side, side, 3), np.uint8)


def labels(problem: Problem) -> np.ndarray:
  """Returns random class numbers: int32 [B]."""
  return np.random.default_rng(1).integers(
      0, problem.sizes.classes, problem.batch, np.int32)
