"""A source that reads pictures from one folder per class.

The layout is either folders for the splits, such as `train/` and `val/` (see
`splits.py`), with a folder per class in each, or the class folders alone, which
are then split into training and validation pictures by a hash of each picture's
path. Pictures may be at any depth in a class folder. A list of labels can stand
in for the class folders of a split (see `label_files.py`).
"""

import os
from collections import Counter

from alexnet_jax.data import classes, splits, walk
from alexnet_jax.data.classes import Classes, LabeledPictures, counted
from alexnet_jax.data.decoding import EXTENSIONS
from alexnet_jax.data.set_aside import set_aside
from alexnet_jax.data.splits import LAYOUT
from alexnet_jax.errors import InputError, printable


class Folder(LabeledPictures):
  """A source for the pictures of one split in the folder `path`."""

  def __init__(self, path: str, split: str, image_size: int,
               validation_fraction: float, labels: str = '',
               resize: str = 'crop'):
    """Lists the pictures.

    Args:
      path: a folder in one of the layouts.
      split: 'train', 'validation' or 'test'. The test pictures are used for
        validation if there is no folder for it.
      image_size: side of the squares in pixels.
      validation_fraction: share of the pictures that is used for validation
        if there is no other folder than that for training; between 0 and 1.
      labels: the list of labels of pictures that are in no class folders.
      resize: see `images.square`.

    Raises:
      InputError: the folder has none of the layouts (the message names the
        folder that is missing, empty or unexpected), the list of labels does
        not fit, or `validation_fraction` is out of range.
    """
    layout = _Layout(path, labels)
    if split == 'train':
      by_class = layout.train(validation_fraction)
    elif split == 'validation':
      by_class = layout.validation(validation_fraction)
    else:
      by_class = layout.test()
    super().__init__(layout.class_names, by_class, image_size, resize)


def has_test_split(path: str, labels: str = '') -> bool:
  """Returns whether a folder has test pictures besides those to validate with.

  Raises:
    InputError: the folder has none of the layouts.
  """
  return _Layout(path, labels).has_test_split()


class _Layout:
  """The folders of the splits, and the names of the classes."""

  def __init__(self, path: str, labels: str):
    self._path, self._labels = path, os.path.expanduser(labels)
    split_folders = splits.find_splits(path, labels)
    self._train, self._test = split_folders.train, split_folders.test
    self._notes = split_folders.notes
    self._roots = [root for root in split_folders[:3] if root]
    if len({os.path.realpath(root) for root in self._roots}) < len(self._roots):
      raise InputError(
          f'two folders for splits in {printable(path)!r} are links to one'
          ' folder; give each split its own pictures.')
    self._train_list = self._find_train_list()
    self.class_names = self._find_classes()
    self._notes += self._same_folders_inside()
    self._validation = split_folders.validation
    if not split_folders.validation and split_folders.test:
      self._use_test_for_validation(split_folders.test)
    if labels and not self._train_list and not any(
        self._list_of(split, folder) for split, folder in (
            ('validation', self._validation), ('test', self._test)) if folder):
      raise InputError(
          f'config.data.labels={printable(labels)} is not needed, as the'
          f' pictures in {printable(path)!r} are in class folders; leave it'
          ' out.')

  def train(self, fraction: float) -> Classes:
    """Returns the training pictures; some are set aside for validation."""
    by_class = self._training()
    if not self._validation:
      return self._one_side(by_class, 'train', fraction)
    notes = [*self._notes, _summary('train', by_class, self._train)]
    if self._test and self._test != self._validation:
      count = counted(len(walk.list_pictures(self._test).pictures), 'picture')
      notes.append(
          f'test: {count} in {printable(self._test)}, for --task=evaluate'
          ' --split=test only.' if self._has_labels('test', self._test) else
          splits.without_labels(self._test))
    return by_class._replace(notes=(*notes, *by_class.notes))

  def validation(self, fraction: float) -> Classes:
    """Returns the validation pictures, or training pictures set aside."""
    if not self._validation:
      return self._one_side(self._training(), 'validation', fraction)
    return self._evaluated('validation', self._validation)

  def test(self) -> Classes:
    """Returns the test pictures."""
    if not self._test:
      raise InputError(
          f'{printable(self._path)!r} has no test pictures; add a folder named'
          ' test, or give a folder of pictures as --data.')
    return self._evaluated('test', self._test)

  def has_test_split(self) -> bool:
    """Returns whether there are labeled pictures for tests only."""
    return bool(self._test and self._test != self._validation
                and self._has_labels('test', self._test))

  def _find_train_list(self):
    """Returns the list of labels of the training pictures, or ''."""
    flat = len(walk.subfolders(self._train)) < 2
    if self._labels and (flat or len(self._roots) == 1):
      return self._labels
    return splits.find_labels(self._train, 'train') if flat else ''

  def _find_classes(self):
    """Returns the class names in order."""
    if self._train_list:
      names = list(self._listed(self._train, self._train_list).pictures)
    else:
      names = sorted(set(map(walk.nfc, walk.class_folders(self._train))))
    if not names:
      raise InputError(
          f'{printable(self._train)!r} has no class folders; put the pictures'
          f' of each class in a folder of their own: {LAYOUT}.')
    if len(names) == 1:
      raise InputError(
          f'{printable(self._train_list or self._train)!r} has only one class'
          f'{"" if self._train_list else " folder"}, {printable(names[0])!r};'
          f' classification takes two or more: {LAYOUT}.')
    return tuple(names)

  def _same_folders_inside(self):
    """Returns a note if the classes look like splits of unusual names."""
    same = None
    for name in () if self._train_list else walk.subfolders(self._train):
      inside = walk.subfolders(os.path.join(self._train, name))
      if len(inside) < 2 or same not in (None, inside):
        return ()
      same = inside
    return () if not same else (
        f'Each of the classes {classes.first_names(self.class_names)} has the'
        f' folders {classes.first_names(same)}: if these are the classes, name'
        ' the folders around them train and val.',)

  def _use_test_for_validation(self, test):
    if self._has_labels('test', test):
      self._validation = test
      self._notes += (
          'There is no validation folder, so the test pictures in'
          f' {printable(test)} are used for validation.',)
    else:
      self._notes += (splits.without_labels(test),)

  def _training(self):
    """Returns the training pictures, which every class must have."""
    if self._train_list:
      return self._listed(self._train, self._train_list)
    by_class = classes.from_folders(self._train, self._beside(self._train))
    for name in self.class_names:
      if not by_class.pictures.get(name):
        raise InputError(' '.join((_no_pictures(
            os.path.join(self._train, name),
            by_class.passed_over.get(name, Counter())), *by_class.reports)))
    return by_class

  def _evaluated(self, split, folder):
    """Returns the pictures of a validation or test folder."""
    list_path = self._list_of(split, folder)
    if list_path:
      by_class = self._listed(folder, list_path, self.class_names)
    else:
      by_class = classes.from_folders(self._class_root(folder) or folder,
                                      self._beside(folder))
      if split == 'test' and not self._class_root(folder):
        raise InputError(
            f'{printable(folder)!r} has no folders named like the classes of'
            f' {printable(self._train)!r}; name them so, or give a list of'
            ' labels as --config.data.labels.')
      if not by_class.pictures:
        raise InputError(
            f'{printable(folder)!r} has no class folders; give it the class'
            f' folders of {printable(self._train)!r}, or remove it to have'
            ' training pictures set aside.')
      for name in by_class.pictures:
        if name not in self.class_names:
          raise InputError(
              f'{printable(folder)!r} has a class {printable(name)!r} that'
              f' {printable(self._train)!r} lacks; give both the same class'
              ' folders.')
    pictures = {name: paths for name, paths in by_class.pictures.items()
                if paths}
    notes = [_summary(split, by_class, folder), *by_class.notes]
    missing = [name for name in self.class_names if name not in pictures]
    if pictures and missing:
      notes.append(
          f'{len(missing):,} of {counted(len(self.class_names), "class")}'
          f' without {split} pictures: {classes.first_names(missing)}.')
    return by_class._replace(pictures=pictures, notes=tuple(notes))

  def _one_side(self, by_class, split, fraction):
    """Returns the training pictures that are or are not set aside."""
    sides = {side: set_aside(self._train, by_class.pictures, side, fraction)
             for side in ('train', 'validation')}
    aside, rest = (classes.total(sides[side])
                  for side in ('validation', 'train'))
    notes = [
        *self._notes,
        f'No folder for validation in {printable(self._path)}:'
        f' {counted(aside, "picture")} set aside for it'
        f' (config.data.validation_fraction={fraction}),'
        f' {counted(rest, "picture")} left for training, of'
        f' {counted(len(self.class_names), "class")}.', *by_class.notes]
    alone = [name for name, paths in by_class.pictures.items()
             if len(paths) == 1]
    if alone:
      notes.append(
          f'{len(alone):,} of {counted(len(self.class_names), "class")} with a'
          ' single picture, which is for training, so that none is left to'
          f' validate with: {classes.first_names(alone)}.')
    # Both splits are of one folder, whose other files are counted once.
    return by_class._replace(
        pictures=sides[split], notes=tuple(notes),
        passed_over=by_class.passed_over if split == 'train' else {})

  def _class_root(self, folder):
    """Returns the folder that has class folders in that of a split, or ''."""
    inner = splits.inner_folder(folder, self.class_names)
    names = map(walk.nfc, walk.subfolders(inner))
    return inner if set(names).intersection(self.class_names) else ''

  def _has_labels(self, split, folder):
    return bool(self._class_root(folder) or self._list_of(split, folder))

  def _list_of(self, split, folder):
    """Returns the list of labels of a split without class folders, or ''."""
    if self._class_root(folder):
      return ''
    return self._labels or splits.find_labels(folder, split)

  def _listed(self, folder, list_path, known=()):
    return classes.from_list(folder, list_path, self._beside(folder), known)

  def _beside(self, folder):
    return [root for root in self._roots if root != folder]


def _summary(split: str, by_class: Classes, folder: str) -> str:
  count = sum(map(bool, by_class.pictures.values()))
  return (f'{split}: {counted(classes.total(by_class.pictures), "picture")} of'
          f' {counted(count, "class")} in {printable(folder)}.')


def _no_pictures(folder: str, passed_over: Counter[str]) -> str:
  if os.path.isdir(folder) and not os.access(folder, os.R_OK | os.X_OK):
    return (f'the class folder {printable(folder)!r} cannot be read; change its'
            ' permissions.')
  other = classes.counted_endings(passed_over)
  return (f'the class folder {printable(folder)!r} holds no pictures'
          f' ({" ".join(EXTENSIONS)}){", only " + other if other else ""}; add'
          ' some or remove the folder.')
