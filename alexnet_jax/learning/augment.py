"""Section 4.1 on the device: crops, reflections, colours; from uint8 images.

Pixels stay 0..255 minus the mean image (section 2): the initial weights and the
constants of the response norm mean nothing on another scale.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax


class Pixels(NamedTuple):
  """What the training set's pixels are like."""

  mean: jax.Array  # [S, S, 3] the mean image, 0..255
  directions: jax.Array  # [3, 3] columns: principal directions of RGB
  stddevs: jax.Array  # [3] standard deviation along each, 0..255


def pixels(mean: np.ndarray, covariance: np.ndarray) -> Pixels:
  """PCA on the RGB values of the training set: [S, S, 3], [3, 3] -> Pixels."""
  variances, directions = np.linalg.eigh(np.asarray(covariance, np.float64))
  return Pixels(
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

  Offsets run from 0 to S - size inclusive: 33 x 33 x 2 = 2178 patches of a 256
  image, where the paper counts 2048.

  Args:
    images: any type, squares of S pixels.
    keys: [B].
    size: of a patch, in pixels.
    random_crops: without them, the central patch.
    flips: reflect every second patch.
  """
  room = images.shape[1] - size

  def one(image, key):
    where, side = jax.random.split(key)
    offset = (jax.random.randint(where, (2,), 0, room + 1) if random_crops
              else jnp.full((2,), room // 2))
    patch = lax.dynamic_slice(image, (offset[0], offset[1], 0),
                              (size, size, image.shape[-1]))
    flipped = jax.random.bernoulli(side) & flips
    return jnp.where(flipped, patch[:, ::-1], patch)

  return jax.vmap(one)(images, keys)


def pca_jitter(
    patches: jax.Array,
    draws: jax.Array,
    pixels: Pixels,
    strength: jax.Array | float,
    *,
    scale: str = 'stddev',
    rescale: bool = False,
) -> jax.Array:
  """Shifts each image's colours along the principal components of RGB.

  Args:
    patches: [B, H, W, 3] with the mean subtracted.
    draws: [B, 3] standard normal numbers, one per component.
    pixels: the components.
    strength: 0.1 in the paper.
    scale: 'stddev' multiplies by standard deviations, as the program did;
      'eigenvalue' is the printed formula, on pixels 0..1 since on 0..255 it
      would shift by a thousand grey levels.
    rescale: the program divided the result by 1 + strength.
  """
  sizes = (pixels.stddevs if scale == 'stddev'
           else pixels.stddevs**2 / 255)
  shifts = strength * (sizes[None] * draws) @ pixels.directions.T
  patches = patches + shifts[:, None, None]
  return patches / (1 + strength) if rescale else patches


def subtract_mean(patches: jax.Array, pixels: Pixels) -> jax.Array:
  """uint8 patches -> float32 around zero: [B, size, size, 3].

  The central piece of the mean image is subtracted wherever the patch was cut,
  as in the program; the paper does not say.
  """
  return (patches.astype(jnp.float32)
          - central(pixels.mean, patches.shape[1])[None])


def central(image: jax.Array, size: int) -> jax.Array:
  """The central square: [S, S, 3] -> [size, size, 3]."""
  edge = (image.shape[0] - size) // 2
  return image[edge : edge + size, edge : edge + size]


VIEWS = {1: 'one', 9: 'nine', 10: 'ten'}  # patches that a test averages


def views(image_size: int, size: int, count: int) -> np.ndarray:
  """Where test patches are cut: rows (y, x, flipped).

  Ten: four corners and the centre, then their reflections (4.1), in the
  program's order. Nine: three by three, without reflections, as in its first
  CIFAR-10 tests. One: the centre.
  """
  far = image_size - size
  centre = far // 2
  if count == 1:
    return np.array([[centre, centre, 0]])
  if count == 9:
    places = (0, centre, far)
    return np.array([(y, x, 0) for y in places for x in places])
  five = [(0, 0), (0, far), (centre, centre), (far, 0), (far, far)]
  return np.array([(*yx, flip) for flip in (0, 1) for yx in five])


def cut_view(images: jax.Array, view: jax.Array, size: int) -> jax.Array:
  """One view of every image: [B, S, S, 3], [3] -> [B, size, size, 3]."""
  patches = lax.dynamic_slice(
      images, (0, view[0], view[1], 0),
      (len(images), size, size, images.shape[-1]))
  return jnp.where(view[2] == 1, patches[:, :, ::-1], patches)
