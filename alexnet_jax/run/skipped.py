"""The damaged pictures that a run leaves out, listed in its workdir.

`skipped.txt` has a line for each: file, reason and split, separated by tabs.
What is listed stays left out when the run goes on, whether the file is still
there, was removed or was mended. So a run always has the same examples, and its
data are identified by all training pictures, those in the list included.
"""

import hashlib
import os
from collections.abc import Iterable
from contextlib import suppress
from typing import NamedTuple

from alexnet_jax import files
from alexnet_jax.data import check, walk
from alexnet_jax.data.classes import LabeledPictures
from alexnet_jax.data.decoding import UnreadablePicture
from alexnet_jax.data.records import Records
from alexnet_jax.data.sources import Source, Subset
from alexnet_jax.errors import InputError, printable
from alexnet_jax.run import journal
from alexnet_jax.run.typed_config import Data, Settings

FILE = 'skipped.txt'


class Picture(NamedTuple):
  """A line of the list; `file` is the path as `printable` returns it."""

  file: str
  reason: str
  split: str


class ReadableSplits(NamedTuple):
  """The splits of a run without their damaged pictures."""

  train: Source
  validation: Source
  skipped: tuple[Picture, ...]  # all that the run leaves out
  roots: tuple[str, ...]  # where the data set is, and where it was before


def leave_out(settings: Settings, train: Source, validation: Source,
              workdir: str, write: bool) -> ReadableSplits:
  """Checks the pictures of a run and leaves out the damaged ones.

  Args:
    settings: the experiment.
    train: the training examples.
    validation: the validation examples.
    workdir: the workdir, whose list is read.
    write: whether what is found is added to the list.

  Raises:
    InputError: no picture of a split is left, or the records are damaged.
  """
  skipped = read(workdir)
  (train, damaged), (validation, others) = (
      _intact(settings, split, source, skipped, workdir)
      for split, source in (('train', train), ('validation', validation)))
  added = (*damaged, *others)
  if added and write:
    _write(workdir, [*skipped, *added])
  return ReadableSplits(train, validation, (*skipped, *added),
                        _roots(settings.data, workdir))


def readable_split(settings: Settings, split: str, source: Source,
                   workdir: str) -> Source:
  """Returns one split of a run as `leave_out` does, and writes nothing.

  Args:
    settings: the experiment.
    split: 'train' or 'validation'.
    source: its examples.
    workdir: the workdir, whose list is read.

  Raises:
    InputError: no picture is left, or the records are damaged.
  """
  return _intact(settings, split, source, read(workdir), workdir)[0]


def _intact(settings, split, source, skipped, workdir):
  """Returns a split without damaged pictures, and those not in the list."""
  roots = _roots(settings.data, workdir)
  listed = {_relative(picture.file, roots) for picture in skipped
            if picture.split == split}
  pictures = _pictures(source)
  known = [path for path in pictures.paths
           if _relative(printable(path), roots) in listed] if (
               pictures and listed) else []
  rest, damaged = check.without_damaged(
      source, settings.data.check, known, settings.run.threads,
      os.path.join(workdir, FILE))
  return rest, [Picture(printable(error.name), printable(error.reason), split)
                for error in damaged]


def add_to_list(error: UnreadablePicture, sound: ReadableSplits,
                workdir: str) -> InputError:
  """Adds the picture that stopped a run to its list.

  Args:
    error: the error of the picture.
    sound: the splits of the run.
    workdir: the workdir.

  Returns:
    The error for the user, which says how the run goes on.
  """
  for split, source in (('train', sound.train),
                        ('validation', sound.validation)):
    pictures = _pictures(source)
    if pictures and error.name in pictures.paths:
      _write(workdir, [*sound.skipped, Picture(
          printable(error.name), printable(error.reason), split)])
      return InputError(
          f'{error} The same command goes on without it from the newest'
          ' checkpoint; with --config.data.check=full all such pictures are'
          ' found first.')
  return error


def fingerprint(sound: ReadableSplits) -> str:
  """Identifies the training data of a run; '' if they have no files."""
  source = sound.train
  while isinstance(source, Subset):
    source = source.source
  if isinstance(source, Records):
    return source.fingerprint
  pictures = _pictures(source)
  if not pictures:
    return ''
  names = {_relative(file, sound.roots) for file in (
      *map(printable, pictures.paths), *listed_files(sound))}
  return hashlib.sha256('\n'.join(sorted(names)).encode()).hexdigest()


def listed_files(sound: ReadableSplits) -> list[str]:
  """Returns the training pictures that are left out."""
  return [picture.file for picture in sound.skipped if picture.split == 'train']


def read(workdir: str) -> list[Picture]:
  """Returns the list in a workdir; lines of another form are ignored."""
  try:
    with open(os.path.join(workdir, FILE), encoding='utf-8',
              errors='replace') as file:
      lines = [line.rstrip('\n').split('\t') for line in file]
  except OSError:
    return []
  return [Picture(*line) for line in lines if len(line) == 3]


def _write(workdir: str, pictures: Iterable[Picture]) -> None:
  lines = ['\t'.join(picture) + '\n' for picture in dict.fromkeys(pictures)]
  with files.atomic_write(os.path.join(workdir, FILE)) as file:
    file.write(''.join(lines).encode())


def _pictures(source: Source) -> LabeledPictures | None:
  """Returns the source of picture files that a source is or selects from."""
  while isinstance(source, Subset):
    source = source.source
  return source if isinstance(source, LabeledPictures) else None


def _roots(data: Data, workdir: str) -> tuple[str, ...]:
  """Returns the folder of the data, and that of the previous start."""
  paths = [data.path]
  before = journal.read_config(workdir) or {}
  with suppress(KeyError, TypeError):
    paths.append(f'{before["data"]["path"]}')
  return tuple(printable(os.path.join(os.path.expanduser(path), ''))
               for path in paths)


def _relative(file: str, roots: Iterable[str]) -> str:
  """Returns the path in the data set, which may have been moved."""
  for root in roots:
    if file.startswith(root):
      return walk.nfc(file[len(root):])
  return walk.nfc(file)
