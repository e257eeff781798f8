"""Batches from a source: shuffled, divided among processes, padded, resumed.

Everything here is a function of (seed, step). The order of the pipeline makes
it so: shuffle, batch, repeat, then take every num_shards-th batch from the
step on. The stream therefore depends neither on threads and workers nor on
where an earlier run stopped, and the shards of a step always join to the same
global batch.
"""

from collections.abc import Iterator
from typing import Any, Protocol

import grain
import numpy as np

from alexnet_jax import machine
from alexnet_jax.data.sources import RandomAccess
from alexnet_jax.errors import InputError


class Batches(Protocol):
  """An iterator of batches that stops its threads when closed."""

  def __iter__(self) -> Iterator[dict]: ...
  def __next__(self) -> dict: ...
  def close(self) -> None: ...


def train_batches(source: RandomAccess, *, batch_size: int, seed: int,
                  step: int = 0, shard: int = 0, num_shards: int = 1,
                  reshuffle: bool = True, threads: int = 2, workers: int = 0,
                  buffer: int = 8) -> Batches:
  """Endless training batches from global step `step` on.

  Shard p of n holds the contiguous rows p*b .. (p+1)*b of each global batch,
  with b = batch_size // num_shards. An epoch is its whole global batches; the
  examples left over, others in each epoch, sit it out.

  Args:
    source: labeled images.
    batch_size: images in a global batch (128 in section 5).
    seed: of the order.
    step: number of batches already taken by all earlier runs.
    shard: which process's rows to yield.
    num_shards: number of processes.
    reshuffle: draw the order anew each epoch; False draws it once, so that
      every epoch has the same batches, as in the 2012 program.
    threads: of this process, decoding; 0 for one on each core.
    workers: further processes, decoding; 0 for none.
    buffer: batches made in advance.

  Returns:
    An iterator of {'image': uint8 `[b, S, S, 3]`, 'label': int32 `[b]`}. Call
    its `close()` when done; with workers, leave no batch behind.

  Raises:
    InputError: an empty source, or num_shards does not divide batch_size;
      while iterating: an image that cannot be read.
  """
  rows = _rows(source, batch_size, num_shards)
  examples: Any = source  # Grain's own protocol names its argument
  data = grain.MapDataset.source(examples).shuffle(seed=seed % 2**32)
  data = data.batch(rows, drop_remainder=True)
  data = data[:len(source) // batch_size * num_shards]
  data = data.repeat(reseed_each_epoch=reshuffle)
  data = data[step * num_shards + shard::num_shards]
  return _iterate(data, threads, buffer, workers)


def evaluation_batches(source: RandomAccess, *, batch_size: int, shard: int = 0,
                       num_shards: int = 1,
                       threads: int = 2) -> Batches:
  """Every example exactly once, in order.

  The last global batch is filled up with copies of the last example, marked
  as not valid, so that every shard yields equally many batches of one shape.

  Returns:
    An iterator of {'image': uint8 `[b, S, S, 3]`, 'label': int32 `[b]`,
    'valid': bool `[b]`}; rows are divided as in `train_batches`.

  Raises:
    InputError: as `train_batches`.
  """
  rows = _rows(source, batch_size, num_shards)
  last = len(source) - 1

  def example(position: int) -> dict:
    return {**source[min(position, last)],
            'valid': np.bool_(position <= last)}

  padded = -(-len(source) // batch_size) * batch_size
  data = grain.MapDataset.range(padded).map(example)
  data = data.batch(rows, drop_remainder=True)[shard::num_shards]
  return _iterate(data, threads, buffer=8, workers=0)


def reading(threads: int, ahead: int) -> grain.ReadOptions:
  """How to read.

  Args:
    threads: that decode; 0 for one on each core, at most 16, which is as many
      as Grain starts by itself.
    ahead: how much is made in advance.
  """
  return grain.ReadOptions(num_threads=threads or min(machine.cores(), 16),
                           prefetch_buffer_size=ahead)


def _rows(source: RandomAccess, batch_size: int, num_shards: int) -> int:
  """Rows of a global batch that one shard holds."""
  if len(source) == 0:
    raise InputError(
        'the data set has no examples in this split; add pictures or choose '
        'another --config.data.path.')
  if batch_size < 1 or batch_size % num_shards:
    raise InputError(
        f'batch_size={batch_size} cannot be divided evenly among '
        f'{num_shards} processes; choose a positive multiple of '
        f'{num_shards}.')
  return batch_size // num_shards


def _iterate(data: grain.MapDataset, threads: int, buffer: int,
             workers: int) -> Batches:
  batches = data.to_iter_dataset(reading(threads, buffer))
  if workers:
    batches = batches.mp_prefetch(
        grain.MultiprocessingOptions(num_workers=workers))
  return iter(batches)
