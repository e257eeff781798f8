"""MNIST from its four files, whose format (IDX) is that of the original page.

Fashion-MNIST and KMNIST have the same files. A folder may hold them compressed
or not, and as torchvision puts them into MNIST/raw. Each of the three may also
be a data set that TFDS has written.
"""

import glob
import gzip
import math
import os
import zlib

import cv2
import numpy as np

from alexnet_jax.data import images
from alexnet_jax.data.builders import MNISTS, Built
from alexnet_jax.errors import InputError, printable

SIDE, CLASSES = 28, 10
EDGE = 2  # black pixels around each image: LeNet-5 reads 32 x 32 pixels
_PREFIXES = {'train': 'train', 'validation': 't10k', 'test': 't10k'}
_IMAGES, _LABELS = 'images-idx3-ubyte', 'labels-idx1-ubyte'
_FOLDERS = ('', 'raw', os.path.join('MNIST', 'raw'))


def open_mnist(path: str, split: str,
               image_size: int) -> 'Mnist | BuiltMnist':
  """Opens one split, in whichever format `path` contains.

  Args:
    path: a folder with the four files of `Mnist`; or a data folder of TFDS, or
      `mnist`, `fashion_mnist` or `kmnist` in it.
    split: 'train', 'validation' or 'test'; the last two are the same.
    image_size: side of the squares in pixels, with an edge as in `Mnist`.

  Raises:
    InputError: there are no such files or several data sets, or something is
      damaged.
  """
  path = os.path.abspath(path)
  written = [
      folder for folder in (path, *(os.path.join(path, name)
                                    for name in MNISTS))
      if os.path.basename(folder) in MNISTS
      and glob.glob(os.path.join(glob.escape(folder), '*/dataset_info.json'))]
  if len(written) > 1:
    raise InputError(
        f'{printable(path)} has {len(written)} data sets of TFDS: give'
        f' {printable(" or ".join(written))} as config.data.path.')
  if written:
    return BuiltMnist(written[0], split, image_size)
  return Mnist(path, split, image_size)


class BuiltMnist(Built):
  """A source for one split of a data set that TFDS has written.

  Args:
    folder: the folder of the data set, which has its name.
    split: 'train', 'validation' or 'test'; the last two are the same.
    image_size: side of the squares in pixels, with an edge as in `Mnist`.

  Raises:
    InputError: it cannot be read at random.
  """

  def __init__(self, folder: str, split: str, image_size: int):
    parent, name = os.path.split(folder)
    super().__init__(name, parent, split, SIDE)
    self._side_with_edge = image_size

  def __getitem__(self, i: int) -> dict:
    example = super().__getitem__(i)
    return example | {
        'image': _with_edge(example['image'], self._side_with_edge)}


class Mnist:
  """A source for one split: white digits on black, the three colors equal.

  Args:
    path: a folder with train-images-idx3-ubyte, train-labels-idx1-ubyte and the
      same with t10k; each may end in .gz.
    split: 'train', 'validation' or 'test'; the last two are the same.
    image_size: side of the squares in pixels. The images of 28 pixels get an
      edge of two black ones, as in 1998, and are resized unless this is 32.

  Raises:
    InputError: a file is missing or damaged.
  """

  class_names = tuple(map(str, range(CLASSES)))

  def __init__(self, path: str, split: str, image_size: int):
    prefix = _PREFIXES[split]
    self._path = _find(path, f'{prefix}-{_IMAGES}')
    self._images = read_idx(self._path, (SIDE, SIDE))
    labels = _find(path, f'{prefix}-{_LABELS}')
    self._labels = read_idx(labels, ())
    if len(self._labels) != len(self._images):
      raise _damaged(labels, f'it has {len(self._labels)} labels for'
                     f' {len(self._images)} images')
    if (self._labels >= CLASSES).any():
      raise _damaged(labels, f'it has the label {self._labels.max()}')
    self._image_size = image_size

  def labels(self) -> np.ndarray:
    return self._labels.astype(np.int32)

  def __len__(self) -> int:
    return len(self._labels)

  def __getitem__(self, i: int) -> dict:
    image = np.repeat(self._images[i][..., None], 3, axis=-1)
    return {'image': _with_edge(image, self._image_size),
            'label': np.int32(self._labels[i])}

  def where(self, i: int) -> str:
    return f'image {i} of {self._path}'


def read_idx(path: str, shape: tuple[int, ...]) -> np.ndarray:
  """Reads a file of the format IDX: uint8 [N, *shape].

  Args:
    path: the file; if it ends in .gz it is compressed.
    shape: the shape of one entry.

  Raises:
    InputError: the file cannot be read, or holds something else.
  """
  opened = gzip.open if path.endswith('.gz') else open
  try:
    with opened(path, 'rb') as file:
      data = file.read()
  except (OSError, EOFError, zlib.error) as error:
    raise _damaged(path, str(error)) from error
  axes = 1 + len(shape)
  # Two zeros, the type (8: unsigned bytes), the number of axes, and their
  # lengths in four bytes each, the most significant first.
  start = 4 * (1 + axes)
  if data[:4] != bytes((0, 0, 8, axes)) or len(data) < start:
    raise _damaged(path, f'it does not start as IDX with {axes} axes')
  head = np.frombuffer(data[4:start], '>u4')
  if tuple(head[1:]) != shape:
    sides = ' x '.join(map(str, head[1:]))
    raise _damaged(path, f'its entries are {sides}')
  array = np.frombuffer(data[start:], np.uint8)
  count = int(head[0])
  if not count or len(array) != count * math.prod(shape):
    raise _damaged(path, f'{len(array)} bytes are not its {count} entries')
  return array.reshape(count, *shape)


def _with_edge(image: np.ndarray, image_size: int) -> np.ndarray:
  image = cv2.copyMakeBorder(
      image, EDGE, EDGE, EDGE, EDGE, cv2.BORDER_CONSTANT, value=(0, 0, 0))
  return images.square(image, image_size)


def _find(path: str, name: str) -> str:
  for folder in _FOLDERS:
    for ending in ('', '.gz'):
      file = os.path.join(path, folder, name + ending)
      if os.path.isfile(file):
        return file
  raise InputError(
      f'{printable(path)} has no {name}: give the folder that has the four'
      f' files of MNIST, such as {name} or {name}.gz, or a data set of TFDS, as'
      ' config.data.path.')


def _damaged(path: str, reason: str) -> InputError:
  return InputError(
      f'{printable(path)} cannot be read as a part of MNIST'
      f' ({printable(reason)}); get the file again.')
