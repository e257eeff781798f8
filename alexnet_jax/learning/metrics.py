"""Errors and loss as sums, so that means are exact; precision of retrieval."""

import jax
import jax.numpy as jnp
import numpy as np

Sums = dict[str, tuple[jax.Array, jax.Array]]  # name -> (sum, count)


def classification_sums(
    log_probabilities: jax.Array, labels: jax.Array, valid: jax.Array
) -> Sums:
  """What every table of the paper reports: [B, classes], [B], [B] -> sums.

  Args:
    log_probabilities: natural logarithms.
    labels: class numbers.
    valid: False for the padding of a last batch, which counts nothing.
  """
  own = jnp.take_along_axis(log_probabilities, labels[:, None], axis=-1)
  counts = valid.astype(jnp.float32)
  values = {
      'loss': -own[:, 0],
      'top1_error': 1 - top_credit(log_probabilities, labels, 1),
      'top5_error': 1 - top_credit(log_probabilities, labels, 5),
  }
  return {name: (jnp.where(valid, value, 0).sum(), counts.sum())
          for name, value in values.items()}


def averaged_sums(
    probabilities: jax.Array, labels: jax.Array, valid: jax.Array
) -> Sums:
  """The same of averaged softmax outputs, which may be nought."""
  smallest = jnp.finfo(probabilities.dtype).tiny
  return classification_sums(
      jnp.log(jnp.maximum(probabilities, smallest)), labels, valid)


def top_credit(scores: jax.Array, labels: jax.Array, k: int) -> jax.Array:
  """1 if the label is among the k best, a fair share of it where classes tie.

  The 2012 program's rule: with m classes above the label and q level with it
  (itself included), k - m places are shared by q. [B, classes], [B] -> [B].
  """
  own = jnp.take_along_axis(scores, labels[:, None], axis=-1)
  # Written so that every class stands above a label whose score is no number.
  above = (~(scores <= own)).sum(-1).astype(jnp.float32)
  level = (scores == own).sum(-1).astype(jnp.float32)
  return jnp.where(level > 0, jnp.clip((k - above) / level, 0, 1), 0)


def add(a: Sums | None, b: Sums) -> Sums:
  """The sums of two batches together, in float64 on the host."""
  b = jax.tree.map(np.float64, jax.device_get(b))
  return b if a is None else jax.tree.map(np.add, a, b)


def means(sums: Sums) -> dict[str, float]:
  """Sums and counts to means."""
  return {name: float(total / count) for name, (total, count) in sums.items()}


def precision_at(query_labels: np.ndarray,
                 neighbour_labels: np.ndarray) -> np.ndarray:
  """How much of what is found is of the query's class: [Q], [Q, k] -> [k].

  The first number is the share among the nearest neighbours, the last among all
  k of each query, averaged over the queries (precision@1 to precision@k).
  """
  same = neighbour_labels == query_labels[:, None]
  found = np.arange(1, same.shape[1] + 1)
  return (same.cumsum(1) / found).mean(0)
