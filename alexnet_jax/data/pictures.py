"""Pictures given by the user as files and folders."""

import os
import sys
from collections.abc import Sequence

from alexnet_jax.data import classes, decoding, walk
from alexnet_jax.errors import InputError, printable


def find(paths: Sequence[str]) -> list[str]:
  """Returns the paths of all pictures in the given files and folders.

  Other files in the folders, and links and folders that cannot be followed, are
  reported on standard error.

  Args:
    paths: files and folders, in the order of the result. A file is included
      whatever its name is. A folder stands for all pictures at any depth in it
      that are not hidden, sorted by path.

  Raises:
    InputError: a path does not exist or is no file, or a folder has no
      pictures.
  """
  paths_found = []
  for path in map(os.path.expanduser, paths):
    if os.path.isdir(path):
      paths_found += _in_folder(path)
    elif not os.path.exists(path):
      raise InputError(
          f'there is no picture and no folder {printable(path)!r}: give'
          ' --images files, or folders of pictures.')
    elif not os.path.isfile(path):
      raise InputError(f'{printable(path)!r} is a pipe or a device: give'
                       ' --images files, or folders of pictures.')
    else:
      paths_found.append(path)
  return paths_found


def _in_folder(folder: str) -> list[str]:
  listing = walk.list_pictures(folder)
  if not listing.pictures:
    other = classes.counted_endings(listing.passed_over)
    raise InputError(
        f'the folder {printable(folder)!r} holds no pictures'
        f' ({" ".join(decoding.EXTENSIONS)})'
        f'{", only " + other if other else ""}: give --images another one.'
        + ''.join(f' {report}' for report in listing.reports))
  for report in listing.reports:
    print(report, file=sys.stderr)
  if listing.passed_over:
    print(f'Passed over in {printable(folder)}, as they are no pictures:'
          f' {classes.counted_endings(listing.passed_over)}.', file=sys.stderr)
  return listing.pictures
