"""An image in any of the forms in which a program may have it."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import Image

from alexnet_jax import machine
from alexnet_jax.data import decoding, images
from alexnet_jax.errors import InputError

FORMS = ('a file name, the bytes of a file, a PIL image or a uint8 array'
         ' [H, W, 3], [H, W, 4] or [H, W]')


def is_one(image: Any) -> bool:
  """Returns whether it is one image, not several of them."""
  if isinstance(image, str | bytes | os.PathLike | Image.Image):
    return True
  return hasattr(image, '__array__') and np.ndim(image) < 4


def read(image: Any) -> np.ndarray:
  """Converts one image of any form to upright uint8 RGB [H, W, 3].

  Raises:
    InputError: it is no image, or cannot be read.
  """
  match image:
    case str() | os.PathLike():
      path = os.path.expanduser(os.fspath(image))
      return decoding.read(path)
    case bytes():
      return decoding.decode(image)
    case Image.Image():
      return decoding.from_pillow(image)
  if not hasattr(image, '__array__'):
    raise InputError(f'{type(image).__name__} is no image: give {FORMS}.')
  return _from_array(np.asarray(image))


def _from_array(array):
  if array.ndim == 3 and array.shape[2] == 1:
    array = array[..., 0]
  fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
  if array.dtype != np.uint8 or not fits or not array.size:
    raise InputError(
        f'an array of {array.dtype} {list(array.shape)} is no image: give'
        f' {FORMS}, with values from 0 to 255.')
  if array.ndim == 3 and array.shape[2] == 3:
    return array
  return decoding.from_pillow(Image.fromarray(array))


def read_squares(several: Iterable[Any], size: int, threads: int = 2,
                 ahead: int = 64,
                 resize: str = 'crop') -> Iterator[np.ndarray | InputError]:
  """Reads the central square of every image, in order.

  Args:
    several: images of any form; a generator is read as far as needed.
    size: side of the squares in pixels.
    threads: number of decoding threads; 0 for one per core, at most 16.
    ahead: maximum number of images decoded in advance.
    resize: see `images.square`.

  Yields:
    uint8 [size, size, 3], or the error that says why an image is unreadable.
  """

  def square(image):
    try:
      return images.square(read(image), size, resize)
    except InputError as error:
      return error

  pool = ThreadPoolExecutor(machine.decoding_threads(threads))
  waiting = deque()
  try:
    for image in several:
      waiting.append(pool.submit(square, image))
      if len(waiting) >= ahead:
        yield waiting.popleft().result()
    while waiting:
      yield waiting.popleft().result()
  finally:
    pool.shutdown(wait=False, cancel_futures=True)
