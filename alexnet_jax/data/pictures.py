"""Pictures given by the user as files and folders.

A damaged picture does not prevent the others from being read.
"""

import os
import sys
from collections.abc import Iterator, Sequence

import grain
import numpy as np

from alexnet_jax.data import classes, images, loader, walk
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
    other = classes.endings(listing.passed_over)
    raise InputError(
        f'the folder {printable(folder)!r} holds no pictures'
        f' ({" ".join(images.EXTENSIONS)}){", only " + other if other else ""}:'
        ' give --images another one.'
        + ''.join(f' {report}' for report in listing.reports))
  for report in listing.reports:
    print(report, file=sys.stderr)
  if listing.passed_over:
    print(f'Passed over in {printable(folder)}, as they are no pictures:'
          f' {classes.endings(listing.passed_over)}.', file=sys.stderr)
  return listing.pictures


def read_all(paths: Sequence[str], size: int, threads: int = 2,
             ahead: int = 64) -> Iterator[np.ndarray | InputError]:
  """Reads the central square of every picture, in order.

  Args:
    paths: paths of files, as returned by `find`.
    size: side of the squares in pixels.
    threads: number of decoding threads; 0 for one per core, at most 16.
    ahead: maximum number of pictures decoded in advance.

  Yields:
    uint8 [size, size, 3], or the error that says why a picture is unreadable.
  """

  def read(path: str) -> np.ndarray | InputError:
    try:
      return images.read_square(path, size)
    except InputError as error:
      return error

  data = grain.MapDataset.source(paths).map(read)
  return iter(data.to_iter_dataset(loader.reading(threads, ahead)))
