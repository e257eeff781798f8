"""Unlabeled pictures given by the user as files and folders.

A damaged picture does not prevent the others from being read.
"""

import os
from collections.abc import Iterator, Sequence

import grain
import numpy as np

from alexnet_jax.data import folders, images, loader
from alexnet_jax.errors import InputError


def find(paths: Sequence[str]) -> list[str]:
  """Returns the paths of all pictures in the given files and folders.

  Args:
    paths: files and folders, in the order of the result. A file is included
      whatever its name is. A folder stands for all pictures at any depth in it
      that are not hidden, sorted by path.

  Raises:
    InputError: a path does not exist, or a folder has no pictures.
  """
  paths_found = []
  for path in map(os.path.expanduser, paths):
    if os.path.isdir(path):
      pictures = folders.find_pictures(path, hidden_folders=False)
      if not pictures:
        raise InputError(
            f'the folder {path!r} holds no pictures'
            f' ({" ".join(images.EXTENSIONS)}): give --images another one.')
      paths_found += pictures
    elif os.path.exists(path):
      paths_found.append(path)
    else:
      raise InputError(f'there is no picture and no folder {path!r}: give'
                       ' --images files, or folders of pictures.')
  return paths_found


def read_all(paths: Sequence[str], size: int, threads: int = 2,
             ahead: int = 64,
             resize: str = 'crop') -> Iterator[np.ndarray | InputError]:
  """Reads the central square of every picture, in order.

  Args:
    paths: paths of files, as returned by `find`.
    size: side of the squares in pixels.
    threads: number of decoding threads; 0 for one per core, at most 16.
    ahead: maximum number of pictures decoded in advance.
    resize: see `images.square`.

  Yields:
    uint8 [size, size, 3], or the error that says why a picture is unreadable.
  """

  def read(path: str) -> np.ndarray | InputError:
    try:
      return images.read_square(path, size, resize)
    except InputError as error:
      return error

  data = grain.MapDataset.source(paths).map(read)
  return iter(data.to_iter_dataset(loader.reading(threads, ahead)))
