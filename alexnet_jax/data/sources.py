"""Opens one of eight random-access sources of examples.

A source has a length, examples that are accessed by index, and readable names
of the examples. Sources are picklable, so that loader workers can copy them.
"""

import difflib
import os
from collections import Counter
from typing import Any, Protocol

import numpy as np

from alexnet_jax.data import (
  builders,
  cifar,
  digits,
  folders,
  imagenet2010,
  images,
  mnist,
  procedural,
  records,
)
from alexnet_jax.errors import InputError

NAMES = ('procedural', 'folder', 'records', 'imagenet2010', 'imagenet2012',
         'cifar10', 'mnist', 'digits')
BUILT_IN = ('procedural', 'digits')  # they need no path
SPLITS = ('train', 'validation', 'test')


class RandomAccess(Protocol):
  """Examples of any kind in a fixed order."""

  def __len__(self) -> int: ...
  def __getitem__(self, i: int) -> dict[str, Any]: ...


class Source(RandomAccess, Protocol):
  """Labeled square images in a fixed order."""

  class_names: tuple[str, ...]

  def __getitem__(self, i: int) -> dict:
    """Returns {'image': uint8 `[S, S, 3]`, 'label': int32 scalar}.

    Raises:
      InputError: the image cannot be read; the message contains `where(i)`.
    """
    ...

  def where(self, i: int) -> str:
    """Returns a readable name of example `i`, such as a path."""
    ...


def evenly_spread(count: int, most: int) -> np.ndarray:
  """Returns at most `most` evenly spaced indices of `count` examples."""
  chosen = min(count, most)
  return np.arange(chosen) * count // chosen


def notes_of(*opened: Source) -> tuple[str, ...]:
  """Returns what the sources say about the folders that they read, once."""
  return tuple(dict.fromkeys(
      note for source in opened for note in getattr(source, 'notes', ())))


def passed_over_of(*opened: Source) -> dict[str, Counter[str]]:
  """Returns the counts of files that are no pictures, by class and ending."""
  counts: dict[str, Counter[str]] = {}
  for source in opened:
    for name, endings in getattr(source, 'passed_over', {}).items():
      counts.setdefault(name, Counter()).update(endings)
  return {name: endings for name, endings in counts.items() if endings}


def labels_of(source: Source) -> np.ndarray:
  """Returns the labels of all examples, int32 [N], without decoding images.

  Raises:
    InputError: the source cannot tell them.
  """
  check_labels(source)
  return getattr(source, 'labels')()  # noqa: B009  not of every source


def check_labels(source: Source) -> None:
  """Checks that a source can tell its labels.

  Raises:
    InputError: it cannot.
  """
  if not hasattr(source, 'labels'):
    raise InputError(
        f'data such as {source.where(0)} do not list their labels, which'
        " config.optimizer.class_weights='balanced' counts: leave it at '', or"
        ' give the pictures as a folder or as records.')


class Subset:
  """At most `count` evenly spaced examples of a source."""

  def __init__(self, source: Source, count: int):
    self.class_names = source.class_names
    self.notes = notes_of(source)
    self.passed_over = passed_over_of(source)
    self.source = source
    self.most = count
    self._indices = evenly_spread(len(source), count)

  def __len__(self) -> int:
    return len(self._indices)

  def __getitem__(self, i: int) -> dict:
    return self.source[self._original(i)]

  def where(self, i: int) -> str:
    """Returns the name of example `i` in the source."""
    return self.source.where(self._original(i))

  def labels(self) -> np.ndarray:
    """Returns the labels of these examples."""
    return labels_of(self.source)[self._indices]

  def _original(self, i: int) -> int:
    if not 0 <= i < len(self):
      raise IndexError(i)
    return int(self._indices[i])


def open_source(name: str, split: str, *, path: str = '',
                image_size: int = 256, validation_fraction: float = 0.1,
                limit: int = 0, labels: str = '',
                resize: str = 'crop') -> Source:
  """Opens one split of a data set as images of `image_size` x `image_size`.

  Args:
    name: 'procedural' (built in, no path), 'folder' (of pictures), 'records'
      (written by `prepare`), 'imagenet2010' (its archives), 'imagenet2012'
      (through TFDS), 'cifar10' (in any of its formats), 'mnist' (its four
      files, or through TFDS) or 'digits' (of scikit-learn, no path).
    split: 'train', 'validation' or 'test'.
    path: folder of the data; `~` is the home folder.
    image_size: side of the central square of every image (section 2).
    validation_fraction: share of the pictures that is used for validation if a
      folder has no other folder than that for training.
    limit: maximum number of examples, evenly spaced; 0 keeps all. For the
      endless procedural data set it is the length, and 0 means 8192 (train) or
      1024 (validation).
    labels: the list of labels of pictures that are in no class folders.
    resize: how pictures become square; see `images.square`.

  Raises:
    InputError: the name or split is unknown, or the path or the list is missing
      or unsuitable.
  """
  _check(name, split, path, image_size, limit, resize)
  if labels and name != 'folder':
    raise InputError(
        f'config.data.labels={labels} is for pictures in a folder; leave it out'
        f' with config.data.name={name}.')
  path = os.path.expanduser(path)
  match name:
    case 'procedural':
      return procedural.Procedural(split, image_size, limit)
    case 'folder':
      source = folders.Folder(path, split, image_size, validation_fraction,
                              labels, resize)
    case 'records':
      source = records.Records(path, split, image_size, resize)
    case 'imagenet2010':
      source = imagenet2010.Imagenet2010(path, split, image_size, resize)
    case 'cifar10':
      source = cifar.open_cifar10(path, split, image_size)
    case 'mnist':
      source = mnist.open_mnist(path, split, image_size)
    case 'digits':
      source = digits.Digits(split, image_size)
    case _:
      source = builders.Built(name, path, split, image_size, resize)
  return Subset(source, limit) if 0 < limit < len(source) else source


def _check(name, split, path, image_size, limit, resize) -> None:
  if name not in NAMES:
    near = difflib.get_close_matches(name, NAMES, n=2) or NAMES
    raise InputError(
        f'there is no data set {name!r}; set --config.data.name to '
        f'{" or ".join(near)}.')
  # Of ImageNet, only the labels of the test images of 2010 were published.
  known = SPLITS[:2] if name in ('procedural', 'imagenet2012') else SPLITS
  if split not in known:
    raise InputError(
        f'there is no split {split!r}; the splits are {" and ".join(known)}.')
  if name not in BUILT_IN and not path:
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
  if resize not in images.RESIZES:
    raise InputError(f'config.data.resize={resize!r} is not known: give one of'
                     f' {", ".join(images.RESIZES)}.')
