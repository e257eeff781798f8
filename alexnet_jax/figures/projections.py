"""Projections beside the patches that caused them, as a picture.

The layout is that of Figure 2 of Zeiler and Fergus (2014): every map has a
square of up to nine projections and a square of as many patches, in the same
order.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np

from alexnet_jax.figures import style

TILE = 160  # Pixels of one projection or patch, at 300 per inch.
RULE = 6  # Between two tiles.
GUTTER = 14  # Between the projections and the patches.
NINE = 3 * TILE + 2 * RULE
FRAME = 190  # Gray, so that white patches are visible on white paper.
WIDTH = 7.0  # Inches.
FEW = 16  # Up to this many maps, two per row; more, four per row.
# Quantile of a projection that sets its contrast; outliers would hide the rest.
BELOW_LARGEST = 0.997
SQUARES = 16  # Up to this many pixels a side, pixels are not interpolated.


class Block(NamedTuple):
  """The projections and patches of one map."""

  title: str
  projections: Sequence[np.ndarray]  # [S, S, 3], zero is gray; nine or one.
  patches: Sequence[np.ndarray]  # uint8 [S, S, 3]; nine or fewer.


def draw(name: str, blocks: Sequence[Block], out: str) -> None:
  """Draws the maps of one layer, the first half of them on the left.

  Args:
    name: the name of the layer.
    blocks: one per map.
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
      axes.imshow(side_by_side(block))
      axes.set_title(block.title, pad=3, fontsize=8)
      axes.set_axis_off()


def side_by_side(block: Block) -> np.ndarray:
  """Puts projections left and patches right, as uint8 [H, W, 3]."""
  gutter = np.full((NINE, GUTTER, 3), 255, np.uint8)
  return np.concatenate([
      square([around_grey(one) for one in block.projections]), gutter,
      square(block.patches)], axis=1)


def around_grey(projection: np.ndarray) -> np.ndarray:
  """Maps zero to mid gray, and the largest values to black or white."""
  sizes = np.abs(projection)
  largest = np.quantile(sizes, BELOW_LARGEST) or sizes.max() or 1.0
  scaled = np.clip(projection / largest, -1, 1)
  return np.round(127.5 + 127.5 * scaled).astype(np.uint8)


def square(tiles: Sequence[np.ndarray]) -> np.ndarray:
  """Arranges tiles row by row, three per row; a single one fills the square."""
  if len(tiles) == 1:
    return _framed(tiles[0], NINE)
  canvas = np.full((NINE, NINE, 3), 255, np.uint8)
  for i, tile in enumerate(tiles):
    top, left = (at * (TILE + RULE) for at in divmod(i, 3))
    canvas[top:top + TILE, left:left + TILE] = _framed(tile, TILE)
  return canvas


def _framed(tile, side):
  if len(tile) <= SQUARES:
    method = cv2.INTER_NEAREST
  else:
    method = cv2.INTER_AREA if len(tile) > side else cv2.INTER_CUBIC
  tile = cv2.resize(np.ascontiguousarray(tile), (side - 2, side - 2),
                    interpolation=method)
  return cv2.copyMakeBorder(tile, 1, 1, 1, 1, cv2.BORDER_CONSTANT,
                            value=(FRAME,) * 3)
