"""A source that reads the records of `prepare.py`.

A record in an ArrayRecord shard is the label, a little-endian int32, followed
by a square picture: a JPEG, or the pixels themselves, uint8 `[S, S, 3]`.
`meta.json` says which in 'store'; an older one does not, and its records are
JPEGs. It is written last, so it exists only if the preparation is finished.
ArrayRecord has a checksum of every record, which it compares when it reads the
record; `meta.json` has those of whole files. `labels.npz` repeats the labels,
so that they can be counted without reading the pictures; older folders lack it.
"""

import json
import os
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np
from array_record.python import (
    array_record_data_source,
    array_record_module,  # ty: ignore[missing-module-member] compiled
)

from alexnet_jax import files
from alexnet_jax.data import decoding, images
from alexnet_jax.data.checksums import check_sizes, damaged, sha256_of
from alexnet_jax.errors import InputError

META = 'meta.json'  # written last
PREPARATION = 'preparation.json'  # written first
STATISTICS, LABELS = 'statistics.npz', 'labels.npz'
JPEG, RAW = STORES = ('jpeg', 'raw')

_LABEL = struct.Struct('<i')


def open_writer(path: str, store: str) -> array_record_module.ArrayRecordWriter:
  """Opens a writer for records that can be read in random order.

  ArrayRecord compresses records, unless told otherwise: of pixels, that saves a
  quarter of the bytes, and reading them takes four times as long.
  """
  options = {JPEG: 'group_size:1', RAW: 'group_size:1,uncompressed'}
  return array_record_module.ArrayRecordWriter(path, options[store])


class Records:
  """A source for one split of the records in a folder.

  `fingerprint` identifies the records of all splits, and is '' for those of
  versions before 1.1.

  Args:
    folder: the folder written by `prepare`.
    split: 'train', 'validation' or 'test'.
    image_size: side of the squares in pixels.
    resize: see `images.square`.

  Raises:
    InputError: the folder contains no records, the preparation is unfinished,
      it does not include the split, its images were resized differently, or a
      file is damaged or missing.
  """

  def __init__(self, folder: str, split: str, image_size: int,
               resize: str = 'crop'):
    meta = read_meta(folder)
    if split not in meta['counts']:
      raise InputError(
          f'the records in {folder!r} have no split {split!r}, only '
          f'{", ".join(meta["counts"])}; prepare it into another folder.')
    stored = meta.get('resize', 'crop')
    if stored != resize:
      raise InputError(
          f'the records in {folder!r} were made with config.data.resize='
          f'{stored!r}, not {resize!r}; prepare the pictures into another '
          f'folder, or add --config.data.resize={stored} to use these.')
    self.class_names = tuple(meta['class_names'])
    self.folder = folder
    self.stored_size = meta['image_size']
    self.store = meta.get('store', JPEG)
    self.image_size = image_size
    self.fingerprint = meta.get('fingerprint', '')
    self.split = split
    count = meta['shards'][split]
    self._shards = [os.path.join(folder, shard_name(split, k, count))
                    for k in range(count)]
    check_sizes(self._shards, meta.get('files', {}))
    # The reader rejects an empty list, but a split may have no examples.
    try:
      self._records = (
          array_record_data_source.ArrayRecordDataSource(self._shards)
          if self._shards else [])
    except (RuntimeError, ValueError, OSError) as error:
      raise damaged(self._shard_of(None), 'it has no list of records'
                    ) from error
    if len(self._records) != meta['counts'][split]:
      raise damaged(
          os.path.join(folder, META),
          f'it counts {meta["counts"][split]} {split} records and there are'
          f' {len(self._records)}')

  def __len__(self) -> int:
    return len(self._records)

  def __getitem__(self, i: int) -> dict:
    label, data = self._read(i)
    try:
      image = (_pixels(data, self.stored_size) if self.store == RAW
               else decoding.decode(bytes(data), self.where(i)))
    except Exception as error:  # of the package that decodes
      raise damaged(self._shard_of(i), f'{self.where(i)} cannot be read'
                    ) from error
    return {'image': images.square(image, self.image_size), 'label': label}

  def where(self, i: int) -> str:
    return f'record {i} of {os.path.join(self.folder, self.split)}'

  def labels(self) -> np.ndarray:
    """Returns the stored labels; in an older folder, reads all records.

    Raises:
      InputError: the file, or a record, cannot be read.
    """
    described = read_meta(self.folder).get('files', {})
    if LABELS in described:
      path = os.path.join(self.folder, LABELS)
      check_sizes([path], described)
      return _load_labels(
          path, self.split, len(self), len(self.class_names))
    return np.array([self._read(i)[0] for i in range(len(self))], np.int32)

  def _read(self, i):
    """Returns the label and the picture of a record."""
    try:
      label, data = unpack(self._records[i])
    except IndexError:
      raise
    # The reader has exceptions of its own for a wrong checksum.
    except Exception as error:
      raise damaged(self._shard_of(i), f'{self.where(i)} cannot be read'
                    ) from error
    if not 0 <= label < len(self.class_names):
      raise damaged(self._shard_of(i), f'{self.where(i)} is of no class')
    return label, data

  def _shard_of(self, i: int | None) -> str:
    """Returns the shard of a record; for None, the first that is no shard."""
    for shard in self._shards:
      try:
        count = len(array_record_data_source.ArrayRecordDataSource([shard]))
      except (RuntimeError, ValueError, OSError):
        return shard
      if i is not None:
        if i < count:
          return shard
        i -= count
    return os.path.join(self.folder, META)


def shard_name(split: str, shard: int, count: int) -> str:
  """Returns a file name such as train-00003-of-00025.array_record.

  Args:
    split: name of the split.
    shard: index of the shard.
    count: number of shards in the split.
  """
  return f'{split}-{shard:05d}-of-{count:05d}.array_record'


def size_of_raw(image_size: int) -> int:
  """Returns the bytes of a record of pixels."""
  return _LABEL.size + 3 * image_size**2


def pack(label: int, data: bytes) -> bytes:
  """Packs a label and a picture, as it is stored, into a record."""
  return _LABEL.pack(label) + data


def unpack(record: bytes) -> tuple[np.int32, memoryview]:
  """Unpacks a record into its label and its picture, without a copy."""
  return (np.int32(_LABEL.unpack_from(record)[0]),
          memoryview(record)[_LABEL.size:])


def read_meta(folder: str) -> dict:
  """Returns the contents of `meta.json`.

  Raises:
    InputError: the folder contains no records, or they are unfinished or
      damaged.
  """
  if os.path.exists(os.path.join(folder, META)):
    meta = read_json(folder, META)
    for field, kind in (('class_names', list), ('counts', dict),
                        ('shards', dict), ('image_size', int),
                        ('skipped', list)):
      if not isinstance(meta.get(field), kind):
        raise damaged(os.path.join(folder, META), f'{field} is missing')
    _check_values(os.path.join(folder, META), meta)
    return meta
  if os.path.exists(os.path.join(folder, PREPARATION)):
    raise InputError(
        f'the preparation of records in {folder!r} is unfinished; run the '
        'same prepare command again and it goes on where it stopped.')
  raise InputError(
      f'there are no prepared records in {folder!r}; make them with: python '
      'launch.py --config=CONFIG --task=prepare --config.data.name=folder '
      f'--config.data.path=PHOTOS --workdir={folder}')


def read_json(folder: str, name: str) -> dict[str, Any]:
  """Reads a JSON file of the records.

  Raises:
    InputError: it is damaged.
  """
  path = os.path.join(folder, name)
  try:
    with open(path, encoding='utf-8') as file:
      content = json.load(file)
  except OSError as error:
    raise InputError(f'{path} cannot be read ({error.strerror}); check that it'
                     ' is a file that may be read.') from error
  except ValueError as error:
    raise damaged(path, 'it is no JSON') from error
  if not isinstance(content, dict):
    raise damaged(path, 'it is no JSON object')
  return content


def check_files(folder: str, split: str) -> None:
  """Reads all files of a split, its statistics and labels, to find damage.

  Raises:
    InputError: a file differs from what was prepared.
  """
  described = read_meta(folder).get('files', {})
  for name, file in described.items():
    if name.startswith(f'{split}-') or name in (STATISTICS, LABELS):
      path = os.path.join(folder, name)
      check_sizes([path], described)
      if sha256_of(path) != file['sha256']:
        raise damaged(path, 'its checksum is wrong')


def save_labels(folder: str, labels: Mapping[str, np.ndarray]) -> None:
  """Saves the labels of all records, int32 [N] for each split."""
  with files.atomic_write(os.path.join(folder, LABELS)) as file:
    np.savez_compressed(file, allow_pickle=False, **labels)


def _load_labels(path: str, split: str, count: int,
                 classes: int) -> np.ndarray:
  # NumPy and zipfile can raise almost any exception on damaged files.
  try:
    with np.load(path) as stored:
      labels = stored[split]
  except Exception as error:
    raise damaged(path, 'its arrays cannot be read') from error
  if labels.dtype != np.int32 or labels.shape != (count,):
    raise damaged(path, f'{split} is {labels.dtype} {list(labels.shape)} in'
                  f' place of int32 {[count]}')
  if not ((labels >= 0) & (labels < classes)).all():
    raise damaged(path, 'it has labels of no class')
  return labels


def _pixels(data: memoryview, size: int) -> np.ndarray:
  return np.frombuffer(data, np.uint8).reshape(size, size, 3)


def _check_values(path: str, meta: dict) -> None:
  names = meta['class_names']
  if not names or not all(isinstance(name, str) for name in names):
    raise damaged(path, 'class_names is no list of names')
  if meta['image_size'] < 1:
    raise damaged(path, 'image_size is no size')
  if meta.get('store', JPEG) not in STORES:
    raise damaged(path, f'store is none of {", ".join(STORES)}')
  for field in ('counts', 'shards'):
    if not all(type(count) is int and count >= 0
               for count in meta[field].values()):
      raise damaged(path, f'{field} are no numbers')
  if meta['counts'].keys() != meta['shards'].keys():
    raise damaged(path, 'counts and shards are of different splits')
  files = meta.get('files', {})
  if not isinstance(files, dict) or not all(
      isinstance(file, dict) and isinstance(file.get('bytes'), int)
      and isinstance(file.get('sha256'), str) for file in files.values()):
    raise damaged(path, 'files has no sizes and checksums')
  if not isinstance(meta.get('fingerprint', ''), str):
    raise damaged(path, 'fingerprint is no text')
