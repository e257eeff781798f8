"""A folder of pictures as a source: one folder a class.

Either `train/` and `val/` (or `validation/`, or `test/`) with a folder per
class in each, or the class folders alone, which are then split by a hash of
each picture's path. Pictures may lie at any depth below their class folder.
"""

import hashlib
import os

import numpy as np

from alexnet_jax.data import images
from alexnet_jax.errors import InputError

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff',
              '.gif')
_LAYOUT = 'train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.jpg'


class Folder:
  """A source of the pictures below `path` that belong to `split`.

  Raises:
    InputError: when the layout is not one of the two above; the sentence
      names the folder that is missing, empty or unexpected.
  """

  def __init__(self, path: str, split: str, image_size: int,
               validation_fraction: float):
    train, validation = _split_folders(path)
    self.class_names = _class_names(train)
    self._image_size = image_size
    if validation is None:
      pictures = _divided(train, self.class_names, split, validation_fraction)
    elif split == 'train':
      pictures = _pictures(train, self.class_names)
    else:
      pictures = _pictures(validation, _known(validation, train,
                                              self.class_names))
    labels = {name: i for i, name in enumerate(self.class_names)}
    self._paths = [os.path.join(root, name, file)
                   for root, name, file in pictures]
    self._labels = np.array([labels[name] for _, name, _ in pictures],
                            np.int32)

  def __len__(self) -> int:
    return len(self._paths)

  def __getitem__(self, i: int) -> dict:
    try:
      with open(self._paths[i], 'rb') as file:
        data = file.read()
    except OSError as error:
      raise InputError(
          f'{self._paths[i]} cannot be read ({error.strerror}); check that '
          'the file is still there and may be read.') from error
    image = images.decode(data, self._paths[i])
    return {'image': images.square(image, self._image_size),
            'label': self._labels[i]}

  def where(self, i: int) -> str:
    return self._paths[i]


def _split_folders(path: str) -> tuple[str, str | None]:
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


def _class_names(folder: str) -> tuple[str, ...]:
  names = _subfolders(folder)
  if not names:
    raise InputError(
        f'{folder!r} has no class folders; put the pictures of each class in '
        f'a folder of their own: {_LAYOUT}.')
  if len(names) == 1:
    raise InputError(
        f'{folder!r} has only one class folder, {names[0]!r}; classification '
        f'takes two or more: {_LAYOUT}.')
  return names


def _known(validation: str, train: str, class_names: tuple[str, ...]):
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


def _pictures(root: str, names: tuple[str, ...]) -> list[tuple]:
  """(root, class, path below the class folder) of every picture, sorted."""
  return [(root, name, file) for name in names for file in _files(root, name)]


def _files(root: str, name: str) -> list[str]:
  folder = os.path.join(root, name)
  files = sorted(
      os.path.relpath(os.path.join(parent, file), folder)
      for parent, _, files in os.walk(folder, followlinks=True)
      for file in files
      if file.lower().endswith(EXTENSIONS) and not file.startswith('.'))
  if not files:
    raise InputError(
        f'the class folder {folder!r} holds no pictures '
        f'({" ".join(EXTENSIONS)}); add some or remove the folder.')
  return files


def _divided(root, names, split, validation_fraction) -> list[tuple]:
  """The pictures whose hash falls on the split's side of the fraction.

  A picture's side depends on its own path alone, so adding pictures moves no
  other. The exception is a class too small to reach both sides: the picture
  nearest to the border is then set on the empty side.
  """
  if not 0 < validation_fraction < 1:
    raise InputError(
        f'--config.data.validation_fraction={validation_fraction} does not '
        'leave pictures for both splits; give a number between 0 and 1, such '
        'as 0.1.')
  chosen = []
  for name in names:
    ranked = sorted((_position(name, file), file)
                    for file in _files(root, name))
    count = sum(position < validation_fraction for position, _ in ranked)
    # One on each side; a lone picture must at least be seen in training.
    count = min(max(count, 1), len(ranked) - 1)
    side = ranked[:count] if split == 'validation' else ranked[count:]
    chosen += [(root, name, file) for file in sorted(f for _, f in side)]
  return chosen


def _position(name: str, file: str) -> float:
  """Where a picture lies in 0..1, by its path below the root."""
  path = f'{name}/{file.replace(os.sep, "/")}'.encode()
  digest = hashlib.blake2b(path, digest_size=8).digest()
  return int.from_bytes(digest, 'big') / 2**64
