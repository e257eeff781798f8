"""Averaged predictions of several networks (section 6), and their weights.

The 2012 program's avg-test.py takes the weights by hand; its avg-valid.py
searches them on the validation images, the same whose error it then prints.
`halves` is for a search that is judged on images it has not seen.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from alexnet_jax.learning import metrics

# The search of avg-valid.py.
FIRST, GRID, SWEEPS = 0.5, np.arange(21) / 20, 5


def average(probabilities: Sequence[np.ndarray],
            weights: Sequence[float]) -> np.ndarray:
  """The weighted mean of M networks' softmax outputs: M x [N, C] -> [N, C].

  Args:
    probabilities: of each network.
    weights: of each network, in any scale.
  """
  shares = np.float32(np.asarray(weights) / np.sum(weights))
  return functools.reduce(
      np.add, (share * own
               for share, own in zip(shares, probabilities, strict=True)))


def errors(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
  """Mean loss, top-1 and top-5 error: [N, C], [N] -> three numbers."""
  sums = None
  for start in range(0, len(labels), 1024):
    scores, own = (jnp.asarray(of_all[start : start + 1024])
                   for of_all in (probabilities, labels))
    sums = metrics.add(sums, metrics.averaged_sums(
        scores, own, jnp.ones(len(own), bool)))
  return metrics.means(sums)


def search(probabilities: Sequence[np.ndarray],
           labels: np.ndarray) -> np.ndarray:
  """The weights with few top-5 errors, found as avg-valid.py finds them: [M].

  One weight after another takes the best of 0, 0.05, ..., 1 while the others
  stay, up to five times round, from 0.5 each; a weight stays as it is where
  none is better. On the images searched it cannot be worse than equal weights.

  Args:
    probabilities: M x [N, C].
    labels: [N].
  """
  weights = np.full(len(probabilities), FIRST)
  labels = jnp.asarray(labels)
  least = math.inf
  for _ in range(SWEEPS):
    before = weights.copy()
    for m, own in enumerate(probabilities):
      others = np.where(np.arange(len(weights)) == m, 0, weights)
      rest = sum(np.float32(weight) * other
                 for weight, other in zip(others, probabilities, strict=True))
      rest, own = jnp.asarray(rest), jnp.asarray(own)
      # First what the weight is now: all else has to be better.
      for weight in (weights[m], *GRID):
        if not weight and not others.any():
          continue  # no network at all
        wrong = float(_top5_errors(rest, own, np.float32(weight), labels))
        if wrong < least:
          least, weights[m] = wrong, weight
    if np.array_equal(weights, before):
      break
  return weights


@jax.jit
def _top5_errors(rest, own, weight, labels):
  return len(labels) - metrics.top_credit(rest + weight * own, labels, 5).sum()


def halves(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Every second image of each class, and the others: [N] -> two masks [N].

  Of each class, since labels may alternate as the procedural data's do.
  """
  first = np.zeros(len(labels), bool)
  first[np.argsort(labels, kind='stable')[::2]] = True
  return first, ~first
