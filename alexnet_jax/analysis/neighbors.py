"""Exact nearest-neighbor search by Euclidean distance, as in section 6.1.

The vectors of the database are read in blocks, so that neither the vectors nor
all distances need to fit into memory: after each block only the nearest so far
are stored for every query.
"""

from collections.abc import Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from alexnet_jax.errors import InputError

QUERIES = 1024  # per batch on the device
ROWS = 4096  # database vectors per block: 64 MiB if D is 4096
# Extra candidates beyond the requested k. The device ranks by rounded squares,
# whose error is at most a millionth of |q|^2, and could miss a vector only if
# more than this many others have the same distance within the error. (In 50,000
# photographs, the 116th nearest is 0.4 % farther than the 100th.)
SPARE = 16
PAIRS = 4_000_000  # numbers per block of exact differences: 32 MB


def nearest(queries: np.ndarray, database: Iterable[np.ndarray],
            k: int) -> tuple[np.ndarray, np.ndarray]:
  """Finds the k nearest vectors of each query: [Q, D] -> [Q, k], [Q, k].

  First the device ranks by |x|^2 - 2 q.x, a matrix product in float32 that
  loses precision if vectors are long and distances short. Two measures correct
  this: the queries' mean is subtracted from all vectors, which makes them
  shorter and preserves distances; and the distances of the k + 16 best are
  recomputed on the host, as sums of squared differences in float64.

  Args:
    queries: one or more vectors of any numeric type.
    database: blocks [n, D] of any length, such as memory-mapped arrays. It is
      iterated over twice, so it must not be an iterator.
    k: number of vectors to find.

  Returns:
    (distances, indices): float64 and int64, nearest first; ties are in order of
    the index. Indices count through all blocks.

  Raises:
    InputError: k is not between 1 and the number of vectors, or the lengths of
      queries and vectors differ.
  """
  queries = np.asarray(queries)
  candidates, count = _candidates(queries, database, k + SPARE)
  if not 0 < k <= count:
    raise InputError(f'{k} nearest of {count} vectors cannot be found: ask for'
                     f' 1 to {count}.')
  squares = _squared_distances(queries, database, candidates)
  order = np.lexsort((candidates, squares))[:, :k]
  return (np.sqrt(np.take_along_axis(squares, order, 1)),
          np.take_along_axis(candidates, order, 1))


def _candidates(queries, database, count):
  """Returns (indices of the nearest up to rounding [Q, count], total size)."""
  center = queries.mean(0, dtype=np.float64).astype(np.float32)
  parts = [jnp.asarray(part.astype(np.float32) - center)
          for part in _cut(queries, QUERIES)]
  best = [(jnp.full((len(part), count), jnp.inf, jnp.float32),
           jnp.full((len(part), count), -1, jnp.int32)) for part in parts]
  center, size = jnp.asarray(center), 0
  for first, block in _numbered(database):
    _must_fit(queries, block)
    block = jnp.asarray(block)
    best = [_nearer(*known, part, block, center, first)
            for known, part in zip(best, parts, strict=True)]
    size = first + len(block)
  return np.concatenate([
      np.asarray(indices, np.int64) for _, indices in best]), size


@jax.jit
def _nearer(distances, indices, queries, block, center, first):
  """Merges the nearest so far, [q, m] and [q, m], with a block [n, D]."""
  x = block.astype(jnp.float32) - center[None]
  products = jnp.matmul(queries, x.T, precision=lax.Precision.HIGHEST)
  apart = jnp.square(x).sum(1)[None] - 2 * products
  numbers = jnp.broadcast_to(first + jnp.arange(len(x)), apart.shape)
  # Earlier results come first: top_k resolves ties in favor of the first.
  nearness, places = lax.top_k(
      -jnp.concatenate([distances, apart], 1), distances.shape[1])
  return -nearness, jnp.take_along_axis(
      jnp.concatenate([indices, numbers], 1), places, 1)


def _squared_distances(queries, database, candidates):
  """Exact squared distances in float64 [Q, m]; infinite for candidate -1."""
  squares = np.full(candidates.shape, np.inf)
  rows = max(1, PAIRS // max(1, queries.shape[1]))
  for first, block in _numbered(database):
    pairs = np.argwhere(
        (first <= candidates) & (candidates < first + len(block)))
    for part in _cut(pairs, rows):
      query, place = part.T
      apart = block[candidates[query, place] - first].astype(np.float64)
      apart -= queries[query]
      squares[query, place] = np.einsum('pd,pd->p', apart, apart)
  return squares


def _numbered(database) -> Iterator[tuple[int, np.ndarray]]:
  """Yields (index of the first vector, at most ROWS vectors) for all blocks."""
  first = 0
  for block in database:
    for part in _cut(block, ROWS):
      yield first, part
      first += len(part)


def _cut(rows, size):
  return [rows[at:at + size] for at in range(0, len(rows), size)]


def _must_fit(queries, block):
  if queries.shape[1:] != block.shape[1:]:
    raise InputError(
        f'queries of {queries.shape[-1]} numbers have no distance to vectors of'
        f' {block.shape[-1]}: give vectors of one network.')
