"""Data augmentation on the device (4.1): crops, reflections and colors.

The input is uint8 images. Pixels keep the scale 0..255, minus the mean image
(section 2), because the initial weights and the constants of the response norm
assume this scale.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

Image = TypeVar('Image', jax.Array, np.ndarray)


class Augmentation(NamedTuple):
  """`config.augment`: the parameters of section 4.1."""

  crop: int  # side of a patch in pixels
  random_crops: bool
  flips: bool
  share_crops: int  # number of adjacent images that share crop and flip
  jitter: float  # strength of the color jitter; 0 turns it off
  jitter_scale: str  # 'stddev' or 'eigenvalue'
  jitter_rescale: bool  # divide by 1 + jitter
  jitter_until: int  # first epoch without jitter; 0: jitter never ends
  # RGB in 0..255, in place of the mean image of the training set; ().
  mean_pixel: tuple[float, ...] = ()
  pad: int = 0  # pixels of the mean image around each image, in training
  scale: tuple[int, ...] = ()  # shortest and longest random side; () is off


class PixelStats(NamedTuple):
  """Statistics of the training set's pixels."""

  mean: jax.Array | np.ndarray  # [S, S, 3] the mean image, 0..255
  directions: jax.Array | np.ndarray  # [3, 3] columns: principal axes of RGB
  stddevs: jax.Array | np.ndarray  # [3] standard deviation along each, 0..255


def pixel_stats(mean: np.ndarray, covariance: np.ndarray,
                mean_pixel: Sequence[float] = ()) -> PixelStats:
  """PCA of the RGB values of the training set: [S, S, 3], [3, 3] -> stats.

  Args:
    mean: the mean image of the training set.
    covariance: the covariance of its RGB values.
    mean_pixel: replaces every pixel of the mean image, unless ().
  """
  if mean_pixel:
    mean = np.broadcast_to(np.asarray(mean_pixel), mean.shape)
  variances, directions = np.linalg.eigh(np.asarray(covariance, np.float64))
  return PixelStats(
      np.asarray(mean, np.float32), np.asarray(directions, np.float32),
      np.sqrt(np.maximum(variances, 0)).astype(np.float32))


def crop_and_flip(
    images: jax.Array,
    keys: jax.Array,
    size: int,
    *,
    random_crops: bool = True,
    flips: bool = True,
) -> jax.Array:
  """Random patches and reflections: [B, S, S, 3] -> [B, size, size, 3].

  Offsets range from 0 to S - size inclusive, which gives 33 x 33 x 2 = 2178
  patches of a 256-pixel image; the paper counts 2048.

  Args:
    images: [B, S, S, 3] of any type.
    keys: [B], one per image.
    size: side of a patch in pixels.
    random_crops: if False, the central patch is used.
    flips: whether to reflect each image with probability one half.
  """
  room = images.shape[1] - size

  def crop_one(image, key):
    crop_key, flip_key = jax.random.split(key)
    offset = (jax.random.randint(crop_key, (2,), 0, room + 1) if random_crops
              else jnp.full((2,), room // 2))
    patch = lax.dynamic_slice(image, (offset[0], offset[1], 0),
                              (size, size, image.shape[-1]))
    flipped = jax.random.bernoulli(flip_key) & flips
    return jnp.where(flipped, patch[:, ::-1], patch)

  return jax.vmap(crop_one)(images, keys)


def scaled_crop_and_flip(
    images: jax.Array,
    keys: jax.Array,
    size: int,
    scale: Sequence[int],
    *,
    random_crops: bool = True,
    flips: bool = True,
) -> jax.Array:
  """Random scales, patches and reflections: VGG's scale jittering.

  Each square image is resized to a random side, and a patch of the result is
  cut out. Only the patch is computed, with linear interpolation that averages
  where the image shrinks. (Simonyan and Zisserman, 2014, section 3.1.)

  Args:
    images: [B, S, S, 3] of any type.
    keys: [B], one per image.
    size: side of a patch in pixels.
    scale: the shortest and the longest side, both included; `size` or more.
    random_crops: if False, the central patch is used.
    flips: whether to reflect each image with probability one half.

  Returns:
    float32 [B, size, size, 3] in the scale of the pixels.
  """

  def crop_one(image, key):
    crop_key, flip_key, scale_key = jax.random.split(key, 3)
    side = jax.random.randint(scale_key, (), scale[0], scale[1] + 1)
    room = side - size
    offset = (jax.random.randint(crop_key, (2,), 0, room + 1) if random_crops
              else jnp.broadcast_to(room // 2, (2,)))
    factor = side.astype(jnp.float32) / image.shape[0]
    patch = jax.image.scale_and_translate(
        image.astype(jnp.float32), (size, size, image.shape[-1]), (0, 1),
        jnp.broadcast_to(factor, (2,)), -offset.astype(jnp.float32), 'linear')
    flipped = jax.random.bernoulli(flip_key) & flips
    return jnp.where(flipped, patch[:, ::-1], patch)

  return jax.vmap(crop_one)(images, keys)


def pca_jitter(
    patches: jax.Array,
    draws: jax.Array,
    stats: PixelStats,
    strength: jax.Array | float,
    *,
    scale: str = 'stddev',
    rescale: bool = False,
) -> jax.Array:
  """Shifts each image's colors along the principal components of RGB.

  Args:
    patches: [B, H, W, 3] with the mean subtracted.
    draws: [B, 3] standard normal numbers, one per component.
    stats: the principal components.
    strength: standard deviation of the jitter; 0.1 in the paper.
    scale: 'stddev' multiplies by standard deviations, as in the 2012 program;
      'eigenvalue' is the printed formula, applied to pixels in 0..1, because in
      0..255 it would shift colors by a thousand gray levels.
    rescale: whether to divide the result by 1 + strength, as in the program.

  Returns:
    The shifted patches, [B, H, W, 3].
  """
  sizes = (stats.stddevs if scale == 'stddev'
           else stats.stddevs**2 / 255)
  shifts = strength * (sizes[None] * draws) @ stats.directions.T
  patches = patches + shifts[:, None, None]
  return patches / (1 + strength) if rescale else patches


def subtract_mean(patches: jax.Array, stats: PixelStats) -> jax.Array:
  """Patches in 0..255 -> float32 around zero: [B, size, size, 3].

  The central part of the mean image is subtracted whatever the position of the
  patch, as in the program; the paper does not specify this.
  """
  return (patches.astype(jnp.float32)
          - central_crop(jnp.asarray(stats.mean), patches.shape[1])[None])


def pad(images: jax.Array, width: int) -> jax.Array:
  """Adds zeros on all four sides: [B, S, S, 3] -> [B, S+2w, S+2w, 3]."""
  return jnp.pad(images, ((0, 0), (width, width), (width, width), (0, 0)))


def central_crop(image: Image, size: int) -> Image:
  """Returns the central square: [S, S, 3] -> [size, size, 3]."""
  edge = (image.shape[0] - size) // 2
  return image[edge : edge + size, edge : edge + size]


# --- Crops of a test ----------------------------------------------------------

CROPS = {1: 'one', 9: 'nine', 10: 'ten'}  # number of crops that a test averages


def test_crops(image_size: int, size: int, count: int) -> np.ndarray:
  """Returns the crops of a test: int [count, 3], rows (y, x, flipped).

  Ten crops are the four corners and the center, then their reflections (4.1),
  in the program's order. Nine crops are a grid of three by three, without
  reflections, as in the program's first CIFAR-10 tests. One crop is the center.

  Args:
    image_size: side of the image in pixels.
    size: side of a crop in pixels.
    count: 1, 9 or 10.
  """
  far = image_size - size
  center = far // 2
  if count == 1:
    return np.array([[center, center, 0]])
  if count == 9:
    offsets = (0, center, far)
    return np.array([(y, x, 0) for y in offsets for x in offsets])
  five = [(0, 0), (0, far), (center, center), (far, 0), (far, far)]
  return np.array([(*yx, flip) for flip in (0, 1) for yx in five])


def cut_crop(images: jax.Array, crop: jax.Array | np.ndarray,
             size: int) -> jax.Array:
  """Cuts the same crop out of every image.

  Args:
    images: [B, S, S, 3].
    crop: [3], a row of `test_crops`.
    size: side of the crop in pixels.

  Returns:
    [B, size, size, 3].
  """
  patches = lax.dynamic_slice(
      images, (0, crop[0], crop[1], 0),
      (images.shape[0], size, size, images.shape[-1]))
  return jnp.where(crop[2] == 1, patches[:, :, ::-1], patches)
