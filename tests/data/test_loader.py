import multiprocessing
import os
import signal
import subprocess
import sys
import time

import grain
import numpy as np
import program
import pytest

from alexnet_jax.data.loader import (
  evaluation_batches,
  train_batches,
  train_indices,
)
from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError

SIZE = 8


class Numbered:
  """Examples whose label is their index."""

  class_names = ('a', 'b')

  def __init__(self, length):
    self._length = length

  def __len__(self):
    return self._length

  def __getitem__(self, i):
    return {'image': np.full((2, 2, 3), i, np.uint8), 'label': np.int32(i)}

  def where(self, i):
    return f'number {i}'


def _train(count, source=None, **arguments):
  source = source or open_source('procedural', 'train', image_size=SIZE,
                                 limit=50)
  batches = train_batches(source, **{'batch_size': 12, 'seed': 5, **arguments})
  taken = [next(batches) for _ in range(count)]
  batches.close()
  return taken


def _assert_equal(ones, others):
  assert len(ones) == len(others)
  for one, other in zip(ones, others, strict=True):
    assert one.keys() == other.keys()
    for key in one:
      assert np.array_equal(one[key], other[key])


def _joined(shards):
  return [{key: np.concatenate([part[key] for part in parts])
           for key in parts[0]} for parts in zip(*shards, strict=True)]


def test_a_training_batch_is_uint8_images_and_int32_labels():
  (batch,) = _train(1)
  assert batch.keys() == {'image', 'label'}
  assert batch['image'].shape == (12, SIZE, SIZE, 3)
  assert batch['image'].dtype == np.uint8
  assert batch['label'].shape == (12,)
  assert batch['label'].dtype == np.int32


def test_every_epoch_holds_every_example_in_a_new_order():
  batches = _train(4, Numbered(24))
  first = np.concatenate([b['label'] for b in batches[:2]])
  second = np.concatenate([b['label'] for b in batches[2:]])
  assert sorted(first) == sorted(second) == list(range(24))
  assert not np.array_equal(first, second)
  assert not np.array_equal(first, np.arange(24))


def test_an_epoch_is_its_whole_batches_and_others_sit_out_the_next():
  batches = [b['label'] for b in _train(6, Numbered(29))]
  epochs = [np.concatenate(batches[i:i + 2]) for i in (0, 2, 4)]
  assert all(len(set(epoch)) == 24 for epoch in epochs)
  assert set(epochs[0]) != set(epochs[1]) != set(epochs[2])


def test_the_order_depends_on_the_seed():
  with pytest.raises(AssertionError):
    _assert_equal(_train(1, seed=5), _train(1, seed=6))
  _assert_equal(_train(1, seed=-1), _train(1, seed=-1))
  _assert_equal(_train(1, seed=2**40), _train(1, seed=2**40))


def test_without_reshuffling_every_epoch_has_the_same_batches():
  batches = _train(6, Numbered(29), reshuffle=False)
  _assert_equal(batches[2:4], batches[:2])
  _assert_equal(batches[4:], batches[:2])
  assert batches[0]['label'].tolist() != list(range(12))


@pytest.mark.parametrize('threads', [0, 1, 3])
def test_a_run_resumed_at_a_step_is_the_tail_of_the_whole_run(threads):
  _assert_equal(_train(6, step=4, threads=threads), _train(10)[4:])


def test_worker_processes_change_nothing():
  _assert_equal(_train(3, step=4, workers=2), _train(7)[4:])


def exists(process):
  try:
    os.kill(process, 0)
  except ProcessLookupError:
    return False
  return True


def test_worker_processes_end_with_a_parent_that_is_killed():
  # The script is a program of one's own: absl has parsed no flags in it.
  script = f"""
import multiprocessing, time
from alexnet_jax.data import loader, sources
if __name__ == '__main__':
  source = sources.open_source('procedural', 'train', image_size={SIZE})
  batches = loader.train_batches(source, batch_size=2, seed=0, workers=1)
  next(batches)
  print(*(child.pid for child in multiprocessing.active_children()), flush=True)
  time.sleep(60)
"""
  parent = subprocess.Popen(
      [sys.executable, '-c', script], cwd=program.ROOT, text=True,
      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  worker, = map(int, parent.stdout.readline().split())
  assert exists(worker)
  parent.kill()
  for _ in range(50):
    if not exists(worker):
      break
    time.sleep(0.1)
  assert not exists(worker)
  assert not program.finish(parent)[2]


def test_a_worker_process_that_is_killed_is_said():
  source = open_source('procedural', 'train', image_size=SIZE)
  batches = train_batches(source, batch_size=2, seed=0, workers=1, buffer=1)
  next(batches)
  worker, = multiprocessing.active_children()
  os.kill(worker.pid, signal.SIGKILL)
  with pytest.raises(InputError, match=r'was killed.*--config.run.workers'):
    for _ in range(1000):
      next(batches)
  batches.close()


@pytest.mark.parametrize('num_shards', [2, 3, 4])
def test_shards_hold_contiguous_rows_at_the_same_global_batch(num_shards):
  shards = [_train(6, step=3, shard=p, num_shards=num_shards)
            for p in range(num_shards)]
  assert shards[0][0]['label'].shape == (12 // num_shards,)
  _assert_equal(_joined(shards), _train(9)[3:])


class Counted(Numbered):
  """Remembers which examples were read."""

  def __init__(self, length):
    super().__init__(length)
    self.read = set()

  def __getitem__(self, i):
    self.read.add(int(i))
    return super().__getitem__(i)


def test_a_process_reads_the_examples_of_its_rows_and_no_others():
  sources = [Counted(96) for _ in range(4)]
  for shard, source in enumerate(sources):
    batches = _train(8, source, shard=shard, num_shards=4, reshuffle=False)
    assert source.read == {int(x) for b in batches for x in b['label']}
    assert len(source.read) == 24
  assert set.union(*(source.read for source in sources)) == set(range(96))


@pytest.mark.parametrize('length', [1, 11, 12, 13, 50])
@pytest.mark.parametrize('num_shards', [1, 3])
def test_evaluation_sees_every_example_exactly_once(length, num_shards):
  shards = [list(evaluation_batches(Numbered(length), batch_size=12, shard=p,
                                    num_shards=num_shards))
            for p in range(num_shards)]
  assert {len(shard) for shard in shards} == {-(-length // 12)}
  batches = _joined(shards)
  assert all(b['label'].shape == b['valid'].shape == (12,) for b in batches)
  labels = np.concatenate([b['label'] for b in batches])
  valid = np.concatenate([b['valid'] for b in batches])
  assert valid.dtype == np.bool_
  assert labels[valid].tolist() == list(range(length))
  assert (labels[~valid] == length - 1).all(), 'padding is a real example'


def _with_a_broken_picture(tree):
  root = tree(*(f'train/{c}/{i}.jpg' for c in 'ab' for i in range(6)))
  source = open_source('folder', 'train', path=root, image_size=SIZE,
                       validation_fraction=0.01)
  with open(source.where(4), 'wb') as file:
    file.write(b'not a picture')
  return source


@pytest.mark.parametrize('workers', [0, 1])
def test_an_unreadable_picture_is_named_in_training(tree, workers):
  source = _with_a_broken_picture(tree)
  with pytest.raises(InputError, match='cannot be read as a picture') as error:
    _train(2, source, batch_size=10, workers=workers)
  assert source.where(4) in str(error.value)


def test_an_unreadable_picture_is_named_in_evaluation(tree):
  source = _with_a_broken_picture(tree)
  with pytest.raises(InputError) as error:
    list(evaluation_batches(source, batch_size=5))
  assert source.where(4) in str(error.value)


@pytest.mark.parametrize('function', [train_batches, evaluation_batches])
def test_a_batch_that_processes_cannot_share_is_refused(function):
  more = {'seed': 0} if function is train_batches else {}
  with pytest.raises(InputError) as error:
    function(Numbered(9), batch_size=128, num_shards=3, **more)
  assert str(error.value) == (
      'batch_size=128 cannot be divided evenly among 3 processes; choose a '
      'positive multiple of 3.')


@pytest.mark.parametrize('function', [train_batches, evaluation_batches])
def test_an_empty_source_is_refused(function):
  more = {'seed': 0} if function is train_batches else {}
  with pytest.raises(InputError) as error:
    function(Numbered(0), batch_size=8, **more)
  assert str(error.value) == (
      'the data set has no examples in this split; add pictures or choose '
      'another --config.data.path.')


@pytest.mark.parametrize('reshuffle', [True, False])
@pytest.mark.parametrize('shard, num_shards', [(0, 1), (1, 3)])
def test_the_order_is_that_of_grains_own_pipeline(
    reshuffle, shard, num_shards):
  theirs = grain.MapDataset.range(50).shuffle(seed=5)
  theirs = theirs.batch(12 // num_shards, drop_remainder=True)
  theirs = theirs[:4 * num_shards].repeat(reseed_each_epoch=reshuffle)
  ours = train_indices(50, batch_size=12, seed=5, step=3, shard=shard,
                       num_shards=num_shards, reshuffle=reshuffle)
  for step in range(3, 12):
    np.testing.assert_array_equal(
        next(ours), theirs[step * num_shards + shard])


@pytest.mark.parametrize('arguments', [
    {}, {'step': 3, 'reshuffle': False}, {'seed': 2**32 - 2},
    {'shard': 1, 'num_shards': 3, 'step': 5}], ids=str)
def test_indices_are_those_of_the_batches(arguments):
  labels = [batch['label'] for batch in _train(
      9, Numbered(50), **arguments)]  # into the third epoch
  indices = train_indices(50, **{'batch_size': 12, 'seed': 5, **arguments})
  for expected in labels:
    ours = next(indices)
    np.testing.assert_array_equal(ours, expected)
    assert ours.dtype == np.int32
