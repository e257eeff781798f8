"""Finds damaged pictures before a network is trained or tested on them.

'headers' reads the beginning and the end of each JPEG and PNG and decodes a
picture only if these are unusual, or if it is of another kind. It finds files
that are empty, cut off, or no pictures at all. 'full' decodes everything.
"""

import math
import os
import struct
from collections.abc import Collection, Sequence

import grain
import simplejpeg
from tqdm import tqdm

from alexnet_jax.data import decoding, loader, records
from alexnet_jax.data.classes import LabeledPictures, counted
from alexnet_jax.data.decoding import UnreadablePicture
from alexnet_jax.data.records import Records
from alexnet_jax.data.sources import Source, Subset
from alexnet_jax.errors import InputError, printable

MODES = ('headers', 'full', 'none')
PART = 32  # Number of pictures that a thread checks at once.
SHOWN = 3  # Number of pictures that a note names.
_START, _END = 2**16, 2**12  # bytes of a file that are read
_PNG_START = b'\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR'
_JPEG_END = b'\xff\xd9'
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
  parts = [paths[i:i + PART] for i in range(0, len(paths), PART)]
  results = grain.MapDataset.source(parts).map(
      lambda part: [damage(path, mode) for path in part])
  damaged = []
  with tqdm(total=len(paths), desc='check pictures', unit=' pictures',
            leave=False, dynamic_ncols=True, disable=None) as bar:
    for errors in results.to_iter_dataset(loader.reading(threads, 16)):
      damaged += [error for error in errors if error]
      bar.update(len(errors))
  return damaged


def damage(path: str, mode: str) -> UnreadablePicture | None:
  """Returns the error of a damaged picture, or None.

  Args:
    path: the picture file.
    mode: 'headers' or 'full'.
  """
  try:
    if mode == 'full' or not _looks_intact(path):
      decoding.read(path)
  except UnreadablePicture as error:
    return error
  return None


def without_damaged(
    source: Source, mode: str, known: Collection[str] = (), threads: int = 0,
    list_path: str = '') -> tuple[Source, list[UnreadablePicture]]:
  """Returns a source without its damaged pictures, and their errors.

  The notes of the source say which pictures it lacks. A source that is not read
  from picture files is returned as it is; of records, 'full' compares all files
  with their checksums.

  Args:
    source: the examples.
    mode: one of MODES.
    known: paths of pictures to leave out unread.
    threads: number of reading threads; 0 for one per core, at most 16.
    list_path: file that lists all damaged pictures, for the notes.

  Raises:
    InputError: the records are damaged, or no picture can be read.
  """
  if isinstance(source, Subset):
    intact, damaged = without_damaged(
        source.source, mode, known, threads, list_path)
    return Subset(intact, source.most), damaged
  if isinstance(source, Records) and mode == 'full':
    records.check_files(source.folder, source.split)
  if not isinstance(source, LabeledPictures):
    return source, []
  left_out = set(known)
  damaged = find_damaged(
      [path for path in source.paths if path not in left_out], mode, threads)
  left_out.update(error.name for error in damaged)
  if damaged and len(left_out) == len(source):
    raise InputError(f'none of {counted(len(source), "picture")} can be read:'
                     f' {damaged[0]}')
  return source.without(left_out, _notes(damaged, known, list_path)), damaged


def _notes(damaged: Sequence[UnreadablePicture], known: Collection[str],
           list_path: str) -> tuple[str, ...]:
  notes = []
  where = f' listed in {printable(list_path)}' if list_path else ''
  if known:
    notes.append(
        f'Left out as before: {counted(len(known), "picture")}{where}.')
  if damaged:
    shown = ', '.join(f'{printable(error.name)} ({printable(error.reason)})'
                      for error in damaged[:SHOWN])
    more = len(damaged) - SHOWN
    notes.append(
        f'Left out, as {"it is" if len(damaged) == 1 else "they are"} damaged:'
        f' {counted(len(damaged), "picture")}{where}, {shown}'
        + (f' and {more:,} more.' if more > 0 else '.'))
  return tuple(notes)


def _looks_intact(path: str) -> bool:
  """Returns whether a file begins and ends as a JPEG or PNG does."""
  try:
    with open(path, 'rb') as file:
      start = file.read(_START)
      file.seek(-min(_END, os.fstat(file.fileno()).st_size), os.SEEK_END)
      end = file.read()
    if start.startswith(_PNG_START):
      sides = struct.unpack_from('>II', start, len(_PNG_START))
      complete = end.endswith(_PNG_END)
    else:
      sides = simplejpeg.decode_jpeg_header(start)[:2]
      complete = end.rstrip(b'\0').endswith(_JPEG_END)  # filled up by cameras
    return complete and math.prod(map(int, sides)) <= decoding.max_pixels()
  # Decoding says what it is.
  except (OSError, ValueError, KeyError, struct.error):
    return False
