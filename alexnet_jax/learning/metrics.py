"""Errors and loss as sums, for exact means, and precision of retrieval."""

import functools
from collections.abc import Iterable

import jax
import jax.numpy as jnp
import numpy as np

Sums = dict[str, tuple[jax.Array, jax.Array]]  # name -> (sum, count)


def classification_sums(
    log_probabilities: jax.Array, labels: jax.Array, valid: jax.Array
) -> Sums:
  """Sums the loss and the top-1 and top-5 errors of the paper's tables.

  Args:
    log_probabilities: [B, classes] natural logarithms.
    labels: [B] class numbers.
    valid: [B] False for the padding of the last batch, which is not counted.
  """
  counts = valid.astype(jnp.float32)
  return {name: (jnp.where(valid, value, 0).sum(), counts.sum())
          for name, value in _per_image(log_probabilities, labels).items()}


def _per_image(log_probabilities, labels):
  label_scores = jnp.take_along_axis(
      log_probabilities, labels[:, None], axis=-1)
  return {
      'loss': -label_scores[:, 0],
      'top1_error': 1 - top_credit(log_probabilities, labels, 1),
      'top5_error': 1 - top_credit(log_probabilities, labels, 5),
  }


def averaged_sums(
    probabilities: jax.Array, labels: jax.Array, valid: jax.Array
) -> Sums:
  """Like `classification_sums`, for averaged probabilities that may be zero.

  Args:
    probabilities: [B, classes].
    labels: [B] class numbers.
    valid: [B] False for padding.
  """
  return classification_sums(_logarithms(probabilities), labels, valid)


@jax.jit
def errors_per_image(
    probabilities: jax.Array, labels: jax.Array) -> dict[str, jax.Array]:
  """Returns what `averaged_sums` sums: loss and errors of each image, [B].

  Args:
    probabilities: [B, classes].
    labels: [B] class numbers.
  """
  return _per_image(_logarithms(probabilities), labels)


def _logarithms(probabilities):
  smallest = jnp.finfo(probabilities.dtype).tiny
  return jnp.log(jnp.maximum(probabilities, smallest))


def top_credit(scores: jax.Array, labels: jax.Array, k: int) -> jax.Array:
  """Returns 1 if the label is among the top k, or a fraction if scores tie.

  This is the rule of the 2012 program: if m classes score higher than the label
  and q classes tie with it (itself included), these q share k - m places.

  Args:
    scores: [B, classes].
    labels: [B] class numbers.
    k: 1 or 5.

  Returns:
    [B], 0..1.
  """
  label_scores = jnp.take_along_axis(scores, labels[:, None], axis=-1)
  # The negation makes every class rank above a label whose score is NaN.
  above = (~(scores <= label_scores)).sum(-1).astype(jnp.float32)
  level = (scores == label_scores).sum(-1).astype(jnp.float32)
  return jnp.where(level > 0, jnp.clip((k - above) / level, 0, 1), 0)


def means(batches: Iterable[Sums]) -> dict[str, float]:
  """Means over one or more batches, summed in float64 on the host."""
  totals = functools.reduce(
      lambda a, b: jax.tree.map(np.add, a, b),
      (jax.tree.map(np.float64, jax.device_get(sums)) for sums in batches))
  return {name: float(total / count) for name, (total, count) in totals.items()}


def precision_at(query_labels: np.ndarray,
                 neighbor_labels: np.ndarray) -> np.ndarray:
  """Returns precision@1 to precision@k of a retrieval: [Q], [Q, k] -> [k].

  Precision@i is the share of the i nearest neighbors that have the query's
  class, averaged over the queries.
  """
  same = neighbor_labels == query_labels[:, None]
  ranks = np.arange(1, same.shape[1] + 1)
  return (same.cumsum(1) / ranks).mean(0)
