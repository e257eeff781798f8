"""CIFAR-10 from its official archives, from picture folders or from TFDS.

The two official formats, Python pickles and plain bytes, are loaded into memory
(150 MB of training images). Pictures and TFDS records are read one by one.
"""

import glob
import io
import os

import numpy as np

from alexnet_jax.array_files import pickled
from alexnet_jax.data import images
from alexnet_jax.data.builders import CIFAR, Built, build_cifar10
from alexnet_jax.data.folders import Folder
from alexnet_jax.errors import InputError

PYTHON, BINARY, TFDS = 'cifar-10-batches-py', 'cifar-10-batches-bin', 'cifar10'
SIDE = 32  # pixels
_PIXELS = 3 * SIDE * SIDE
_BATCHES = {'train': [f'data_batch_{k}' for k in range(1, 6)],
            'validation': ['test_batch'], 'test': ['test_batch']}


class Unpacked:
  """A source for one split of an unpacked official archive.

  Args:
    folder: the folder of the unpacked archive.
    split: 'train', 'validation' or 'test'; the last two are the same.
    image_size: side of the squares in pixels.

  Raises:
    InputError: a file is missing, damaged or not a CIFAR-10 batch.
  """

  def __init__(self, folder: str, split: str, image_size: int):
    read, names, extension = (
        (_python_batch, _python_names, '')
        if os.path.exists(os.path.join(folder, 'data_batch_1'))
        else (_binary_batch, _binary_names, '.bin'))
    self._paths = [os.path.join(folder, name + extension)
                   for name in _BATCHES[split]]
    batches = [read(path) for path in self._paths]
    self._images = np.concatenate([pixels for pixels, _ in batches])
    self._labels = np.concatenate([labels for _, labels in batches])
    self.class_names = names(folder)
    counts = [len(labels) for _, labels in batches]
    self._starts = np.cumsum([0, *counts[:-1]])
    self._image_size = image_size

  def __len__(self) -> int:
    return len(self._labels)

  def __getitem__(self, i: int) -> dict:
    # The archive stores one color plane after the other.
    image = self._images[i].reshape(3, SIDE, SIDE).transpose(1, 2, 0)
    return {'image': images.square(image, self._image_size),
            'label': self._labels[i]}

  def where(self, i: int) -> str:
    file = np.searchsorted(self._starts, i, side='right') - 1
    return f'image {i - self._starts[file]} of {self._paths[file]}'

  def labels(self) -> np.ndarray:
    return self._labels


def open_cifar10(path: str, split: str,
                 image_size: int) -> Unpacked | Folder | Built:
  """Opens CIFAR-10 in whichever format `path` contains.

  Args:
    path: one of the following, or a folder that contains it:
      `cifar-10-batches-py`, `cifar-10-batches-bin`, a folder with `train` and
      `test` that each have a folder of pictures per class, or `cifar10` as
      written by TFDS.
    split: 'train', 'validation' or 'test'; the last two are the same.
    image_size: side of the squares in pixels; 32 is the original size.

  Raises:
    InputError: none of the four formats is found, or the data are unreadable.
  """
  form, folder = _find(path)
  match form:
    case 'pictures':
      return Folder(folder, split, image_size, validation_fraction=0.1)
    case 'tfds':
      return Built(TFDS, os.path.dirname(folder), split, image_size)
    case 'python' | 'binary':
      return Unpacked(folder, split, image_size)
  raise InputError(
      f'{path!r} holds no CIFAR-10: put there {PYTHON}/ or {BINARY}/ from the'
      ' official archives, pictures as train/CLASS/ and test/CLASS/, or'
      f' {TFDS}/, which --task=prepare makes of {CIFAR}.')


def build(path: str) -> None:
  """Builds the TFDS data set, unless CIFAR-10 exists in another format.

  Raises:
    InputError: the archive is missing; see `build_cifar10`.
  """
  if _find(os.path.expanduser(path))[0] in ('none', 'tfds'):
    build_cifar10(path)  # does nothing if its data set exists


def _find(path: str) -> tuple[str, str]:
  """Returns the first format found and its folder, or ('none', path)."""
  path = os.path.abspath(path)
  for folder in (path, *(os.path.join(path, name)
                         for name in (PYTHON, BINARY, TFDS))):
    for form, signs in (
        ('python', ('data_batch_1',)), ('binary', ('data_batch_1.bin',)),
        ('pictures', ('train/', 'test/')), ('tfds', ('*/dataset_info.json',))):
      if all(glob.glob(os.path.join(glob.escape(folder), sign))
             for sign in signs):
        return form, folder
  return 'none', path


def _binary_batch(path: str) -> tuple[np.ndarray, np.ndarray]:
  rows = np.frombuffer(_contents(path), np.uint8)
  if not len(rows) or len(rows) % (1 + _PIXELS):
    raise _damaged(path, f'{len(rows)} bytes are no rows of {1 + _PIXELS}')
  rows = rows.reshape(-1, 1 + _PIXELS)
  return rows[:, 1:], rows[:, 0].astype(np.int32)


def _binary_names(folder: str) -> tuple[str, ...]:
  names = _contents(os.path.join(folder, 'batches.meta.txt'))
  return tuple(names.decode().split())


def _python_batch(path: str) -> tuple[np.ndarray, np.ndarray]:
  batch = _unpickled(path)
  pixels, labels = (np.asarray(_entry(batch, name, path))
                    for name in ('data', 'labels'))
  if pixels.shape != (len(labels), _PIXELS) or pixels.dtype != np.uint8:
    raise _damaged(path, f'its data are {pixels.dtype} {pixels.shape}')
  return pixels, labels.astype(np.int32)


def _python_names(folder: str) -> tuple[str, ...]:
  path = os.path.join(folder, 'batches.meta')
  return tuple(name.decode() if isinstance(name, bytes) else name
               for name in _entry(_unpickled(path), 'label_names', path))


def _entry(batch, name: str, path: str):
  """Returns a field; keys are bytes in files that Python 2 pickled."""
  for key in (name.encode(), name):
    if isinstance(batch, dict) and key in batch:
      return batch[key]
  raise _damaged(path, f'it has no {name!r}')


def _unpickled(path: str):
  try:
    return pickled.load(io.BytesIO(_contents(path)))
  # A damaged pickle can raise almost any exception.
  except InputError:
    raise
  except Exception as error:
    raise _damaged(path, str(error)) from error


def _contents(path: str) -> bytes:
  try:
    with open(path, 'rb') as file:
      return file.read()
  except OSError as error:
    raise _damaged(path, error.strerror or str(error)) from error


def _damaged(path: str, reason: str) -> InputError:
  return InputError(
      f'{path} cannot be read as a part of CIFAR-10 ({reason}); unpack the'
      ' official archive again.')
