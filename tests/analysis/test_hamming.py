"""Packed codes hold their bits, and the search finds what a loop finds."""

import numpy as np
import pytest

from alexnet_jax.analysis import hamming
from alexnet_jax.errors import InputError

DRAW = np.random.default_rng(0)


def bits(count, length):
  return DRAW.random((count, length)) < 0.5


def bit_by_bit(query, code):
  """How many bits differ, counted one after the other."""
  return sum(bool(a) != bool(b) for a, b in zip(query, code, strict=True))


def by_a_loop(queries, codes, k):
  """(distances, indices) of the k nearest; of equals the lower index."""
  apart = [[bit_by_bit(query, code) for code in codes] for query in queries]
  order = [sorted(range(len(codes)), key=lambda i, row=row: (row[i], i))[:k]
           for row in apart]
  return (np.array([[row[i] for i in places]
                    for row, places in zip(apart, order, strict=True)]),
          np.array(order))


def assert_finds(queries, codes, k):
  apart, places = hamming.nearest(
      hamming.pack(queries), hamming.pack(codes), k)
  expected, order = by_a_loop(queries, codes, k)
  np.testing.assert_array_equal(apart, expected)
  np.testing.assert_array_equal(places, order)


@pytest.fixture
def small_blocks(monkeypatch):
  """So few codes and queries at a time that several blocks are cut."""
  monkeypatch.setattr(hamming, 'ROWS', 20)
  monkeypatch.setattr(hamming, 'QUERIES', 4)
  hamming._nearest.clear_cache()
  yield
  hamming._nearest.clear_cache()


@pytest.mark.parametrize('length', [32, 96])
def test_packed_codes_are_unpacked_as_they_were(length):
  given = bits(5, length)
  words = hamming.pack(given)
  assert words.dtype == np.uint32 and words.shape == (5, length // 32)
  np.testing.assert_array_equal(hamming.unpack(words), given)


def test_a_word_has_its_first_bit_where_the_docstring_says():
  given = np.zeros((2, 64), bool)
  given[0, 0] = given[1, 41] = True
  np.testing.assert_array_equal(hamming.pack(given), [[1 << 7, 0],
                                                      [0, 1 << 14]])


@pytest.mark.parametrize('length', [0, 8, 33])
def test_bits_that_fill_no_words_are_refused(length):
  with pytest.raises(InputError, match=f'codes of {length} bits.*multiple of'):
    hamming.pack(np.zeros((2, length), bool))


def test_distances_are_counted_bit_by_bit():
  queries, codes = bits(3, 96), bits(5, 96)
  np.testing.assert_array_equal(
      hamming.distances(*map(hamming.pack, (queries, codes))),
      [[bit_by_bit(query, code) for code in codes] for query in queries])


@pytest.mark.parametrize('count, k', [
    (20, 6), (21, 6), (57, 6), (60, 60), (3, 3)])
def test_the_search_in_blocks_equals_a_loop_over_all_bits(
    count, k, small_blocks):
  assert_finds(bits(7, 64), bits(count, 64), k)


def test_of_equally_near_codes_the_first_are_found(small_blocks):
  codes = np.repeat(bits(6, 32), 9, 0)  # alike across the edges of blocks
  assert_finds(codes[[0, 17, 53]], codes, 12)


def test_blocks_as_in_a_run_find_the_same():
  queries, codes = hamming.pack(bits(5, 64)), hamming.pack(bits(5000, 64))
  apart, places = hamming.nearest(queries, codes, 8)
  all_apart = np.bitwise_count(
      queries[:, None] ^ codes[None]).sum(-1, dtype=np.int32)
  order = np.argsort(all_apart, axis=1, kind='stable')[:, :8]
  np.testing.assert_array_equal(places, order)
  np.testing.assert_array_equal(
      apart, np.take_along_axis(all_apart, order, 1))


@pytest.mark.parametrize('k', [0, 6])
def test_more_neighbors_than_codes_are_refused(k):
  with pytest.raises(InputError, match=f'{k} nearest of 5 codes.*1 to 5'):
    hamming.nearest(hamming.pack(bits(2, 32)), hamming.pack(bits(5, 32)), k)


def test_codes_of_two_lengths_are_refused():
  with pytest.raises(InputError, match='64 bits.*codes of 32'):
    hamming.nearest(hamming.pack(bits(2, 64)), hamming.pack(bits(5, 32)), 1)


def test_random_hyperplanes_put_near_features_on_the_same_side():
  features = DRAW.normal(size=(40, 8)).astype(np.float32)
  near = features + np.float32(0.01)
  normals = DRAW.normal(size=(8, 256)).astype(np.float32)
  center = features.mean(0)
  one, other = (np.asarray(hamming.hyperplane_codes(x, center, normals))
                for x in (features, near))
  np.testing.assert_array_equal(one, (features - center) @ normals > 0)
  apart = hamming.distances(hamming.pack(one), hamming.pack(other))
  np.testing.assert_array_equal(np.argmin(apart, 1), np.arange(40))
