"""A source that reads pictures from one folder per class.

The layout is either `train/` and `val/` (or `validation/`, or `test/`) with a
folder per class in each, or the class folders alone, which are then split into
training and validation pictures by a hash of each picture's path. Pictures may
be at any depth in a class folder.
"""

import hashlib
import os

import numpy as np

from alexnet_jax.data import images
from alexnet_jax.data.images import EXTENSIONS
from alexnet_jax.errors import InputError

_LAYOUT = 'train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.jpg'


class Folder:
  """A source for the pictures of one split in the folder `path`."""

  def __init__(self, path: str, split: str, image_size: int,
               validation_fraction: float, resize: str = 'crop'):
    """Lists the pictures.

    Args:
      path: a folder in one of the two layouts.
      split: 'train' or 'validation'.
      image_size: side of the squares in pixels.
      validation_fraction: share of the pictures that is used for validation
        if there is no validation folder; between 0 and 1.
      resize: see `images.square`.

    Raises:
      InputError: the folder has neither layout (the message names the folder
        that is missing, empty or unexpected), or `validation_fraction` is out
        of range.
    """
    train, validation = _split_folders(path)
    self.class_names = _class_names(train)
    self._image_size, self._resize = image_size, resize
    if validation is None:
      files = _set_aside(train, self.class_names, split, validation_fraction)
    elif split == 'train':
      files = _pictures(train, self.class_names)
    else:
      files = _pictures(validation, _validation_classes(
          validation, train, self.class_names))
    self._paths = [path for paths in files.values() for path in paths]
    self._labels = np.repeat(
        np.array([self.class_names.index(name) for name in files], np.int32),
        [len(paths) for paths in files.values()])

  def __len__(self) -> int:
    return len(self._paths)

  def __getitem__(self, i: int) -> dict:
    image = images.read_square(self._paths[i], self._image_size, self._resize)
    return {'image': image, 'label': self._labels[i]}

  def where(self, i: int) -> str:
    """Returns the picture's path."""
    return self._paths[i]


def find_pictures(folder: str, hidden_folders: bool) -> list[str]:
  """Returns the sorted paths of all pictures at any depth in a folder.

  Hidden files are ignored. Links are followed, but no folder is visited twice.

  Args:
    folder: the folder to search.
    hidden_folders: whether to search folders whose names start with a dot.
  """
  paths, visited = [], set()
  for parent, folders, files in os.walk(folder, followlinks=True):
    if os.path.realpath(parent) in visited:
      folders.clear()
      continue
    visited.add(os.path.realpath(parent))
    # Sorted, so that of two links to a folder the same one is always followed.
    folders[:] = sorted(name for name in folders
                        if hidden_folders or not name.startswith('.'))
    paths += [os.path.join(parent, name) for name in files
              if name.lower().endswith(EXTENSIONS)
              and not name.startswith('.')]
  return sorted(paths)


def _split_folders(path: str) -> tuple[str, str | None]:
  """Returns the training folder and the validation folder, or None for it."""
  if not os.path.isdir(path):
    raise InputError(
        f'there is no folder {path!r}; point --config.data.path at a folder '
        f'with {_LAYOUT}.')
  train = os.path.join(path, 'train')
  if not os.path.isdir(train):
    return path, None
  for name in ('val', 'validation', 'test'):
    if os.path.isdir(os.path.join(path, name)):
      return train, os.path.join(path, name)
  return train, None


def _class_names(train: str) -> tuple[str, ...]:
  names = _subfolders(train)
  if not names:
    raise InputError(
        f'{train!r} has no class folders; put the pictures of each class in '
        f'a folder of their own: {_LAYOUT}.')
  if len(names) == 1:
    raise InputError(
        f'{train!r} has only one class folder, {names[0]!r}; classification '
        f'takes two or more: {_LAYOUT}.')
  return names


def _validation_classes(validation: str, train: str,
                        class_names: tuple[str, ...]) -> tuple[str, ...]:
  """Returns the names of the classes that have validation pictures."""
  names = _subfolders(validation)
  for name in names:
    if name not in class_names:
      raise InputError(
          f'{validation!r} has a class {name!r} that {train!r} lacks; give '
          'both the same class folders.')
  if not names:
    raise InputError(
        f'{validation!r} has no class folders; give it the class folders of '
        f'{train!r}, or remove it to have training pictures set aside.')
  return names


def _subfolders(folder: str) -> tuple[str, ...]:
  return tuple(sorted(
      entry.name for entry in os.scandir(folder)
      if entry.is_dir() and not entry.name.startswith('.')))


def _pictures(root: str, names: tuple[str, ...]) -> dict[str, list[str]]:
  """Returns the sorted paths of the pictures of each class."""
  pictures = {}
  for name in names:
    folder = os.path.join(root, name)
    pictures[name] = find_pictures(folder, hidden_folders=True)
    if not pictures[name]:
      raise InputError(
          f'the class folder {folder!r} holds no pictures '
          f'({" ".join(EXTENSIONS)}); add some or remove the folder.')
  return pictures


def _set_aside(root: str, names: tuple[str, ...], split: str,
               fraction: float) -> dict[str, list[str]]:
  """Returns the pictures of a split, chosen by comparing hash and fraction.

  The split of a picture depends on its path alone, so adding pictures does not
  move existing ones. The exception is a class so small that one split would be
  empty: the picture whose hash is closest to the fraction is then moved there.
  """
  if not 0 < fraction < 1:
    raise InputError(
        f'config.data.validation_fraction={fraction} does not leave pictures '
        'for both splits; give a number between 0 and 1, such as 0.1.')
  chosen = {}
  for name, paths in _pictures(root, names).items():
    ranked = sorted((_position(root, path), path) for path in paths)
    count = sum(position < fraction for position, _ in ranked)
    # At least one picture in each split; a single picture is for training.
    count = min(max(count, 1), len(ranked) - 1)
    side = ranked[:count] if split == 'validation' else ranked[count:]
    chosen[name] = sorted(path for _, path in side)
  return chosen


def _position(root: str, path: str) -> float:
  """Hashes a picture's path relative to the root to a number in 0..1."""
  relative = os.path.relpath(path, root).replace(os.sep, '/')
  digest = hashlib.blake2b(relative.encode(), digest_size=8).digest()
  return int.from_bytes(digest, 'big') / 2**64
