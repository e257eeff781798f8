"""Projections beside the patches that caused them, as a picture.

Laid out as Figure 2 of Zeiler and Fergus (2014): for every map a square of up
to nine projections and a square of as many patches, in the same order.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from alexnet_jax.figures import style

TILE = 160  # dots of one projection or patch; 300 make an inch
RULE = 6  # between two tiles
GUTTER = 14  # between the projections and the patches
NINE = 3 * TILE + 2 * RULE
FRAME = 190  # gray, so that a white patch can be told from the paper
WIDTH = 7.0  # inches
FEW = 16  # so many maps stand two in a row, more stand four
BELOW_LARGEST = 0.997  # of a projection; few large numbers would hide the rest
SQUARES = 16  # so few pixels are seen as such, more are interpolated


class Block(NamedTuple):
  """What is shown of one map."""

  title: str
  projections: Sequence[np.ndarray]  # [S, S, 3] around zero: nine, or one
  patches: Sequence[np.ndarray]  # uint8 [S, S, 3]: nine or fewer


def draw(name: str, blocks: Sequence[Block], out: str) -> None:
  """Draws the maps of one layer, the first half of them on the left.

  Args:
    name: of the layer.
    blocks: one for each map.
    out: the file.
  """
  across = min(len(blocks), 2) if len(blocks) <= FEW else 4
  rows = math.ceil(len(blocks) / across)
  height = 0.3 + rows * (WIDTH / across * NINE / (2 * NINE + GUTTER) + 0.1)
  with style.figure(out, WIDTH, height, h_pad=0.02, w_pad=0.06, hspace=0,
                    wspace=0) as figure:
    figure.suptitle(f'{name}: the strongest activations of a map, projected'
                    ' (left), and their patches (right)', fontsize=9)
    grid = figure.add_gridspec(rows, across)
    for i, block in enumerate(blocks):
      axes = figure.add_subplot(grid[i % rows, i // rows])
      axes.imshow(pair(block))
      axes.set_title(block.title, pad=3, fontsize=8)
      axes.set_axis_off()


def pair(block: Block) -> np.ndarray:
  """Projections on the left, patches on the right, as uint8 [H, W, 3]."""
  gutter = np.full((NINE, GUTTER, 3), 255, np.uint8)
  return np.concatenate([
      square([around_grey(one) for one in block.projections]), gutter,
      square(block.patches)], axis=1)


def around_grey(projection: np.ndarray) -> np.ndarray:
  """Zero is mid gray, the largest values of this projection black or white."""
  sizes = np.abs(projection)
  largest = np.quantile(sizes, BELOW_LARGEST) or sizes.max() or 1.0
  scaled = np.clip(projection / largest, -1, 1)
  return np.round(127.5 + 127.5 * scaled).astype(np.uint8)


def square(tiles: Sequence[np.ndarray]) -> np.ndarray:
  """Tiles row by row, three in a row; one alone fills the square."""
  if len(tiles) == 1:
    return _framed(tiles[0], NINE)
  whole = np.full((NINE, NINE, 3), 255, np.uint8)
  for i, tile in enumerate(tiles):
    top, left = (at * (TILE + RULE) for at in divmod(i, 3))
    whole[top:top + TILE, left:left + TILE] = _framed(tile, TILE)
  return whole


def _framed(tile, side):
  if len(tile) <= SQUARES:
    method = cv2.INTER_NEAREST
  else:
    method = cv2.INTER_AREA if len(tile) > side else cv2.INTER_CUBIC
  tile = cv2.resize(np.ascontiguousarray(tile), (side - 2, side - 2),
                    interpolation=method)
  return cv2.copyMakeBorder(tile, 1, 1, 1, 1, cv2.BORDER_CONSTANT,
                            value=(FRAME,) * 3)
