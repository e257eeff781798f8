"""Precision, size and speed of binary codes, compared with exact search."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from alexnet_jax import tables
from alexnet_jax.analysis import hamming, neighbors
from alexnet_jax.bench import turns
from alexnet_jax.learning import metrics

RANKS = (1, 10, 100)  # precision is computed among this many nearest
TIMED_QUERIES = 256
TIMED_NEIGHBORS = 10
ROUNDS = 5
TURN_SECONDS = 0.2  # a faster search is repeated for this long

EXACT, LEARNED, RANDOM = 'exact', 'auto-encoder', 'hyperplanes'
FLOAT32 = 4  # bytes


class Search(NamedTuple):
  """One method of nearest-neighbor search."""

  method: str  # EXACT, LEARNED or RANDOM
  bits: int  # stored per image
  find: Callable[[int, int], np.ndarray]  # (q, k) -> [q, k] indices of the k
  # nearest images for each of the first q queries
  loss: float | None = None  # of an auto-encoder, on validation features


def exact(queries: np.ndarray, vectors: Sequence[np.ndarray]) -> Search:
  """Search by Euclidean distance: queries [Q, D], vectors [n, D] each."""

  def find(count, k):
    return neighbors.nearest(queries[:count], vectors, k)[1]

  return Search(EXACT, 8 * FLOAT32 * queries.shape[1], find)


def by_codes(method: str, queries: np.ndarray, codes: np.ndarray,
             loss: float | None = None) -> Search:
  """Search by Hamming distance.

  Args:
    method: LEARNED or RANDOM.
    queries: packed codes of the queries [Q, w].
    codes: packed codes of the database [N, w].
    loss: validation loss of the auto-encoder, if any.
  """

  def find(count, k):
    return hamming.nearest(queries[:count], codes, k)[1]

  return Search(method, hamming.WORD * codes.shape[1], find, loss)


def compare(searches: Sequence[Search], query_labels: np.ndarray,
            labels: np.ndarray) -> dict[str, Any]:
  """Returns the rows of the table and the precision of chance.

  Speeds are of the search only, from vectors or codes in host memory to indices
  in host memory, for a batch of 256 queries. The searches are timed in turn,
  and each number is a median over rounds; ratios are computed per round.

  Args:
    searches: the methods to compare, the exact search first.
    query_labels: labels of the queries [Q].
    labels: labels of the images that are searched [N].
  """
  ranks = [rank for rank in RANKS if rank <= len(labels)]
  rows = []
  for search in tqdm(searches, desc='search', leave=False, disable=None,
                     unit=' methods', dynamic_ncols=True):
    places = search.find(len(query_labels), ranks[-1])
    precision = metrics.precision_at(query_labels, labels[places])
    rows.append({
        'method': search.method, 'bits': search.bits, 'bytes': search.bits // 8,
        'precision': {str(rank): float(precision[rank - 1]) for rank in ranks},
        'loss': search.loss})
  count = min(TIMED_QUERIES, len(query_labels))
  k = min(TIMED_NEIGHBORS, len(labels))
  timed = _take_turns(searches, count, k)
  for row, search_row in zip(rows, timed, strict=True):
    took = turns.spread(search_row.seconds)
    ratio = turns.ratio(search_row, timed[0])
    row['queries_per_second'] = {
        'median': count / took.median, 'least': count / took.most,
        'most': count / took.least}
    row['times_exact'] = ratio._asdict()
  counts = np.bincount(labels, minlength=query_labels.max() + 1)
  return {'images': len(labels), 'queries': len(query_labels),
          'timed_queries': count, 'timed_neighbors': k,
          'chance': float(counts[query_labels].mean() / len(labels)),
          'rows': rows}


def _take_turns(searches, count, k):
  timed = {}
  for number, search in enumerate(searches):
    row = turns.Row(lambda find=search.find: find(count, k), TURN_SECONDS)
    row.warm_up()
    timed[str(number)] = row
  turns.take_turns(timed, ROUNDS, 'speed')
  return list(timed.values())


def as_text(numbers: Mapping[str, Any]) -> str:
  """Formats the table as text."""
  ranks = list(numbers['rows'][0]['precision'])
  rows = [('method', 'bits', 'bytes', *(f'precision@{rank}' for rank in ranks),
           'queries/s', '(slowest, fastest)', 'times exact')]
  for row in numbers['rows']:
    speed = row['queries_per_second']
    rows.append((
        row['method'], str(row['bits']), str(row['bytes']),
        *(f'{row["precision"][rank]:.2%}' for rank in ranks),
        f'{speed["median"]:,.0f}',
        f'({speed["least"]:,.0f}, {speed["most"]:,.0f})',
        f'{row["times_exact"]["median"]:.1f}'))
  return '\n'.join([
      f'{numbers["queries"]:,} validation images, searched for among'
      f' {numbers["images"]:,} training images; chance is'
      f' {numbers["chance"]:.2%}.',
      *tables.aligned(rows)])
