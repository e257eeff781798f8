"""Lists the pictures below a folder; every task finds pictures with it.

Real folders are visited once, before any link, so that a link never changes
which class a picture belongs to. A link to a folder is followed unless it leads
to a folder that contains it or was visited already. Named pipes, sockets and
devices are never opened, and hidden files and the folders that systems add by
themselves are passed over in silence.
"""

import os
import stat
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from alexnet_jax.data.decoding import EXTENSIONS
from alexnet_jax.errors import InputError, printable

# What archives, network drives, desktops and file systems add, in lower case.
SYSTEM_NAMES = frozenset((
    '__macosx', '@eadir', '#recycle', '#snapshot', '@recycle', '@tmp',
    '@recently-snapshot', '$recycle.bin', 'system volume information',
    'lost+found', '__pycache__', 'thumbs.db', 'ehthumbs.db',
    'ehthumbs_vista.db', 'desktop.ini', 'folder.htt', 'icon\r'))
SHOWN = 3  # Number of paths that a report names.


class Listing(NamedTuple):
  """The files below a folder."""

  pictures: list[str]  # paths, sorted
  passed_over: Counter[str]  # files that are no pictures, by ending
  reports: tuple[str, ...]  # sentences on what could not be listed


def list_pictures(folder: str) -> Listing:
  """Lists the pictures at any depth in a folder.

  Names that are not UTF-8 keep their bytes (`os.fsencode` returns them). The
  ending of a file without one is ''.
  """
  walk = Walk(folder)
  return Listing(sorted(path for paths in walk.pictures.values()
                        for path in paths),
                 sum(walk.passed_over.values(), Counter()), walk.reports())


def subfolders(folder: str) -> list[str]:
  """Returns the sorted names of the folders in a folder.

  Links to folders count, unless they lead to a folder that contains them.

  Raises:
    InputError: the folder cannot be read.
  """
  try:
    return sorted(
        entry.name for entry in os.scandir(folder)
        if not is_ignored(entry.name) and _is_folder(entry) and not (
            entry.is_symlink() and _contains(os.path.realpath(entry.path),
                                             os.path.realpath(folder))))
  except OSError as error:
    raise InputError(
        f'the folder {printable(folder)!r} cannot be read ({error.strerror}):'
        ' check its permissions.') from error


def class_folders(folder: str) -> list[str]:
  """Returns the subfolders that a walk lists under their own names.

  A link to a folder that has another name there is left out.

  Raises:
    InputError: the folder cannot be read.
  """
  names, targets = [], set()
  for name in subfolders(folder):
    path = os.path.join(folder, name)
    target = os.path.realpath(path)
    if os.path.islink(path):
      inside = os.path.relpath(target, os.path.realpath(folder)).split(os.sep)
      if target in targets or not any(map(is_ignored, inside)):
        continue
      targets.add(target)
    names.append(name)
  return names


def has_pictures(folder: str) -> bool:
  """Returns whether pictures are directly in a folder."""
  return any(is_picture(entry.name) and not _is_folder(entry)
             for entry in os.scandir(folder))


def is_picture(name: str) -> bool:
  """Returns whether a file name has an ending of a picture."""
  return name.lower().endswith(EXTENSIONS) and not is_ignored(name)


def is_ignored(name: str) -> bool:
  """Returns whether a file or folder is hidden or made by the system."""
  return name.startswith('.') or name.lower() in SYSTEM_NAMES


def nfc(name: str) -> str:
  """Returns a name in composed form; macOS and others write accents apart."""
  return unicodedata.normalize('NFC', name)


class Walk:
  """The files below a folder, by the subfolder that they are in.

  `pictures` and `passed_over` have a key for every subfolder that was visited,
  and '' for files directly in the folder.

  Args:
    folder: the folder to list.
    beside: other folders whose real subfolders a link is not followed to.
  """

  def __init__(self, folder: str, beside: Sequence[str] = ()):
    self.folder = folder
    self.pictures: dict[str, list[str]] = {'': []}
    self.passed_over: dict[str, Counter[str]] = defaultdict(Counter)
    self._problems: dict[str, list[str]] = defaultdict(list)
    self._visited: set[tuple[int, int]] = set()
    self._links: list[tuple[str, str]] = []
    self._visit(folder, None)
    if self._links:
      for other in beside:
        self._reserve(other)
    # A linked folder can contain more links, which are then appended.
    for subfolder, path in self._links:
      self._follow(subfolder, path)
    for paths in self.pictures.values():
      paths.sort()

  def reports(self) -> tuple[str, ...]:
    """Returns a sentence for each kind of problem that was met."""
    return tuple(_report(kind, paths)
                 for kind, paths in self._problems.items())

  def _reserve(self, folder: str) -> None:
    """Marks the real folders below one as visited."""
    for parent, folders, _ in os.walk(folder):
      folders[:] = [name for name in folders if not is_ignored(name)]
      self._enter(parent)

  def _enter(self, path: str) -> bool:
    """Marks a folder as visited; returns whether it is new."""
    status = os.stat(path)
    key = (status.st_dev, status.st_ino)
    new = key not in self._visited
    self._visited.add(key)
    return new

  def _visit(self, root: str, subfolder: str | None) -> None:
    """Lists the real folders below one; `subfolder` is None for the first."""
    waiting = [(subfolder, root)]
    while waiting:
      subfolder, path = waiting.pop()
      try:
        if not self._enter(path):
          continue
        entries = sorted(os.scandir(path), key=lambda entry: entry.name)
      except OSError as error:
        self._problems[f'{error.strerror}'].append(path)
        continue
      if subfolder is not None:
        self.pictures.setdefault(subfolder, [])
      folders = []
      for entry in entries:
        if is_ignored(entry.name):
          continue
        inner = entry.name if subfolder is None else subfolder
        if entry.is_dir(follow_symlinks=False):
          folders.append((inner, entry.path))
        elif entry.is_symlink() and os.path.isdir(entry.path):
          self._links.append((inner, entry.path))
        else:
          self._add(subfolder or '', entry)
      waiting += reversed(folders)

  def _add(self, subfolder: str, entry: os.DirEntry[str]) -> None:
    """Adds a file, or reports what cannot be opened as one."""
    try:
      regular = entry.is_file()
      if not regular:
        mode = entry.stat().st_mode
        kind = ('named pipe' if stat.S_ISFIFO(mode) else
                'socket' if stat.S_ISSOCK(mode) else 'device')
        self._problems[kind].append(entry.path)
        return
    except OSError:
      self._problems['link to no file'].append(entry.path)
      return
    if is_picture(entry.name):
      self.pictures[subfolder].append(entry.path)
    else:
      ending = os.path.splitext(entry.name)[1].lower()
      self.passed_over[subfolder][ending] += 1

  def _follow(self, subfolder: str, path: str) -> None:
    """Lists the folder that a link leads to, unless it is visited already."""
    target = os.path.realpath(path)
    status = os.stat(target)
    if (status.st_dev, status.st_ino) in self._visited:
      self._problems['link to a folder that is listed already'].append(path)
    elif any(_contains(target, os.path.realpath(holder))
             for holder in (self.folder, os.path.dirname(path))):
      self._problems['link to a folder that contains it'].append(path)
    else:
      self._visit(path, subfolder)


def _is_folder(entry: os.DirEntry[str]) -> bool:
  """Like `entry.is_dir`, but False for links that lead nowhere."""
  return entry.is_dir(follow_symlinks=False) or (
      entry.is_symlink() and os.path.isdir(entry.path))


def _contains(folder: str, path: str) -> bool:
  return os.path.commonpath([folder, path]) == folder


def _report(kind: str, paths: Sequence[str]) -> str:
  shown = ', '.join(printable(path) for path in sorted(paths)[:SHOWN])
  more = f' and {len(paths) - SHOWN:,} more' if len(paths) > SHOWN else ''
  return f'Passed over ({kind}): {shown}{more}.'
