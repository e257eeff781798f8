"""The mean image (section 2) and the covariance of RGB pixels (4.1).

Sums of pixels and of their products are integers below 2**53 even for 1.3
million images of 256 x 256 pixels, so float64 sums are exact and the result
does not depend on the order of the images.
"""

import os
from typing import NamedTuple

import numpy as np

from alexnet_jax import files
from alexnet_jax.data.checksums import damaged
from alexnet_jax.data.records import STATISTICS, Records
from alexnet_jax.data.sources import Source, Subset, labels_of


class Statistics(NamedTuple):
  """The mean image, and the RGB covariance that the color jitter uses."""

  mean: np.ndarray  # float32 [S, S, 3], gray levels 0..255
  covariance: np.ndarray  # float32 [3, 3], of RGB pixels around their mean


class Sums(NamedTuple):
  """Sums over images, from which `Statistics` are computed."""

  count: int  # images
  pixels: np.ndarray  # float64 [S, S, 3]
  products: np.ndarray  # float64 [3, 3], of RGB values, over all pixels


def statistics(source: Source, *, limit: int = 1024) -> Statistics:
  """Returns the mean image and pixel covariance of the training images.

  Records store their statistics, which `prepare` computes over all images; they
  are used unless the records are opened at another image size. For any other
  source, at most `limit` evenly spaced images are read.

  Raises:
    InputError: one of these images, or the file of the records, cannot be
      read.
  """
  if isinstance(source, Records) and source.image_size == source.stored_size:
    return load(source.folder, source.stored_size)
  chosen = Subset(source, limit)
  sums = zero(chosen[0]['image'].shape[0])
  for i in range(len(chosen)):
    sums = added(sums, chosen[i]['image'])
  return from_sums(sums)


def balanced_class_weights(source: Source) -> np.ndarray:
  """Returns weights with which all classes count as much as each other.

  The weight of a class is n / (classes * count) for n examples in all, so the
  mean weight of the examples is 1. Classes without an example have no weight.

  Args:
    source: the training examples.

  Returns:
    float32 [classes].

  Raises:
    InputError: the source cannot tell the labels.
  """
  counts = np.bincount(labels_of(source), minlength=len(source.class_names))
  present = counts > 0
  weights = len(source) / (present.sum() * np.maximum(counts, 1))
  return np.where(present, weights, 0).astype(np.float32)


def zero(image_size: int) -> Sums:
  """Returns the sums over zero images."""
  return Sums(0, np.zeros((image_size, image_size, 3)), np.zeros((3, 3)))


def added(sums: Sums, image: np.ndarray) -> Sums:
  """Returns the sums with one more image added."""
  pixels = image.reshape(-1, 3).astype(np.float64)
  return Sums(sums.count + 1, sums.pixels + image,
              sums.products + pixels.T @ pixels)


def joined(one: Sums, other: Sums) -> Sums:
  """Returns the combined sums of two sets of images."""
  return Sums(one.count + other.count, one.pixels + other.pixels,
              one.products + other.products)


def from_sums(sums: Sums) -> Statistics:
  """Computes the mean image and covariance from sums."""
  mean = sums.pixels / sums.count
  rgb = mean.mean((0, 1))
  covariance = sums.products / (sums.count * mean[..., 0].size)
  covariance -= np.outer(rgb, rgb)
  return Statistics(mean.astype(np.float32), covariance.astype(np.float32))


def load(folder: str, image_size: int) -> Statistics:
  """Loads the statistics of prepared records.

  Args:
    folder: the folder of the records.
    image_size: side of the stored squares in pixels.

  Raises:
    InputError: the file is missing or damaged.
  """
  path = os.path.join(folder, STATISTICS)
  if not os.path.isfile(path):
    raise damaged(path, 'it is missing')
  # NumPy and zipfile can raise almost any exception on damaged files.
  try:
    with np.load(path) as stored:
      result = Statistics(stored['mean'], stored['covariance'])
  except Exception as error:
    raise damaged(path, 'its arrays cannot be read') from error
  for name, array, shape in (
      ('mean', result.mean, (image_size, image_size, 3)),
      ('covariance', result.covariance, (3, 3))):
    if array.dtype != np.float32 or array.shape != shape:
      raise damaged(path, f'{name} is {array.dtype} {list(array.shape)} in'
                    f' place of float32 {list(shape)}')
    if not np.isfinite(array).all():
      raise damaged(path, f'{name} has values that are no numbers')
  if not (result.mean.min() >= 0 and result.mean.max() <= 255):
    raise damaged(path, 'mean has values outside 0..255')
  return result


def save(folder: str, result: Statistics) -> None:
  """Saves the statistics of prepared records."""
  with files.atomic_write(os.path.join(folder, STATISTICS)) as file:
    np.savez(file, **result._asdict())
