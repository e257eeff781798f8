"""Batches from a source: shuffled, sharded over processes, padded, resumable.

The examples of a batch are a function of (seed, step). The stream therefore
does not depend on the number of threads or workers or on where an earlier run
stopped, and the shards of a step always form the same global batch. Grain reads
batches ahead; the order is that of its own shuffle.
"""

import functools
import os
import sys
import threading
from collections.abc import Generator, Iterator
from multiprocessing import resource_tracker
from typing import Any, Protocol

import grain
import numpy as np
from absl import flags
from grain.experimental import index_shuffle

from alexnet_jax import machine
from alexnet_jax.data.sources import RandomAccess
from alexnet_jax.errors import InputError

ENDLESS = 2**62  # steps


class Batches(Protocol):
  """An iterator of batches that stops its threads when closed."""

  def __iter__(self) -> Iterator[dict]: ...
  def __next__(self) -> dict: ...
  def close(self) -> None: ...


def train_batches(source: RandomAccess, *, batch_size: int, seed: int,
                  step: int = 0, shard: int = 0, num_shards: int = 1,
                  reshuffle: bool = True, threads: int = 2, workers: int = 0,
                  buffer: int = 8) -> Batches:
  """Returns an endless iterator of training batches from step `step` on.

  Shard p of n has the contiguous rows p*b .. (p+1)*b of each global batch, with
  b = batch_size // num_shards. An epoch consists of complete global batches.
  The remaining examples are skipped; with `reshuffle` they differ in each
  epoch.

  Args:
    source: labeled images.
    batch_size: images in a global batch (128 in section 5).
    seed: seed of the order of the examples.
    step: number of batches that earlier runs have already consumed.
    shard: index of the process whose rows are returned.
    num_shards: number of processes.
    reshuffle: whether each epoch has a new order; if False, every epoch has
      the same batches, as in the 2012 program.
    threads: number of decoding threads; 0 for one per core, at most 16.
    workers: number of additional decoding processes; 0 for none.
    buffer: number of batches to prefetch.

  Returns:
    An iterator of {'image': uint8 `[b, S, S, 3]`, 'label': int32 `[b]`}. Call
    its `close()` when done; with workers, leave no batch behind.

  Raises:
    InputError: the source is empty, or num_shards does not divide batch_size;
      during iteration, an image cannot be read.
  """
  _rows(source, batch_size, num_shards)
  data = grain.MapDataset.range(step, ENDLESS).map(functools.partial(
      _train_batch, source, batch_size=batch_size, seed=seed, shard=shard,
      num_shards=num_shards, reshuffle=reshuffle))
  return _iterate(data, threads, buffer, workers)


def train_indices(count: int, *, batch_size: int, seed: int, step: int = 0,
                  shard: int = 0, num_shards: int = 1,
                  reshuffle: bool = True) -> Generator[np.ndarray]:
  """Yields the indices of the examples in each batch of `train_batches`.

  Args:
    count: number of examples.
    batch_size: examples in a global batch.
    seed: seed of the order of the examples.
    step: number of batches that earlier runs have already consumed.
    shard: index of the process whose rows are yielded.
    num_shards: number of processes.
    reshuffle: whether each epoch has a new order.

  Yields:
    int32 `[b]`, endlessly.
  """
  while True:
    yield _indices(step, count, batch_size=batch_size, seed=seed, shard=shard,
                   num_shards=num_shards, reshuffle=reshuffle)
    step += 1


def _indices(step: int, count: int, *, batch_size: int, seed: int, shard: int,
             num_shards: int, reshuffle: bool) -> np.ndarray:
  """Returns the indices of the examples in one batch.

  They are those of Grain's `shuffle`, `batch` and `repeat`, which take two to
  three times as long.
  """
  rows = batch_size // num_shards
  epoch, batch = divmod(step, count // batch_size)
  first = batch * batch_size + shard * rows
  order = (seed + epoch * reshuffle) % 2**32
  return np.array([index_shuffle(i, count - 1, order, 4)  # Grain's rounds
                   for i in range(first, first + rows)], np.int32)


def _train_batch(source: RandomAccess, step: int, **order: Any) -> dict:
  return read_batch(source, _indices(step, len(source), **order))


def read_batch(source: RandomAccess, indices: np.ndarray) -> dict[str, Any]:
  """Reads examples into one array for each field.

  Grain would hold all examples before it stacks them. Here each is dropped when
  it is copied, and the next has its memory, which the cache still holds: raw
  pixels are read twice as fast.

  Args:
    source: the examples.
    indices: int [b].

  Returns:
    {field: [b, ...]}, such as the image and the label.
  """
  first = {name: np.asarray(value)
           for name, value in source[int(indices[0])].items()}
  batch = {name: np.empty((len(indices), *value.shape), value.dtype)
           for name, value in first.items()}

  def place(row, example):
    for name, value in example.items():
      batch[name][row] = value

  place(0, first)
  del first
  for row, i in enumerate(indices[1:], 1):
    place(row, source[int(i)])
  return batch


def evaluation_batches(source: RandomAccess, *, batch_size: int, shard: int = 0,
                       num_shards: int = 1,
                       threads: int = 2) -> Batches:
  """Returns an iterator over every example exactly once, in order.

  The last global batch is padded with copies of the last example, which are
  marked as invalid, so that all shards yield the same number of batches and
  all batches have the same shape.

  Args:
    source: labeled images.
    batch_size: images in a global batch.
    shard: index of the process whose rows are returned.
    num_shards: number of processes.
    threads: number of decoding threads; 0 for one per core, at most 16.

  Returns:
    An iterator of {'image': uint8 `[b, S, S, 3]`, 'label': int32 `[b]`,
    'valid': bool `[b]`}; rows are divided as in `train_batches`.

  Raises:
    InputError: for the same reasons as in `train_batches`.
  """
  rows = _rows(source, batch_size, num_shards)
  last = len(source) - 1

  def read(positions: np.ndarray) -> dict:
    return {**read_batch(source, np.minimum(positions, last)),
            'valid': positions <= last}

  padded = -(-len(source) // batch_size) * batch_size
  data = grain.MapDataset.range(padded).batch(rows, drop_remainder=True)
  data = data[shard::num_shards].map(read)
  return _iterate(data, threads, buffer=8, workers=0)


def reading(threads: int, ahead: int) -> grain.ReadOptions:
  """Returns Grain's options for reading.

  Args:
    threads: number of decoding threads; 0 for one per core, at most 16, which
      is Grain's default.
    ahead: number of elements to prefetch.
  """
  return grain.ReadOptions(num_threads=machine.decoding_threads(threads),
                           prefetch_buffer_size=ahead)


def _rows(source: RandomAccess, batch_size: int, num_shards: int) -> int:
  """Returns the number of rows that one shard has of a global batch."""
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
  if not workers:
    return iter(batches)
  _start_resource_tracker()
  if not flags.FLAGS.is_parsed():  # Grain reads its own; notebooks parse none
    flags.FLAGS.mark_as_parsed()
  return _Workers(iter(batches.mp_prefetch(
      grain.MultiprocessingOptions(num_workers=workers), _begin_worker)))


class _Workers:
  """The batches of worker processes, with a sentence if one of them dies."""

  def __init__(self, batches: Any):
    self._batches = batches

  def __iter__(self) -> Iterator[dict]:
    return self

  def __next__(self) -> dict:
    try:
      return next(self._batches)
    except RuntimeError as error:
      if 'terminated unexpectedly' not in str(error):
        raise
      raise InputError(
          'a worker process that reads the data was killed, perhaps because the'
          ' memory is full: give fewer --config.run.workers, then run the same'
          ' command again.') from error

  def close(self) -> None:
    self._batches.close()


def _begin_worker(index: int, count: int) -> None:
  """Runs first in a worker process."""
  del index, count
  machine.end_with_parent()
  # Errors reach the parent as exceptions. What else a worker prints are the
  # tracebacks of its queues when the parent is gone.
  sys.stderr = open(os.devnull, 'w', encoding='utf-8')  # noqa: SIM115


def _start_resource_tracker():
  """Starts the process that frees the shared memory of killed workers.

  Python starts it when it is needed, and unblocks SIGINT and SIGTERM in the
  thread that does so; here this is a thread that ends.
  """
  # It warns of what it frees, which is the case after any interruption.
  sys.warnoptions.append('ignore:resource_tracker')
  thread = threading.Thread(target=resource_tracker.ensure_running)
  thread.start()
  thread.join()
