"""The search in blocks finds what comparing with every vector finds."""

import numpy as np
import pytest

from alexnet_jax.analysis import neighbors as neighbors
from alexnet_jax.errors import InputError

DRAW = np.random.default_rng(0)


def by_comparing_with_all(queries, database, k):
  """Every distance in float64; of equals the lower index."""
  apart = (queries[:, None].astype(np.float64)
           - database[None].astype(np.float64))
  distances = np.sqrt((apart**2).sum(-1))
  order = np.argsort(distances, axis=1, kind='stable')[:, :k]
  return np.take_along_axis(distances, order, 1), order


def assert_finds(queries, database, blocks, k):
  distances, indices = neighbors.nearest(queries, blocks, k)
  expected, order = by_comparing_with_all(queries, database, k)
  np.testing.assert_array_equal(indices, order)
  np.testing.assert_allclose(distances, expected, rtol=1e-12)


@pytest.fixture
def small_blocks(monkeypatch):
  """So many vectors and queries on the device that several blocks are cut."""
  monkeypatch.setattr(neighbors, 'ROWS', 20)
  monkeypatch.setattr(neighbors, 'QUERIES', 4)
  monkeypatch.setattr(neighbors, 'PAIRS', 100)


# Cut into 20 at most, so that 17 are left over: few shapes, quickly compiled.
@pytest.mark.parametrize('k, lengths', [
    (6, [97]), (6, [17, 80]), (6, [20, 40, 37]), (97, [40, 57])])
def test_any_blocks_give_what_comparing_with_all_gives(
    k, lengths, small_blocks):
  database = DRAW.normal(size=(97, 33)).astype(np.float32)
  queries = DRAW.normal(size=(7, 33)).astype(np.float32)
  blocks = np.split(database, np.cumsum(lengths)[:-1])
  assert_finds(queries, database, blocks, k)


def test_whole_blocks_give_the_same():
  database = DRAW.normal(size=(300, 64)).astype(np.float32)
  assert_finds(database[::50] + np.float32(0.5), database, [database], 10)


def test_of_equally_near_vectors_the_first_is_found(small_blocks):
  database = np.repeat(DRAW.normal(size=(10, 8)), 8, 0).astype(np.float32)
  distances, indices = neighbors.nearest(database[40:44], [database], 12)
  np.testing.assert_array_equal(indices[0, :8], np.arange(40, 48))
  assert not distances[0, :8].any() and distances[0, 8] > 0
  assert_finds(database[3:60:15], database, [database], 12)


def test_long_vectors_that_differ_by_little_keep_their_order():
  # 10,000 away from zero float32 squares know nothing of a difference of 0.01.
  near = 0.01 * DRAW.normal(size=(400, 16))
  database = (10_000 + near).astype(np.float32)
  far = np.concatenate([database, np.zeros((1, 16), np.float32)])
  assert_finds(database[::40], far, [far], 5)


def test_close_ties_among_few_far_queries_are_told_apart():
  # The queries' mean is of no help to queries that are far from each other.
  corners = 3000 * np.eye(4, 16, dtype=np.float32)
  database = np.repeat(corners, 12, 0) + DRAW.normal(
      size=(48, 16)).astype(np.float32) * 0.01
  assert_finds(corners, database.astype(np.float32), [database], 6)


def test_equally_near_vectors_come_in_order_however_they_were_rounded():
  # An eighth away on every side; float32 has no room for squares of eighths.
  queries = DRAW.integers(-8000, 8000, (2, 16)).astype(np.float32) / 8
  around = np.concatenate([np.eye(16), -np.eye(16)]).astype(np.float32) / 8
  database = queries[0] + around
  assert_finds(queries, database, [database], 16)
  distances, indices = neighbors.nearest(queries, [database], 16)
  assert set(distances[0]) == {1 / 8} and list(indices[0]) == list(range(16))


def test_pixels_are_compared_exactly():
  database = DRAW.integers(0, 256, (60, 300), np.uint8)
  queries = np.concatenate([database[[7, 30]], 255 - database[:3]])
  assert_finds(queries, database, [database[:30], database[30:]], 8)
  distances, indices = neighbors.nearest(
      queries, [database[:30], database[30:]], 8)
  assert list(indices[:2, 0]) == [7, 30] and list(distances[:2, 0]) == [0, 0]


@pytest.mark.parametrize('k', [0, 6])
def test_more_than_there_are_is_refused_in_one_sentence(k):
  vectors = np.zeros((5, 3), np.float32)
  with pytest.raises(InputError, match=f'{k} nearest of 5 .* ask for 1 to 5'):
    neighbors.nearest(vectors, [vectors], k)


def test_compute_features_another_length_are_refused_in_one_sentence():
  with pytest.raises(InputError, match='queries of 3 numbers .* of 4'):
    neighbors.nearest(np.zeros((1, 3)), [np.zeros((2, 4))], 1)
