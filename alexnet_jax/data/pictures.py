"""Pictures without labels, as a user gives them: files and folders of files.

Any of them may be damaged, which must not stop the rest.
"""

import os
from collections.abc import Iterator, Sequence

import grain
import numpy as np

from alexnet_jax.data import folders, images, loader
from alexnet_jax.errors import InputError


def find(paths: Sequence[str]) -> list[str]:
  """Paths of the pictures that a user gives: files, and folders at any depth.

  Args:
    paths: in the order wanted. A file counts whatever its name is; of a folder
      all pictures that are not hidden, sorted by their path.

  Raises:
    InputError: a path does not exist, or a folder has no pictures.
  """
  found = []
  for path in map(os.path.expanduser, paths):
    if os.path.isdir(path):
      pictures = folders.find_pictures(path, hidden_folders=False)
      if not pictures:
        raise InputError(
            f'the folder {path!r} holds no pictures'
            f' ({" ".join(images.EXTENSIONS)}): give --images another one.')
      found += pictures
    elif os.path.exists(path):
      found.append(path)
    else:
      raise InputError(f'there is no picture and no folder {path!r}: give'
                       ' --images files, or folders of pictures.')
  return found


def read_all(paths: Sequence[str], size: int, threads: int = 2,
             ahead: int = 64) -> Iterator[np.ndarray | InputError]:
  """Reads the central square of every picture, in order.

  Args:
    paths: of files, as `find` returns them.
    size: side of the squares in pixels.
    threads: number of threads that decode; 0 for one on each core.
    ahead: how many decoded pictures may wait at most.

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
