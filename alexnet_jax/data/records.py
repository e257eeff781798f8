"""A source that reads the records of `prepare.py`.

A record in an ArrayRecord shard is the label, a little-endian int32, followed
by a square JPEG. `meta.json` is written last, so it exists only if the
preparation is finished.
"""

import json
import os
import struct

import numpy as np
from array_record.python import (
    array_record_data_source,
    array_record_module,  # ty: ignore[missing-module-member] compiled
)

from alexnet_jax.data import images
from alexnet_jax.errors import InputError

META = 'meta.json'  # written last
PREPARATION = 'preparation.json'  # written first
STATISTICS = 'statistics.npz'

_LABEL = struct.Struct('<i')



def open_writer(path: str) -> array_record_module.ArrayRecordWriter:
  """Opens a writer for records that can be read in random order."""
  return array_record_module.ArrayRecordWriter(path, 'group_size:1')


class Records:
  """A source for one split of the records in a folder.

  Args:
    folder: the folder written by `prepare`.
    split: 'train' or 'validation'.
    image_size: side of the squares in pixels.
    resize: see `images.square`.

  Raises:
    InputError: the folder contains no records, the preparation is unfinished,
      it does not include the split, or its images were resized differently.
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
    self.image_size = image_size
    self._split = split
    count = meta['shards'][split]
    shards = [os.path.join(folder, shard_name(split, k, count))
              for k in range(count)]
    # The reader rejects an empty list, but a split may have no examples.
    self._records = (
        array_record_data_source.ArrayRecordDataSource(shards)
        if shards else [])

  def __len__(self) -> int:
    return len(self._records)

  def __getitem__(self, i: int) -> dict:
    label, data = unpack(self._records[i])
    image = images.decode(data, self.where(i))
    return {'image': images.square(image, self.image_size), 'label': label}

  def where(self, i: int) -> str:
    return f'record {i} of {os.path.join(self.folder, self._split)}'


def shard_name(split: str, shard: int, count: int) -> str:
  """Returns a file name such as train-00003-of-00025.array_record.

  Args:
    split: name of the split.
    shard: index of the shard.
    count: number of shards in the split.
  """
  return f'{split}-{shard:05d}-of-{count:05d}.array_record'


def pack(label: int, data: bytes) -> bytes:
  """Packs a label and a JPEG into a record."""
  return _LABEL.pack(label) + data


def unpack(record: bytes) -> tuple[np.int32, bytes]:
  """Unpacks a record into its label and JPEG."""
  return np.int32(_LABEL.unpack_from(record)[0]), record[_LABEL.size:]


def read_meta(folder: str) -> dict:
  """Returns the contents of `meta.json`.

  Raises:
    InputError: the folder contains no records, or they are unfinished.
  """
  if os.path.exists(os.path.join(folder, META)):
    with open(os.path.join(folder, META), encoding='utf-8') as file:
      return json.load(file)
  if os.path.exists(os.path.join(folder, PREPARATION)):
    raise InputError(
        f'the preparation of records in {folder!r} is unfinished; run the '
        'same prepare command again and it goes on where it stopped.')
  raise InputError(
      f'there are no prepared records in {folder!r}; make them with: python '
      'launch.py --config=CONFIG --task=prepare --config.data.name=folder '
      f'--config.data.path=PHOTOS --workdir={folder}')
