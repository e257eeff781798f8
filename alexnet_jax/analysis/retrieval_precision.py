"""How much of what is retrieved is of the query's class: features and pixels.

The point of section 6.1 in numbers: precision@k of many validation images among
the training images, by features and by raw pixels.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from tqdm import tqdm

from alexnet_jax.analysis.features import Features, rows_at
from alexnet_jax.analysis.neighbors import nearest
from alexnet_jax.data import loader
from alexnet_jax.data.sources import Source, evenly_spread
from alexnet_jax.learning import metrics

DEPTH = 100  # precision@1 to precision@100
# Queries at most, fewer by pixels: these are 3 * 256 * 256 numbers an image
# where features are 4096.
FEATURE_QUERIES, PIXEL_QUERIES = 5000, 500
PIXEL_ROWS = 256  # images compared at a time


class Shown:
  """Blocks on a progress bar, each time that they are gone through.

  Args:
    blocks: what can be gone through more than once.
    images: how many they hold in all.
    name: of the bar.
  """

  def __init__(self, blocks: Iterable[np.ndarray], images: int, name: str):
    self._blocks, self._images, self._name = blocks, images, name

  def __iter__(self) -> Iterator[np.ndarray]:
    with tqdm(total=self._images, desc=self._name, unit=' images', leave=False,
              dynamic_ncols=True, disable=None) as bar:
      for block in self._blocks:
        yield block
        bar.update(len(block))


class Pixels:
  """Images as blocks of vectors, decoded anew each time: uint8 [n, S*S*3]."""

  def __init__(self, source: Source, threads: int):
    self._source, self._threads = source, threads

  def __iter__(self) -> Iterator[np.ndarray]:
    for batch in loader.evaluation_batches(
        self._source, batch_size=PIXEL_ROWS, threads=self._threads):
      images = batch['image'][batch['valid']]
      yield images.reshape(len(images), -1)


def search_features(queries: np.ndarray, held: Features,
                    k: int) -> tuple[np.ndarray, np.ndarray]:
  """The k nearest by features: [Q, D] -> distances and indices [Q, k]."""
  return nearest(queries, Shown(
      held.vectors, len(held.labels), 'by features'), k)


def search_pixels(queries: np.ndarray, source: Source, k: int,
                  threads: int) -> tuple[np.ndarray, np.ndarray]:
  """The k nearest by pixels: uint8 [Q, S, S, 3] -> two arrays [Q, k]."""
  return nearest(queries.reshape(len(queries), -1), Shown(
      Pixels(source, threads), len(source), 'by pixels'), k)


def depth(held: Features) -> int:
  """How many neighbors the figure counts: 100, or all of fewer images."""
  return min(DEPTH, len(held.labels))


def of_features(tested: Features, held: Features) -> dict[str, Any]:
  """Precision by features, and by chance.

  Args:
    tested: the features of the validation images.
    held: those of the training images.
  """
  some = evenly_spread(len(tested.labels), FEATURE_QUERIES)
  _, indices = search_features(rows_at(tested, some), held, depth(held))
  labels = tested.labels[some]
  shares = np.bincount(held.labels, minlength=len(held.class_names))
  return {
      'images': len(held.labels),
      'chance': float((shares[labels] / len(held.labels)).mean()),
      'features': of_found(labels, held.labels[indices])}


def of_found(labels: np.ndarray, found: np.ndarray) -> dict[str, Any]:
  """Precision@1 to @k as JSON has it: labels [Q] and [Q, k]."""
  return {'queries': len(labels),
          'precision': metrics.precision_at(labels, found).tolist()}
