"""Single pictures, as a person gives them: files, and folders of them.

Nothing is known of their classes and any of them may be damaged, which must
not stop the rest.
"""

import os
from collections.abc import Iterator, Sequence

import grain
import numpy as np

from alexnet_jax.data import images, loader
from alexnet_jax.data.folders import EXTENSIONS
from alexnet_jax.errors import InputError


def find(paths: Sequence[str]) -> list[str]:
  """The pictures that are meant: files as given, folders at any depth.

  Args:
    paths: in the order wanted. A file counts whatever its name is; of a folder
      the pictures that are not hidden, sorted by their path.

  Raises:
    InputError: a path that is not there, or a folder without pictures.
  """
  found = []
  for path in map(os.path.expanduser, paths):
    if os.path.isdir(path):
      found += _below(path)
    elif os.path.exists(path):
      found.append(path)
    else:
      raise InputError(f'there is no picture and no folder {path!r}: give'
                       ' --images files, or folders of pictures.')
  return found


def read(path: str, size: int) -> np.ndarray:
  """The central square of a picture (section 2): uint8 `[size, size, 3]`.

  Raises:
    InputError: a file that cannot be opened, or no sound picture.
  """
  try:
    with open(path, 'rb') as file:
      data = file.read()
  except OSError as error:
    raise InputError(f'{path} cannot be read ({error.strerror}); check that the'
                     ' file is still there and may be read.') from error
  return images.square(images.decode(data, path), size)


def read_all(paths: Sequence[str], size: int, threads: int = 2,
             ahead: int = 64) -> Iterator[np.ndarray | InputError]:
  """Every picture in its turn; for a bad one, the error that says why.

  Args:
    paths: of `find`.
    size: of the squares, in pixels.
    threads: that decode; 0 for one on each core.
    ahead: pictures at most that are decoded and wait.
  """

  def attempt(path):
    try:
      return read(path, size)
    except InputError as error:
      return error

  data = grain.MapDataset.source(paths).map(attempt)
  return iter(data.to_iter_dataset(loader.reading(threads, ahead)))


def _below(folder: str) -> list[str]:
  """Sorted; each folder once, where links lead back to one above."""
  found, seen = [], set()
  for parent, folders, files in os.walk(folder, followlinks=True):
    real = os.path.realpath(parent)
    if real in seen:
      folders.clear()
      continue
    seen.add(real)
    folders[:] = [name for name in folders if not name.startswith('.')]
    found += [os.path.join(parent, name) for name in files
              if name.lower().endswith(EXTENSIONS)
              and not name.startswith('.')]
  if not found:
    raise InputError(
        f'the folder {folder!r} holds no pictures ({" ".join(EXTENSIONS)}):'
        ' give --images another one.')
  return sorted(found)
