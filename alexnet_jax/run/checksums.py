"""Checksums of the files of a checkpoint.

They are taken when all files of a step are complete, before its folder gets its
final name, so that every step either has them or is older than they are. A CRC
finds every flipped bit, and every damage up to 32 bits long.
"""

import glob
import os
import zlib
from concurrent.futures import ThreadPoolExecutor

from alexnet_jax import files

FILE = 'checksums.json'
# Orbax changes it after the checksums are taken. It contains times alone.
CHANGED_LATER = '_CHECKPOINT_METADATA'
BLOCK = 1 << 20  # bytes that are read at once


def unfinished(folder: str) -> list[str]:
  """Returns the paths of the steps in a folder that are being saved."""
  return glob.glob(os.path.join(glob.escape(folder), '*.orbax-checkpoint-tmp'))


def write_new(folder: str) -> None:
  """Writes the checksums of the step that is being saved in a folder."""
  for path in unfinished(folder):
    write(path)


def write(folder: str) -> None:
  """Writes FILE and makes sure that all files of the folder are on disk."""
  names = sorted(
      os.path.relpath(os.path.join(parent, name), folder)
      for parent, _, names in os.walk(folder) for name in names)
  names = [name for name in names if name not in (FILE, CHANGED_LATER)]

  def checked(name):
    path = os.path.join(folder, name)
    _sync(path)
    return os.path.getsize(path), _crc32(path)

  with ThreadPoolExecutor() as pool:
    sums = dict(zip(names, pool.map(checked, names), strict=True))
  files.write_json(os.path.join(folder, FILE), sums)
  for parent, _, _ in os.walk(folder):
    _sync(parent)


def exist(folder: str) -> bool:
  """Returns whether a step has checksums; older ones have none."""
  return os.path.exists(os.path.join(folder, FILE))


def first_difference(folder: str, without: str = '') -> str:
  """Compares the files of a step with its checksums.

  Args:
    folder: the folder of the step.
    without: a subfolder that is not read.

  Returns:
    What is wrong with a file, such as 'state/_METADATA is missing', or ''.
  """
  sums = files.read_json(os.path.join(folder, FILE))
  if not sums or not isinstance(sums, dict):
    return f'{FILE} cannot be read'

  def difference(name):
    if without and name.startswith(without + os.sep):
      return ''
    path = os.path.join(folder, name)
    try:
      size, checksum = sums[name]
      if os.path.getsize(path) != size:
        return f'{name} has another size than it was saved with'
      return '' if _crc32(path) == checksum else f'{name} is not as saved'
    except FileNotFoundError:
      return f'{name} is missing'
    except (OSError, TypeError, ValueError):
      return f'{name} cannot be read'

  with ThreadPoolExecutor() as pool:
    return next(filter(None, pool.map(difference, sums)), '')


def _crc32(path):
  checksum = 0
  with open(path, 'rb', buffering=0) as file:
    while block := file.read(BLOCK):
      checksum = zlib.crc32(block, checksum)
  return checksum


def _sync(path):
  descriptor = os.open(path, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)
