"""Averaged predictions of several networks (section 6), and their weights.

In the 2012 program, avg-test.py takes the weights from the command line, and
avg-valid.py searches for them on the same validation images whose error it then
prints. `halves` splits the images, so that a search can be evaluated on images
that it has not seen.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from alexnet_jax.learning import metrics

# The search of avg-valid.py: initial weights, candidates, number of sweeps.
FIRST, GRID, SWEEPS = 0.5, np.arange(21) / 20, 5


def average(probabilities: Sequence[np.ndarray],
            weights: Sequence[float]) -> np.ndarray:
  """Returns the weighted mean of M softmax outputs: M x [N, C] -> [N, C].

  Args:
    probabilities: the softmax outputs of each network.
    weights: the weight of each network, on any scale.
  """
  shares = (np.asarray(weights) / np.sum(weights)).astype(np.float32)
  return functools.reduce(
      np.add, (share * outputs for share, outputs in zip(
          shares, probabilities, strict=True)))


def errors(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
  """Returns mean loss, top-1 and top-5 error: [N, C], [N] -> three numbers."""
  def sums(start):
    scores, batch_labels = (jnp.asarray(array[start : start + 1024])
                            for array in (probabilities, labels))
    return metrics.averaged_sums(
        scores, batch_labels, jnp.ones(len(batch_labels), bool))

  return metrics.means(map(sums, range(0, len(labels), 1024)))


def search(probabilities: Sequence[np.ndarray],
           labels: np.ndarray) -> np.ndarray:
  """Searches for weights with few top-5 errors, as in avg-valid.py: [M].

  All weights start at 0.5. In up to five sweeps, each weight in turn is set to
  the best of 0, 0.05, ..., 1 while the others are fixed; it changes only if the
  error decreases. On the images of the search, the result cannot be worse than
  equal weights.

  Args:
    probabilities: the softmax outputs of each network, M x [N, C].
    labels: the class numbers, [N].
  """
  weights = np.full(len(probabilities), FIRST)
  device_labels = jnp.asarray(labels)
  fewest = math.inf
  for _ in range(SWEEPS):
    before = weights.copy()
    for m, outputs in enumerate(probabilities):
      others = np.where(np.arange(len(weights)) == m, 0, weights)
      rest = jnp.asarray(sum(
          np.float32(weight) * other
          for weight, other in zip(others, probabilities, strict=True)))
      outputs = jnp.asarray(outputs)
      # The current weight comes first: the others have to be better.
      for weight in (weights[m], *GRID):
        if not weight and not others.any():
          continue  # All weights would be zero.
        wrong = float(_top5_errors(
            rest, outputs, np.float32(weight), device_labels))
        if wrong < fewest:
          fewest, weights[m] = wrong, weight
    if np.array_equal(weights, before):
      break
  return weights


@jax.jit
def _top5_errors(rest, outputs, weight, labels):
  credit = metrics.top_credit(rest + weight * outputs, labels, 5)
  return len(labels) - credit.sum()


def halves(labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Selects every second image of each class, and the rest: [N] -> two masks.

  The split is by class because labels may alternate from image to image, as in
  the procedural data.
  """
  first = np.zeros(len(labels), bool)
  first[np.argsort(labels, kind='stable')[::2]] = True
  return first, ~first
