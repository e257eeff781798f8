"""The images that a search has found, as text and for JSON."""

from typing import Any, NamedTuple

import numpy as np

from alexnet_jax.analysis.class_words import shortened
from alexnet_jax.analysis.retrieval import Database, Queries
from alexnet_jax.errors import printable

LABEL = 24  # Characters of a class name.


class Retrieved(NamedTuple):
  """The training images nearest to each query, nearest first."""

  distances: np.ndarray  # [Q, k]
  indices: np.ndarray  # [Q, k]


def as_text(query_set: Queries, retrieved: Retrieved,
            database: Database) -> str:
  """Lists each query and its neighbors, with a star where the classes match.

  Args:
    query_set: the queries.
    retrieved: the nearest training images.
    database: the training images.
  """
  lines = []
  for query, (distances, indices) in enumerate(zip(*retrieved, strict=True)):
    label = query_set.labels[query]
    result = f': {database.names[label]}' if label >= 0 else ''
    lines.append(printable(f'{query_set.where(query)}{result}'))
    for place, (distance, i) in enumerate(
        zip(distances, indices, strict=True), 1):
      other = database.features.labels[i]
      star = '*' if other == label else ' '
      name = shortened(database.names[other], LABEL)
      lines.append(f'{place:>4} {distance:>10.4g} {star}{name:<{LABEL}}'
                   f' {printable(database.source.where(int(i)))}')
  return '\n'.join(lines)


def record(query_set: Queries, database: Database,
           searches: dict[str, Retrieved]) -> dict[str, Any]:
  """Returns the neighbors for JSON; a label that is not known is null.

  Args:
    query_set: the queries.
    database: the training images.
    searches: the results of each search, by the name of the search.
  """
  features, names, source = database.features, database.names, database.source

  def found_by(search, query):
    return [{'image': source.where(int(i)), 'label': names[features.labels[i]],
             'distance': float(distance)}
            for distance, i in zip(search.distances[query],
                                   search.indices[query], strict=True)]

  return {'queries': [
      {'image': query_set.where(query),
       'label': names[label] if label >= 0 else None,
       **{name: found_by(search, query) for name, search in searches.items()}}
      for query, label in enumerate(query_set.labels)]}
