"""Every random number is a function of seed, stream, step, example, column."""

import zlib

import jax
import jax.numpy as jnp
import numpy as np

from alexnet_jax.network import rng


def words(keys):
  return np.asarray(jax.random.key_data(keys))


def test_keys_are_those_of_every_earlier_release():
  # Written down once: another number here is another experiment.
  assert words(rng.stream(3, 'crop', 5)).tolist() == [1502591037, 1958466741]
  examples = rng.per_example(rng.stream(0, 'dropout'), 2)
  assert words(examples).tolist() == [
      [3062845342, 2204736462], [2497501756, 2972307275]]
  assert words(rng.column_keys(examples, 'fc6', 1)).tolist() == [
      [3003161244, 2365520091], [3467863140, 717947627]]


def test_a_stream_is_the_same_in_every_process_of_every_run():
  # Python's own `hash` of a string would differ between processes.
  key = jax.random.fold_in(jax.random.key(3), zlib.crc32(b'crop'))
  np.testing.assert_array_equal(
      words(rng.stream(3, 'crop', 5)), words(jax.random.fold_in(key, 5)))


def test_streams_differ_by_seed_name_and_step():
  keys = [rng.stream(seed, name, step) for seed in (0, 1)
          for name in ('init', 'crop', 'jitter', 'dropout')
          for step in (0, 1, 1000)]
  assert len({tuple(words(key)) for key in keys}) == 24


def test_a_traced_step_gives_the_key_of_the_number():
  traced = jax.jit(lambda step: rng.stream(3, 'crop', step))(jnp.int32(5))
  np.testing.assert_array_equal(words(traced), words(rng.stream(3, 'crop', 5)))


def test_every_example_has_its_own_key_whatever_the_batch_size():
  key = rng.stream(0, 'dropout')
  eight, four = (words(rng.per_example(key, size)) for size in (8, 4))
  assert len(np.unique(eight, axis=0)) == 8
  np.testing.assert_array_equal(eight[:4], four)


def test_neighbors_can_share_a_key():
  keys = words(rng.per_example(rng.stream(0, 'crop'), 80, shared_by=32))
  own = words(rng.per_example(rng.stream(0, 'crop'), 3))
  np.testing.assert_array_equal(keys, own[np.arange(80) // 32])


def test_layers_and_columns_of_one_example_draw_apart():
  keys = rng.per_example(rng.stream(0, 'dropout'), 3)
  drawn = np.concatenate([
      words(rng.column_keys(keys, layer, column))
      for layer in ('fc6', 'fc7') for column in range(4)])
  assert len(np.unique(drawn, axis=0)) == 3 * 2 * 4


def test_no_keys_stay_no_keys():
  assert rng.column_keys(None, 'fc6', 0) is None
