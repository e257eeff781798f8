"""Where examples come from: five random-access sources behind one function.

A source is anything with a length, examples by index and names for people.
Sources are picklable, so loader workers can hold a copy.
"""

import difflib
import os
from typing import Any, Protocol

import numpy as np

from alexnet_jax.data import builders, cifar, folders, procedural, records
from alexnet_jax.errors import InputError

NAMES = ('procedural', 'folder', 'records', 'imagenet2012', 'cifar10')
SPLITS = ('train', 'validation')


class RandomAccess(Protocol):
  """Examples of any kind in a fixed order."""

  def __len__(self) -> int: ...
  def __getitem__(self, i: int) -> dict[str, Any]: ...


class Source(RandomAccess, Protocol):
  """Labeled square images in a fixed order."""

  class_names: tuple[str, ...]

  def __getitem__(self, i: int) -> dict:
    """{'image': uint8 `[S, S, 3]`, 'label': int32 scalar} of example `i`.

    Raises InputError, naming `where(i)`, if the image cannot be read.
    """
    ...

  def where(self, i: int) -> str:
    """A name by which a person finds example `i`: a path or a record."""
    ...


def evenly_spread(count: int, most: int) -> np.ndarray:
  """Indices of at most `most` of `count` examples, spread evenly over them."""
  chosen = min(count, most)
  return np.arange(chosen) * count // chosen


class Subset:
  """At most `count` examples of a source, spread evenly over it."""

  def __init__(self, source: Source, count: int):
    self.class_names = source.class_names
    self._source = source
    self._indices = evenly_spread(len(source), count)

  def __len__(self) -> int:
    return len(self._indices)

  def __getitem__(self, i: int) -> dict:
    return self._source[self._original(i)]

  def where(self, i: int) -> str:
    """The name of example `i` in the source."""
    return self._source.where(self._original(i))

  def _original(self, i: int) -> int:
    if not 0 <= i < len(self):
      raise IndexError(i)
    return int(self._indices[i])


def open_source(name: str, split: str, *, path: str = '',
                image_size: int = 256, validation_fraction: float = 0.1,
                limit: int = 0) -> Source:
  """Opens a data set's split as images of `image_size` x `image_size`.

  Args:
    name: 'procedural' (embedded, no path), 'folder' (of pictures), 'records'
      (written by `prepare`), 'imagenet2012' (through TFDS) or 'cifar10' (in
      any of its forms).
    split: 'train' or 'validation'.
    path: where the data lie; `~` is the home folder.
    image_size: shorter side and central square of every image (section 2).
    validation_fraction: share set aside of a folder without `val/` or `test/`.
    limit: keep only so many examples, evenly spread; 0 keeps all. The
      procedural data set is endless: there it is the length, 0 standing for
      8192 (train) or 1024 (validation).

  Raises:
    InputError: an unknown name or split, a missing or unsuitable path.
  """
  _check(name, split, path, image_size, limit)
  path = os.path.expanduser(path)
  match name:
    case 'procedural':
      return procedural.Procedural(split, image_size, limit)
    case 'folder':
      source = folders.Folder(path, split, image_size, validation_fraction)
    case 'records':
      source = records.Records(path, split, image_size)
    case 'cifar10':
      source = cifar.open_cifar10(path, split, image_size)
    case _:
      source = builders.Built(name, path, split, image_size)
  return Subset(source, limit) if 0 < limit < len(source) else source


def _check(name, split, path, image_size, limit) -> None:
  if name not in NAMES:
    near = difflib.get_close_matches(name, NAMES, n=2) or NAMES
    raise InputError(
        f'there is no data set {name!r}; set --config.data.name to '
        f'{" or ".join(near)}.')
  if split not in SPLITS:
    raise InputError(
        f'there is no split {split!r}; the splits are train and validation.')
  if name != 'procedural' and not path:
    raise InputError(
        f'the data set {name!r} needs a path; set --config.data.path to the '
        'folder that holds it.')
  if image_size < 1:
    raise InputError(
        f'--config.data.image_size={image_size} is not a size in pixels; give '
        '1 or more, such as 256.')
  if limit < 0:
    raise InputError(
        f'--config.data.{split}_examples={limit} is negative; give the number '
        'of examples to keep, or 0 for all.')
