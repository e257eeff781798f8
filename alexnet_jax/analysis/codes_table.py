"""What codes are worth: precision, bytes and speed beside the exact search."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from alexnet_jax import tables
from alexnet_jax.analysis import hamming, neighbors
from alexnet_jax.bench import turns
from alexnet_jax.learning import metrics

RANKS = (1, 10, 100)  # precision among so many of the nearest
TIMED_QUERIES = 256
TIMED_NEIGHBORS = 10
ROUNDS = 5
TURN_SECONDS = 0.2  # a quicker search is repeated so long

EXACT, LEARNED, RANDOM = 'exact', 'auto-encoder', 'hyperplanes'
FLOAT32 = 4  # bytes


class Search(NamedTuple):
  """One way to find what is near a query."""

  method: str  # EXACT, LEARNED or RANDOM
  bits: int  # of what is kept of an image
  find: Callable[[int, int], np.ndarray]  # (q, k) -> [q, k] places of the k
  # nearest images of the first q queries
  loss: float | None = None  # of an auto-encoder, on validation features


def exact(queries: np.ndarray, vectors: Sequence[np.ndarray]) -> Search:
  """By Euclidean distance: queries [Q, D], vectors [n, D] each."""

  def find(count, k):
    return neighbors.nearest(queries[:count], vectors, k)[1]

  return Search(EXACT, 8 * FLOAT32 * queries.shape[1], find)


def by_codes(method: str, queries: np.ndarray, codes: np.ndarray,
             loss: float | None = None) -> Search:
  """By Hamming distance: packed queries [Q, w] and codes [N, w]."""

  def find(count, k):
    return hamming.nearest(queries[:count], codes, k)[1]

  return Search(method, hamming.WORD * codes.shape[1], find, loss)


def compare(searches: Sequence[Search], query_labels: np.ndarray,
            labels: np.ndarray) -> dict[str, Any]:
  """The rows of the table, and what chance would find.

  Speeds are of the search alone, from vectors or codes in the host's memory to
  places there, for 256 queries together. Searches take turns, and each number
  is a median over rounds; ratios are taken round by round.

  Args:
    searches: the exact one first.
    query_labels: [Q].
    labels: [N] of the images that are searched.
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
  for row, own in zip(rows, timed, strict=True):
    took, ratio = turns.spread(own.seconds), turns.ratio(own, timed[0])
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
  """The table, for a person."""
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
