"""Precision of retrieval by features and by pixels.

It measures the claim of section 6.1: precision@k of many validation images
among the training images, by features and by raw pixels. A retrieved image is
correct if it has the class of the query.
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
# Maximum number of queries. There are fewer by pixels, since an image has
# 3 * 256 * 256 pixel values but 4096 features.
FEATURE_QUERIES, PIXEL_QUERIES = 5000, 500
PIXEL_ROWS = 256  # images per block


class WithProgress:
  """Blocks with a progress bar for each iteration over them.

  Args:
    blocks: the blocks; they can be iterated over more than once.
    images: total number of images in the blocks.
    name: title of the progress bar.
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
  """Images as blocks uint8 [n, S*S*3], decoded again at each iteration."""

  def __init__(self, source: Source, threads: int):
    self._source, self._threads = source, threads

  def __iter__(self) -> Iterator[np.ndarray]:
    for batch in loader.evaluation_batches(
        self._source, batch_size=PIXEL_ROWS, threads=self._threads):
      images = batch['image'][batch['valid']]
      yield images.reshape(len(images), -1)


def search_features(queries: np.ndarray, database: Features,
                    k: int) -> tuple[np.ndarray, np.ndarray]:
  """Finds the k nearest images by features.

  Args:
    queries: features [Q, D].
    database: features of the images that are searched.
    k: number of images to find.

  Returns:
    (distances, indices): [Q, k] each.
  """
  return nearest(queries, WithProgress(
      database.vectors, len(database.labels), 'by features'), k)


def search_pixels(queries: np.ndarray, source: Source, k: int,
                  threads: int) -> tuple[np.ndarray, np.ndarray]:
  """Finds the k nearest images by pixels.

  Args:
    queries: images, uint8 [Q, S, S, 3].
    source: the images that are searched.
    k: number of images to find.
    threads: number of threads that decode images.

  Returns:
    (distances, indices): [Q, k] each.
  """
  return nearest(queries.reshape(len(queries), -1), WithProgress(
      Pixels(source, threads), len(source), 'by pixels'), k)


def largest_k(database: Features) -> int:
  """Returns the largest k of the figure: 100, or the image count if less."""
  return min(DEPTH, len(database.labels))


def precision_of_features(tested: Features,
                          database: Features) -> dict[str, Any]:
  """Computes the precision by features and by chance.

  Args:
    tested: the features of the validation images.
    database: the features of the training images.
  """
  chosen = evenly_spread(len(tested.labels), FEATURE_QUERIES)
  _, indices = search_features(
      rows_at(tested, chosen), database, largest_k(database))
  labels = tested.labels[chosen]
  return {
      'images': len(database.labels),
      'chance': precision_by_chance(labels, database.labels),
      'features': precision_at_each_k(labels, database.labels[indices])}


def precision_at_each_k(labels: np.ndarray,
                        neighbor_labels: np.ndarray) -> dict[str, Any]:
  """Returns precision@1 to @k for JSON, from labels [Q] and [Q, k]."""
  return {'queries': len(labels),
          'precision': metrics.precision_at(labels, neighbor_labels).tolist()}


def precision_by_chance(query_labels: np.ndarray, labels: np.ndarray) -> float:
  """Returns the precision of random images: labels [Q], of all images [N]."""
  shares = np.bincount(labels, minlength=query_labels.max() + 1)
  return float((shares[query_labels] / len(labels)).mean())
