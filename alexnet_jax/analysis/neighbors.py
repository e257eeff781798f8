"""Nearest vectors by Euclidean distance, exact: how section 6.1 looks inside.

The vectors of a database come in blocks, so that neither they nor all their
distances need to fit into memory: after each block only the nearest so far are
kept for every query.
"""

from collections.abc import Iterable, Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from alexnet_jax.errors import InputError

QUERIES = 1024  # on the device at a time
ROWS = 4096  # of the database likewise: 64 MiB of 4096 numbers each
# Candidates beyond the k that are asked for. The device ranks by rounded
# squares, off by a millionth of |q|^2 or less, and could only miss a vector
# that more than so many others come as near to. (The 116th nearest photograph
# of 50,000 was 0.4 % further than the 100th.)
SPARE = 16
PAIRS = 4_000_000  # numbers that the second look holds at a time: 32 MB


def nearest(queries: np.ndarray, database: Iterable[np.ndarray],
            k: int) -> tuple[np.ndarray, np.ndarray]:
  """The k nearest vectors of each query: [Q, D] -> [Q, k], [Q, k].

  First the device ranks by |x|^2 - 2 q.x, a matrix product in float32 that
  loses digits where vectors are long and distances short. Two remedies: all is
  seen from the queries' mean, which makes vectors shorter and leaves distances
  as they are; and the k + 16 best get their distances anew on the host, as sums
  of squared differences in float64.

  Args:
    queries: any numbers, one query or more.
    database: blocks [n, D] of any length, such as memory-mapped arrays. It is
      gone through twice, so it must not be a mere iterator.
    k: how many to find.

  Returns:
    (distances, indices): float64 and int64, nearest first; of equally near ones
    the lower index. Indices count through all blocks.

  Raises:
    InputError: fewer than k vectors, or vectors of another length.
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
  """([Q, count] indices of the nearest but for rounding, size of all)."""
  center = queries.mean(0, dtype=np.float64).astype(np.float32)
  seen = [jnp.asarray(part.astype(np.float32) - center)
          for part in _cut(queries, QUERIES)]
  best = [(jnp.full((len(part), count), jnp.inf, jnp.float32),
           jnp.full((len(part), count), -1, jnp.int32)) for part in seen]
  center, size = jnp.asarray(center), 0
  for first, block in _numbered(database):
    _must_fit(queries, block)
    block = jnp.asarray(block)
    best = [_nearer(*known, part, block, center, first)
            for known, part in zip(best, seen, strict=True)]
    size = first + len(block)
  return np.concatenate([
      np.asarray(found, np.int64) for _, found in best]), size


@jax.jit
def _nearer(distances, indices, queries, block, center, first):
  """The nearest so far, [q, m] and [q, m], and a block's [n, D] together."""
  x = block.astype(jnp.float32) - center[None]
  products = jnp.matmul(queries, x.T, precision=lax.Precision.HIGHEST)
  there = jnp.square(x).sum(1)[None] - 2 * products
  numbers = jnp.broadcast_to(first + jnp.arange(len(x)), there.shape)
  # What was known comes first: top_k takes the first of equals.
  nearness, places = lax.top_k(
      -jnp.concatenate([distances, there], 1), distances.shape[1])
  return -nearness, jnp.take_along_axis(
      jnp.concatenate([indices, numbers], 1), places, 1)


def _squared_distances(queries, database, candidates):
  """Direct differences in float64: [Q, m]; a candidate -1 is infinitely far."""
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
  """(index of its first vector, at most ROWS vectors) through all blocks."""
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
