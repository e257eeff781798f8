"""Reads a mean image that another program has published."""

import os

import numpy as np

from alexnet_jax.array_files import caffe, reading
from alexnet_jax.errors import InputError

BINARYPROTO = '.binaryproto'


def read(path: str, image_size: int, crop: int, order: str) -> np.ndarray:
  """Returns the mean image, RGB [S, S, 3] in 0..255.

  The file has [3, S, S], [S, S, 3], the same numbers in one row (colors first),
  or three numbers, one for each color. An image of the size of a crop is the
  center of the result.

  Args:
    path: a .binaryproto of Caffe, or one of `reading.FORMATS` with one array.
    image_size: S.
    crop: side of a patch in pixels.
    order: 'rgb' or 'bgr', the order of the colors in the file.

  Raises:
    InputError: the file cannot be read or has no such image.
  """
  return in_rgb(path, _only_array(path), image_size, crop, order)


def in_rgb(path: str, array: np.ndarray, image_size: int, crop: int,
           order: str) -> np.ndarray:
  """Returns a mean of any such form as an image, RGB [S, S, 3].

  Args:
    path: the file that has it, for messages.
    array: the mean.
    image_size: S.
    crop: side of a patch in pixels.
    order: 'rgb' or 'bgr', the order of its colors.

  Raises:
    InputError: it is no such image.
  """
  mean = _colors_last(path, array, image_size, crop)
  if not np.isfinite(mean).all() or mean.min() < 0 or mean.max() > 255:
    raise InputError(f'{path} has numbers outside of 0..255: give the mean of'
                     ' pixels on that scale.')
  if mean.max() <= 1:
    raise InputError(f'{path} has a mean in 0..1: multiply it by 255.')
  if order == 'bgr':
    mean = mean[..., ::-1]
  if mean.ndim == 1:
    return np.broadcast_to(mean, (image_size, image_size, 3))
  below = (image_size - len(mean)) // 2
  edges = (below, image_size - len(mean) - below)
  return np.pad(mean, (edges, edges, (0, 0)), 'edge')


def _only_array(path):
  if os.path.splitext(path)[1].lower() == BINARYPROTO and os.path.isfile(path):
    with reading.readable(path, BINARYPROTO), open(path, 'rb') as file:
      return caffe.read_blob(file.read())
  arrays = reading.read(path)
  if len(arrays) != 1:
    raise InputError(f'{path} has {len(arrays)} arrays, not one mean image:'
                     ' give a .binaryproto, or an .npy of [3, S, S].')
  return next(iter(arrays.values()))


def _colors_last(path, array, image_size, crop):
  flat = np.squeeze(array)
  if flat.dtype.kind in 'fiu':
    flat = flat.astype(np.float64)
    if flat.shape == (3,):
      return flat
    for side in (image_size, crop):
      if flat.shape == (side, side, 3):
        return flat
      if flat.size == 3 * side * side and flat.shape in (
          (3 * side * side,), (3, side, side), (3, side * side)):
        return flat.reshape(3, side, side).transpose(1, 2, 0)
  raise InputError(
      f'{path} is {list(array.shape)}, no mean image of {image_size} or {crop}'
      f' pixels: give [3, {image_size}, {image_size}], or three numbers.')
