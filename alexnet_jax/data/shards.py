"""Writes single shards of prepared records; each is complete or absent.

Until all shards are finished, each has a file `SHARD.npz` with the sums of its
images, its labels and the list of unreadable images.
"""

import json
import math
import os
import re
from contextlib import suppress
from typing import NamedTuple

import grain
import numpy as np
from tqdm import tqdm

from alexnet_jax import files, signals
from alexnet_jax.data import decoding, images, loader, records
from alexnet_jax.data import statistics as stats
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError


class Shard(NamedTuple):
  """Some examples of a split and the file that they are written to."""

  source: Source
  order: np.ndarray  # indices into the source
  file: str  # ArrayRecord, final name
  image_size: int
  quality: int
  store: str  # one of records.STORES


def divide(split: str, source: Source, folder: str, *, image_size: int,
           quality: int, store: str, seed: int,
           shard_size: int) -> list[Shard]:
  """Divides the examples of a split, in a seeded random order, into shards.

  Args:
    split: name of the split.
    source: the examples.
    folder: folder of the shards.
    image_size: side of the stored squares in pixels.
    quality: JPEG quality.
    store: 'jpeg' or 'raw'.
    seed: seed of the order.
    shard_size: examples per shard.
  """
  order = np.random.default_rng(seed).permutation(len(source))
  count = math.ceil(len(source) / shard_size)
  return [
      Shard(source, order[k * shard_size:(k + 1) * shard_size],
            os.path.join(folder, records.shard_name(split, k, count)),
            image_size, quality, store)
      for k in range(count)]


def write(shard: Shard, threads: int, bar: tqdm) -> None:
  """Writes one shard and its `.npz` file.

  Args:
    shard: the shard to write.
    threads: number of decoding threads; 0 for one per core, at most 16.
    bar: progress bar, updated once per example.

  Raises:
    OSError: the shard cannot be written, as on a full disk.
  """
  sums, labels, skipped = stats.zero(shard.image_size), [], []
  part = f'{shard.file}.part'
  signals.unfinished.add(part)
  try:
    writer = records.open_writer(part, shard.store)
    for record, image, problem in _examples(shard, threads):
      if problem:
        skipped.append(problem)
      else:
        writer.write(record)
        sums = stats.added(sums, image)
        labels.append(records.unpack(record)[0])
      bar.update()
    writer.close()
    with files.atomic_write(_beside(shard)) as file:
      np.savez(file, skipped=json.dumps(skipped),
               labels=np.array(labels, np.int32), **sums._asdict())
    os.replace(part, shard.file)  # last, so that a named shard is complete
  except BaseException as error:
    with suppress(OSError):
      os.remove(part)
    failed = re.search('write\\(\\) failed: ([^;]*)', f'{error}')
    if failed:  # The writer raises RuntimeError.
      raise OSError(failed[1]) from error
    raise


def is_written(shard: Shard) -> bool:
  """Returns whether a shard and its `.npz` file are there and readable."""
  if not os.path.exists(shard.file):
    return False
  try:
    read_beside(shard)
  # NumPy and zipfile can raise almost any exception on damaged files.
  except Exception:
    return False
  return True


def read_beside(shard: Shard) -> tuple[stats.Sums, np.ndarray, list[dict]]:
  """Returns the sums, the labels and the skipped images of a written shard."""
  with np.load(_beside(shard)) as stored:
    sums = stats.Sums(*(stored[field] for field in stats.Sums._fields))
    return sums, stored['labels'], json.loads(str(stored['skipped']))


def _beside(shard: Shard) -> str:
  return f'{shard.file}.npz'


def _examples(shard: Shard, threads: int):
  """Yields (record, image, None) or (None, None, problem) for each example."""

  def example(i: int) -> tuple:
    try:
      given_example = shard.source[int(i)]
    except InputError as error:
      return None, None, {'where': shard.source.where(int(i)),
                          'reason': str(error)}
    image = images.square(given_example['image'], shard.image_size)
    data = image.tobytes()
    if shard.store == records.JPEG:
      data = images.encode_jpeg(image, shard.quality)
      image = decoding.decode(data)  # what training reads has the statistics
    return records.pack(given_example['label'], data), image, None

  data = grain.MapDataset.source(shard.order.tolist()).map(example)
  return data.to_iter_dataset(loader.reading(threads, 32))
