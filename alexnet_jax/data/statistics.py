"""The mean image (section 2) and the covariance of RGB pixels (4.1).

Sums of pixels and of their products are integers below 2**53 even for 1.3
million images of 256 x 256 pixels, so float64 sums are exact and the result
does not depend on the order of the images.
"""

import os
from typing import NamedTuple

import numpy as np

from alexnet_jax.data.records import STATISTICS, Records
from alexnet_jax.data.sources import Source, Subset


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
    InputError: one of these images cannot be read.
  """
  if isinstance(source, Records) and source.image_size == source.stored_size:
    return load(source.folder)
  chosen = Subset(source, limit)
  sums = zero(chosen[0]['image'].shape[0])
  for i in range(len(chosen)):
    sums = added(sums, chosen[i]['image'])
  return from_sums(sums)


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


def load(folder: str) -> Statistics:
  """Loads the statistics of prepared records."""
  with np.load(os.path.join(folder, STATISTICS)) as stored:
    return Statistics(stored['mean'], stored['covariance'])


def save(folder: str, result: Statistics) -> None:
  """Saves the statistics of prepared records."""
  np.savez(os.path.join(folder, STATISTICS), **result._asdict())
