"""Finds damaged pictures before a network is trained or tested on them.

'headers' reads the beginning and the end of each JPEG and PNG and decodes a
picture only if these are unusual, or if it is of another kind. It finds files
that are empty, cut off, or no pictures at all. 'full' decodes everything.
"""

import os
from collections.abc import Collection, Sequence
from typing import BinaryIO

import grain
import simplejpeg
from tqdm import tqdm

from alexnet_jax.data import images, loader, records
from alexnet_jax.data.classes import LabeledPictures
from alexnet_jax.data.images import UnreadablePicture
from alexnet_jax.data.records import Records
from alexnet_jax.data.sources import Source, Subset

MODES = ('headers', 'full', 'none')
_START, _END = 2**16, 2**12  # bytes of a file that are read
_PNG_START = b'\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR'
_PNG_END = b'\0\0\0\0IEND\xaeB`\x82'


def find_damaged(paths: Sequence[str], mode: str,
                 threads: int = 0) -> list[UnreadablePicture]:
  """Returns the errors of the damaged pictures among many, in order.

  Args:
    paths: the picture files.
    mode: one of MODES.
    threads: number of reading threads; 0 for one per core, at most 16.
  """
  if mode == 'none' or not paths:
    return []
  damaged = []
  examples = grain.MapDataset.source(paths).map(
      lambda path: [] if (error := damage(path, mode)) is None else [error])
  with tqdm(total=len(paths), desc='check pictures', unit=' pictures',
            leave=False, dynamic_ncols=True, disable=None) as bar:
    for errors in examples.to_iter_dataset(loader.reading(threads, 256)):
      damaged += errors
      bar.update()
  return damaged


def damage(path: str, mode: str) -> UnreadablePicture | None:
  """Returns the error of a damaged picture, or None.

  Args:
    path: the picture file.
    mode: 'headers' or 'full'.
  """
  try:
    if mode == 'full' or not _looks_intact(path):
      images.decode(images.read_file(path), path)
  except UnreadablePicture as error:
    return error
  return None


def without_damaged(
    source: Source, mode: str, known: Collection[str] = (), threads: int = 0
) -> tuple[Source, list[UnreadablePicture]]:
  """Returns a source without its damaged pictures, and their errors.

  A source that is not read from picture files is returned as it is; of records,
  'full' compares all files with their checksums.

  Args:
    source: the examples.
    mode: one of MODES.
    known: paths of pictures to leave out unread.
    threads: number of reading threads; 0 for one per core, at most 16.

  Raises:
    InputError: the records are damaged.
  """
  if isinstance(source, Subset):
    intact, damaged = without_damaged(source.source, mode, known, threads)
    return Subset(intact, source.most), damaged
  if isinstance(source, Records) and mode == 'full':
    records.check_files(source.folder, source.split)
  if not isinstance(source, LabeledPictures):
    return source, []
  left_out = set(known)
  damaged = find_damaged(
      [path for path in source.paths if path not in left_out], mode, threads)
  left_out.update(error.name for error in damaged)
  return source.without(left_out), damaged


def _looks_intact(path: str) -> bool:
  """Returns whether a file begins and ends as a JPEG or PNG does."""
  try:
    with open(path, 'rb') as file:
      start = file.read(_START)
      if start.startswith(_PNG_START):
        return _end(file).endswith(_PNG_END)
      simplejpeg.decode_jpeg_header(start)
      # Some cameras fill up their files.
      return _end(file).rstrip(b'\0').endswith(b'\xff\xd9')
  except (OSError, ValueError, KeyError):  # which decoding explains
    return False


def _end(file: BinaryIO) -> bytes:
  file.seek(-min(_END, os.fstat(file.fileno()).st_size), os.SEEK_END)
  return file.read()
