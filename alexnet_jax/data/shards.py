"""One shard of prepared records: made whole, or not there under its name.

Beside a shard lies `SHARD.npz` with the sums of its images and the list of
those that could not be read, until all shards are there and joined.
"""

import json
import math
import os
from typing import NamedTuple

import grain
import numpy as np
from tqdm import tqdm

from alexnet_jax.data import images, loader, records
from alexnet_jax.data import statistics as stats
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError


class Shard(NamedTuple):
  """Some examples of a split and the file they go to."""

  source: Source
  order: np.ndarray  # indices into the source
  file: str  # ArrayRecord, final name
  image_size: int
  quality: int


def divide(split: str, source: Source, folder: str, *, image_size: int,
           quality: int, seed: int, shard_size: int) -> list[Shard]:
  """Deals out a split's examples, in a seeded random order, to shards."""
  order = np.random.default_rng(seed).permutation(len(source))
  count = math.ceil(len(source) / shard_size)
  return [
      Shard(source, order[k * shard_size:(k + 1) * shard_size],
            os.path.join(folder, records.shard_name(split, k, count)),
            image_size, quality)
      for k in range(count)]


def write(shard: Shard, threads: int, bar: tqdm) -> None:
  """Writes one shard and what lies beside it, moving the bar on."""
  sums, skipped = stats.zero(shard.image_size), []
  part = f'{shard.file}.part'
  writer = records.open_writer(part)
  for record, image, problem in _examples(shard, threads):
    if problem:
      skipped.append(problem)
    else:
      writer.write(record)
      sums = stats.added(sums, image)
    bar.update()
  writer.close()
  np.savez(_beside(shard), skipped=json.dumps(skipped), **sums._asdict())
  os.replace(part, shard.file)  # last: its presence means all is there


def read_beside(shard: Shard) -> tuple[stats.Sums, list[dict]]:
  """The sums and the skipped images of a written shard."""
  with np.load(_beside(shard)) as stored:
    sums = stats.Sums(*(stored[field] for field in stats.Sums._fields))
    return sums, json.loads(str(stored['skipped']))


def _beside(shard: Shard) -> str:
  return f'{shard.file}.npz'


def _examples(shard: Shard, threads: int):
  """(record, image, None) or (None, None, problem), in the shard's order."""

  def example(i: int) -> tuple:
    try:
      given = shard.source[int(i)]
    except InputError as error:
      return None, None, {'where': shard.source.where(int(i)),
                          'reason': str(error)}
    data = images.encode_jpeg(
        images.square(given['image'], shard.image_size), shard.quality)
    # Statistics are those of what training will read: the JPEG.
    return records.pack(given['label'], data), images.decode(data), None

  data = grain.MapDataset.source(shard.order.tolist()).map(example)
  return data.to_iter_dataset(loader.reading(threads, 32))
