"""A source for all pictures of a folder, to evaluate a trained network on."""

import os
from collections import Counter
from collections.abc import Collection, Sequence

from alexnet_jax.data import classes, splits, walk
from alexnet_jax.data.classes import Classes
from alexnet_jax.data.folders import LabeledPictures
from alexnet_jax.errors import InputError, printable


def open_all(path: str, class_names: Sequence[str], image_size: int,
             labels: str = '') -> LabeledPictures:
  """Opens all pictures in a folder, whatever split they are in.

  Args:
    path: a folder with class folders, with those of splits, or with pictures
      that have a list of labels. It may lack some of the classes.
    class_names: the names of all classes in the order of the labels.
    image_size: side of the squares in pixels.
    labels: the list of labels of pictures that are in no class folders.

  Raises:
    InputError: the folder has other classes, or no pictures.
  """
  if not os.path.isdir(path):
    raise InputError(f'there is no folder {printable(path)!r}; give --data a'
                     ' folder with a folder of pictures for each class.')
  known = [walk.nfc(name) for name in class_names]
  parts = []
  for folder in _labeled_folders(path, known):
    if _has_classes(folder, known):
      part = classes.of_folders(folder)
      classes.check_known(
          (name for name, paths in part.pictures.items() if paths), known,
          folder)
    else:
      list_path = os.path.expanduser(labels) or splits.find_labels(folder)
      if not list_path:
        raise InputError(
            f'{printable(folder)!r} has no folders named like the'
            f' {len(known):,} classes of the network, such as'
            f' {classes.some(known)}; name them so, or give a list of labels as'
            ' --config.data.labels.')
      part = classes.of_list(folder, list_path, known=known)
    parts.append(part)
  pictures = {name: sorted(path for part in parts
                           for path in part.pictures.get(name, ()))
              for name in known}
  pictures = {name: paths for name, paths in pictures.items() if paths}
  count = sum(map(len, pictures.values()))
  if not count:
    raise InputError(f'the class folders in {printable(path)!r} hold no'
                     ' pictures; give --data another folder.')
  notes = (f'All {count:,} pictures in {printable(path)} are used, of'
           f' {len(pictures):,} of {len(known):,} classes.',)
  passed_over = {name: sum((part.passed_over.get(name, Counter())
                            for part in parts), Counter()) for name in known}
  return LabeledPictures(class_names, Classes(
      pictures, passed_over,
      notes + tuple(note for part in parts for note in part.notes),
      tuple(report for part in parts for report in part.reports)), image_size)


def _labeled_folders(path: str, known: Collection[str]) -> list[str]:
  """Returns the folders that have class folders or a list of labels."""
  names = walk.subfolders(path)
  inner = [name for name in names if splits.split_of(name)]
  if not inner and len(names) == 1:
    inner = names
  if _has_classes(path, known) or not inner:
    return [path]
  found = [folder for name in inner for folder in _labeled_folders(
      os.path.join(path, name), known)]
  # Pictures one folder deeper belong to the list of labels beside them.
  usable = [folder for folder in found if _has_classes(folder, known)]
  return usable or [path]


def _has_classes(folder: str, known: Collection[str]) -> bool:
  return any(walk.nfc(name) in known for name in walk.subfolders(folder))
