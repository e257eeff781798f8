"""Pictures by class, from class folders or a list of labels.

Class names are in composed form, since some systems write the accents of a
file's name as separate characters.
"""

import copy
import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np

from alexnet_jax.data import decoding, images, label_files, walk
from alexnet_jax.errors import InputError, printable

SHOWN = 3  # Number of names in a sentence.


class Classes(NamedTuple):
  """The pictures in a folder by class."""

  pictures: dict[str, list[str]]  # sorted paths; empty for an empty folder
  passed_over: dict[str, Counter[str]]  # other files by ending, by class
  notes: tuple[str, ...]  # sentences on what was not used
  reports: tuple[str, ...]  # sentences on what could not be listed


class LabeledPictures:
  """A source for pictures whose classes are known.

  `notes` are sentences on where the pictures are and what was not used,
  `reports` those among them on links and folders that could not be followed,
  and `passed_over` counts the other files of each class by ending.
  """

  def __init__(self, class_names: Sequence[str], by_class: Classes,
               image_size: int, resize: str = 'crop'):
    """Orders the pictures by class and path.

    Args:
      class_names: the names of all classes in the order of the labels.
      by_class: the pictures.
      image_size: side of the squares in pixels.
      resize: see `images.square`.
    """
    self.class_names = tuple(class_names)
    self.notes = (*by_class.notes, *by_class.reports)
    self.reports = by_class.reports
    self.passed_over = by_class.passed_over
    self._image_size, self._resize = image_size, resize
    label = {walk.nfc(name): i for i, name in enumerate(class_names)}
    self.paths = [path for paths in by_class.pictures.values()
                  for path in paths]
    self._labels = np.repeat(
        np.array([label[name] for name in by_class.pictures], np.int32),
        [len(paths) for paths in by_class.pictures.values()])

  def __len__(self) -> int:
    return len(self.paths)

  def __getitem__(self, i: int) -> dict:
    image = images.read_square(self.paths[i], self._image_size, self._resize)
    return {'image': image, 'label': self._labels[i]}

  def where(self, i: int) -> str:
    """Returns the picture's path."""
    return self.paths[i]

  def labels(self) -> np.ndarray:
    """Returns the labels of all pictures."""
    return self._labels

  def without(self, paths: Collection[str],
              notes: Sequence[str] = ()) -> Self:
    """Returns a copy that lacks some pictures; the others keep their order."""
    kept = [i for i, path in enumerate(self.paths) if path not in paths]
    other = copy.copy(self)
    other.paths = [self.paths[i] for i in kept]
    other._labels = self._labels[kept]
    other.notes = (*self.notes, *notes)
    return other


def from_folders(folder: str, beside: Sequence[str] = ()) -> Classes:
  """Lists the pictures in the class folders of a folder.

  Args:
    folder: the folder that has a folder for each class.
    beside: folders of other splits, whose pictures links do not lead to.
  """
  listing = walk.Walk(folder, beside)
  pictures: dict[str, list[str]] = {}
  passed_over: dict[str, Counter[str]] = {}
  for name, paths in sorted(listing.pictures.items()):
    if name:
      pictures.setdefault(walk.nfc(name), []).extend(paths)
      passed_over.setdefault(walk.nfc(name), Counter()).update(
          listing.passed_over[name])
  notes = []
  loose = listing.pictures['']
  if loose:
    notes.append('Not used, as they are in no class folder:'
                 f' {counted(len(loose), "picture")} directly in'
                 f' {printable(folder)}.')
  return Classes({name: sorted(pictures[name]) for name in sorted(pictures)},
                 passed_over, (*notes, *_passed_over(folder, passed_over)),
                 listing.reports())


def from_list(folder: str, list_path: str, beside: Sequence[str] = (),
              known: Collection[str] = ()) -> Classes:
  """Lists the pictures in a folder whose classes a list of labels tells.

  Args:
    folder: the folder; pictures may be at any depth in it.
    list_path: the list of labels.
    beside: folders of other splits, which the list may cover too.
    known: the classes that the list may name; any if empty.

  Raises:
    InputError: the list cannot be read, is for other pictures or names other
      classes.
  """
  entries = label_files.read(list_path)
  check_known((entry.class_name for entry in entries), known, list_path)
  listing = walk.list_pictures(folder)
  labels, others = label_files.find_pictures(
      entries, list_path, folder, listing.pictures)
  for other in beside:
    if others:
      _, others = label_files.find_pictures(
          others, list_path, other, walk.list_pictures(other).pictures)
  lacking = (
      f'{printable(list_path)} names {counted(len(others), "picture")} that'
      f' {printable(folder)!r} lacks, such as'
      f' {printable(others[0].file)!r} in line {others[0].line}'
      if others else '')
  if lacking and not labels:
    raise InputError(f'{lacking}; give the list of these pictures.')
  unlabeled = [path for path in listing.pictures if path not in labels]
  notes = [f'The labels of {printable(folder)} are those of'
           f' {printable(list_path)}.']
  if lacking:
    notes.append(f'{lacking}.')
  if unlabeled:
    notes.append(
        'Not used, as they have no label:'
        f' {counted(len(unlabeled), "picture")} in {printable(folder)}, such as'
        f' {printable(os.path.basename(unlabeled[0]))}.')
  pictures: dict[str, list[str]] = {
      name: [] for name in sorted(set(labels.values()))}
  for path in listing.pictures:
    if path in labels:
      pictures[labels[path]].append(path)
  return Classes(pictures, {}, tuple(notes), listing.reports)


def total(pictures: Mapping[str, Sequence[str]]) -> int:
  """Returns the number of pictures of all classes."""
  return sum(map(len, pictures.values()))


def check_known(names: Iterable[str], known: Collection[str],
                where: str) -> None:
  """Checks that classes are among the known ones, if there are any.

  Args:
    names: the classes.
    known: the classes that may be.
    where: the folder or list that names them.

  Raises:
    InputError: there are others.
  """
  others = sorted(set(names).difference(known)) if known else []
  if others:
    raise InputError(
        f'{printable(where)!r} has {counted(len(others), "unknown class")},'
        f' {first_names(others)}; rename or remove them, as there are'
        f' {counted(len(known), "class")}, {first_names(sorted(known))}.')


def first_names(names: Sequence[str]) -> str:
  """Returns the first names of many, in quotes, and how many more there are."""
  shown = ', '.join(repr(printable(name)) for name in names[:SHOWN])
  more = len(names) - SHOWN
  return f'{shown} and {more:,} more' if more > 0 else shown


def counted(count: int, noun: str) -> str:
  """Returns a count and a noun in its plural, unless it is one."""
  plural = 'es' if noun.endswith('s') else 's'
  return f'{count:,} {noun}{plural if count != 1 else ""}'


def counted_endings(passed_over: Counter[str]) -> str:
  """Returns counts of files by ending, as in '12 .txt, 1 without ending'."""
  return ', '.join(f'{count:,} {printable(ending) or "without ending"}'
                   for ending, count in passed_over.most_common())


def how_to_read(endings: Iterable[str]) -> tuple[str, ...]:
  """Returns a sentence for each kind of picture that needs a package."""
  return tuple(f'To read pictures that end in {ending}, run'
               f' {decoding.INSTALL[ending]}.'
               for ending in sorted(set(endings) & decoding.INSTALL.keys()))


def _passed_over(folder, passed_over):
  total = sum(passed_over.values(), Counter())
  return (f'Passed over in {printable(folder)}, as they are no pictures:'
          f' {counted_endings(total)}.',
          *how_to_read(total)) if total else ()
