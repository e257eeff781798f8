"""A source for the pictures of a folder that a trained network is tested on.

Unlike `Folder`, it needs no training pictures, the order of the classes is that
of the network, and all pictures are used whatever split they are in.
"""

import os
from collections import Counter
from collections.abc import Collection, Sequence
from typing import NamedTuple

from alexnet_jax.data import classes, splits, walk
from alexnet_jax.data.classes import Classes, LabeledPictures, counted
from alexnet_jax.errors import InputError, printable


class _Part(NamedTuple):
  """A folder with class folders, or with pictures and a list of labels."""

  folder: str
  list_path: str = ''


def open_all(path: str, class_names: Sequence[str], image_size: int,
             labels: str = '', split: str = '',
             resize: str = 'crop') -> LabeledPictures:
  """Opens all pictures in a folder, or those of one of its splits.

  Args:
    path: a folder with class folders, with those of splits, or with pictures
      that have a list of labels. It may lack some of the classes.
    class_names: the names of all classes in the order of the labels.
    image_size: side of the squares in pixels.
    labels: the list of labels of pictures that are in no class folders.
    split: 'train', 'validation' or 'test'; '' for all pictures.
    resize: see `images.square`.

  Raises:
    InputError: the folder has other classes, no pictures or no such split.
  """
  if not os.path.isdir(path):
    raise InputError(f'there is no folder {printable(path)!r}; give --data a'
                     ' folder with a folder of pictures for each class.')
  known = [walk.nfc(name) for name in class_names]
  labels = os.path.expanduser(labels)
  parts, notes = [], []
  for folder in _folders_of(path, split) if split else [path]:
    found_there, said = _parts(
        folder, known, labels,
        split or splits.split_of(os.path.basename(folder)) or '')
    parts += found_there
    notes += said
  if not parts:
    raise InputError(
        f'{printable(path)!r} has no folders named like the'
        f' {counted(len(known), "class")} of the network,'
        f' {classes.first_names(known)}; name them so, or give a list of labels'
        ' as --config.data.labels.')
  # Two of them may be links to one folder.
  parts = [*{os.path.realpath(part.folder): part for part in parts}.values()]
  listed = [_listed(part, [other.folder for other in parts if other != part],
                   known) for part in parts]
  pictures = {name: sorted(path for one in listed
                           for path in one.pictures.get(name, ()))
              for name in known}
  pictures = {name: paths for name, paths in pictures.items() if paths}
  if not pictures:
    raise InputError(f'the class folders in {printable(path)!r} hold no'
                     ' pictures; give --data another folder.')
  summary = (f'All {counted(classes.total(pictures), "picture")} in'
             f' {printable(path)}, of {len(pictures):,} of'
             f' {counted(len(known), "class")}.')
  passed_over = {name: sum((one.passed_over.get(name, Counter())
                            for one in listed), Counter()) for name in known}
  return LabeledPictures(class_names, Classes(
      pictures, passed_over,
      (summary, *notes, *(note for one in listed for note in one.notes)),
      tuple(report for one in listed for report in one.reports)), image_size,
      resize)


def _folders_of(path: str, split: str) -> list[str]:
  """Returns the folders of a split."""
  names = walk.subfolders(path)
  folders = splits.by_split(names)[0].get(split)
  if folders:
    return [os.path.join(path, name) for name in folders]
  if len(names) == 1:
    return _folders_of(os.path.join(path, names[0]), split)
  raise InputError(
      f'{printable(path)!r} has no folder for the split {split}; leave --split'
      ' out to use all pictures there.')


def _parts(path: str, known: Collection[str], labels: str,
           split: str) -> tuple[list[_Part], list[str]]:
  """Finds the folders whose pictures have labels.

  Args:
    path: the folder to search.
    known: the names of the classes.
    labels: the list of labels; '' to look for one.
    split: the split that the folder is for, or ''.

  Returns:
    The folders, and notes on folders that are not used.
  """
  names = walk.subfolders(path)
  if any(walk.nfc(name) in known for name in names):
    return [_Part(path)], []
  by_split, others = splits.by_split(names)
  parts, notes = [], []
  for inner_split, folders in by_split.items():
    for name in folders:
      inner = os.path.join(path, name)
      inner_parts, said = _parts(inner, known, labels, inner_split)
      parts += inner_parts
      notes += said if inner_parts else [splits.without_labels(inner)]
  if parts:
    if others:
      notes.append(splits.not_used(path, others))
    return parts, notes
  if len(names) == 1:
    parts, notes = _parts(os.path.join(path, names[0]), known, labels, split)
    if parts:
      return parts, notes
  list_path = labels or splits.find_labels(path, split)
  return ([_Part(path, list_path)] if list_path else []), []


def _listed(part, beside, known):
  if part.list_path:
    return classes.from_list(part.folder, part.list_path, beside, known)
  by_class = classes.from_folders(part.folder, beside)
  pictures = by_class.pictures.items()
  classes.check_known((name for name, paths in pictures if paths), known,
                      part.folder)
  return by_class
