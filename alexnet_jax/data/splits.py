"""Finds out which folder of a data set is for which split.

The names are those that people use: train, Training, seg_train, train_images,
valid, dev, Test_Set, val2017 and so on, in any case. A class may have such a
name too (a railway train beside a bus), so a folder is a split only if it has
class folders or labels, or if all folders beside it are splits.
"""

import os
import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import NamedTuple

from alexnet_jax.data import label_files, walk
from alexnet_jax.errors import InputError, printable

LAYOUT = 'train/CLASS/*.jpg and val/CLASS/*.jpg, or CLASS/*.jpg'
_PATTERNS = {
    'train': 'train(?:ing)?|trn',
    'validation': 'val(?:id(?:ation|ate)?)?|dev(?:el(?:opment)?)?'
                  '|eval(?:uation)?',
    'test': 'test(?:ing)?|tst',
}
# What such a name may say besides.
_ANY = ('(?:data)?sets?|data|images?|imgs?|pictures?|pics?|photos?|folders?'
        '|splits?|samples?|seg|ilsvrc|raw')
_NAMES = {split: re.compile(f'(?:{_ANY})*(?:{pattern})(?:{_ANY})*')
          for split, pattern in _PATTERNS.items()}
_NO_SPLIT = re.compile(f'(?:{_ANY})+')


class Splits(NamedTuple):
  """The folders of the splits; each has class folders or a list of labels."""

  train: str
  validation: str | None
  test: str | None
  notes: tuple[str, ...]  # sentences on what was chosen and what was ignored


def find_splits(path: str, labels: str = '') -> Splits:
  """Finds the folders of the splits; `train` is `path` if there are none.

  Args:
    path: the folder of the data set.
    labels: the list of labels of pictures that are in no class folders.

  Raises:
    InputError: there is no such folder, two folders are for one split, or
      there is a folder for a split but none for training.
  """
  if not os.path.isdir(path):
    raise InputError(
        f'there is no folder {printable(path)!r}; point --config.data.path at'
        f' a folder with {LAYOUT}.')
  names = walk.subfolders(path)
  grouped, others = by_split(names)
  if not grouped:
    return _without_splits(path)
  if others and not _are_splits(path, grouped, labels):
    named_so = [name for name in names if name not in others]
    return Splits(path, None, None, (
        'Taken as classes, as they have no class folders, although named like'
        f' splits: {_quoted(named_so)} in {printable(path)}.',))
  if 'train' not in grouped:
    raise InputError(
        f'{printable(path)!r} has {_quoted(names)} but no folder for training;'
        f' give it {LAYOUT}.')
  chosen, notes = {}, []
  for split, folders in grouped.items():
    usable = [name for name in folders if _is_usable(
        os.path.join(path, name), split, labels)]
    if len(usable) > 1:
      raise InputError(
          f'{printable(path)!r} has {len(usable)} folders for the split'
          f' {split}, {_quoted(usable)}; keep one of them there.')
    chosen[split] = os.path.join(path, (usable or folders)[0])
    others += [name for name in folders if name not in (usable or folders)[:1]]
  if others:
    notes.append(not_used(path, others))
  train, inside = _look_through(chosen['train'])
  _check_no_splits(train)
  return Splits(train, chosen.get('validation'), chosen.get('test'),
                (*notes, *inside))


def inner_folder(folder: str, class_names: Collection[str]) -> str:
  """Returns the folder inside, if a folder of a split has nothing else in it.

  Args:
    folder: the folder of a split other than training.
    class_names: the names of the classes, which are not looked through.
  """
  while inner := _only_folder(folder):
    if walk.nfc(os.path.basename(inner)) in class_names:
      break
    folder = inner
  return folder


def split_of(name: str) -> str | None:
  """Returns the split that a folder's name stands for, or None."""
  split, rest = _read_name(name)
  return None if rest else split


def not_used(path: str, names: Sequence[str]) -> str:
  """Returns the sentence on folders beside those of the splits."""
  return ('Not used, as their names are no splits: the folders'
          f' {_quoted(names)} in {printable(path)}.')


def without_labels(folder: str) -> str:
  """Returns the sentence on a folder of pictures whose classes are unknown."""
  return ('Not used, as they have neither class folders nor labels: the'
          f' pictures in {printable(folder)}.')


def _read_name(name):
  """Returns (the split that a name contains or None, its other words)."""
  words = re.sub('(?<=[a-z])(?=[A-Z])', ' ', name).lower()
  named, rest = [], []
  for word in re.split(r'[\W\d_]+', words):
    split = next((split for split, pattern in _NAMES.items()
                  if pattern.fullmatch(word)), None)
    if split:
      named.append(split)
    elif word and not _NO_SPLIT.fullmatch(word):
      rest.append(word)
  return (named[0], rest) if len(named) == 1 else (None, named + rest)


def by_split(names: Sequence[str]) -> tuple[dict[str, list[str]], list[str]]:
  """Sorts folders that are beside each other by the split that they stand for.

  Returns:
    ({split: its folders}, the other folders).
  """
  read = {name: _read_name(name) for name in names}
  # As in fruits_train and fruits_test: all have the same further words.
  shared = next(iter(read.values()), (None, []))[1]
  if not (any(split == 'train' for split, _ in read.values()) and all(
      split and rest == shared for split, rest in read.values())):
    shared = []
  grouped, others = defaultdict(list), []
  for name, (split, rest) in read.items():
    (grouped[split] if split and rest == shared else others).append(name)
  return dict(grouped), others


def _without_splits(path):
  """Returns the folder itself, or what is in the only folder inside."""
  inner = _only_folder(path)
  if inner:
    deeper = find_splits(inner)
    if deeper.validation or deeper.train != inner or len(
        walk.subfolders(inner)) > 1:
      return deeper._replace(notes=(_inside(inner), *deeper.notes))
  return Splits(path, None, None, ())


def _are_splits(path, grouped, labels):
  """Returns whether folders named like splits are some, beside others."""
  for name in grouped.get('train', ()):
    if _is_usable(os.path.join(path, name), 'train', labels):
      return True
  _check_no_splits(path)
  return False


def _check_no_splits(path):
  """Checks that no class folder is that of a split, with classes inside."""
  names = walk.subfolders(path)
  for name in names:
    inside = walk.subfolders(os.path.join(path, name)) if split_of(name) else ()
    if len(inside) > 1 or set(inside).intersection(names):
      raise InputError(
          f'{printable(path)!r} has a folder {printable(name)!r} with class'
          ' folders inside, like a split, but none for training beside it; put'
          ' the class folders for training into a folder train there, or rename'
          ' it if it is a class.')


def find_labels(folder: str, split: str = '') -> str:
  """Returns the list of labels in or beside the folder of a split, or ''."""
  pattern = _PATTERNS[split] if split else '|'.join(_PATTERNS.values())
  return label_files.find(
      folder, pattern, split_of(os.path.basename(folder)) is not None)


def _is_usable(folder, split, labels):
  return bool(walk.subfolders(folder) or labels or find_labels(folder, split))


def _look_through(folder):
  """Returns the folder that has the class folders, and a note if it is inside.

  Archives often repeat their name inside: seg_train/seg_train/CLASS. A folder
  with only one folder is no set of classes, so that the one inside is meant.
  """
  inner = folder
  while deeper := _only_folder(inner):
    inner = deeper
  if inner == folder or len(walk.subfolders(inner)) < 2:
    return folder, ()
  return inner, (_inside(inner),)


def _only_folder(folder):
  """Returns the one folder in a folder that has no pictures, or ''."""
  names = walk.subfolders(folder)
  return (os.path.join(folder, names[0])
          if len(names) == 1 and not walk.has_pictures(folder) else '')


def _inside(inner):
  return f'Looking into {printable(inner)}, the only folder there.'


def _quoted(names):
  return ', '.join(repr(printable(name)) for name in names)
