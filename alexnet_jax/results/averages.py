"""Averaged predictions of several networks (section 6), and their weights.

In the 2012 program avg-test.py takes the weights from the command line, and
avg-valid.py searches them on the validation images whose error it then prints.
`halves` splits the images, so that a search can be judged on unseen ones.
"""

import functools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from alexnet_jax.learning import metrics

# The search of avg-valid.py: the first weights, those tried, and how often.
FIRST, GRID, SWEEPS = 0.5, np.arange(21) / 20, 5


def average(probabilities: Sequence[np.ndarray],
            weights: Sequence[float]) -> np.ndarray:
  """The weighted mean of M networks' softmax outputs: M x [N, C] -> [N, C].

  Args:
    probabilities: of each network.
    weights: of each network, in any scale.
  """
  shares = (np.asarray(weights) / np.sum(weights)).astype(np.float32)
  return functools.reduce(
      np.add, (share * outputs for share, outputs in zip(
          shares, probabilities, strict=True)))


def errors(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
  """Mean loss, top-1 and top-5 error: [N, C], [N] -> three numbers."""
  def sums(start):
    scores, batch_labels = (jnp.asarray(array[start : start + 1024])
                            for array in (probabilities, labels))
    return metrics.averaged_sums(
        scores, batch_labels, jnp.ones(len(batch_labels), bool))

  return metrics.means(map(sums, range(0, len(labels), 1024)))


def search(probabilities: Sequence[np.ndarray],
           labels: np.ndarray) -> np.ndarray:
  """Weights with few top-5 errors, searched as in avg-valid.py: [M].

  All start at 0.5. In turn each weight takes the best of 0, 0.05, ..., 1 while
  the others stay, in up to five rounds; it changes only if that is better. On
  the images searched the result cannot be worse than equal weights.

  Args:
    probabilities: M x [N, C].
    labels: [N].
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
      # The present weight comes first: the others have to be better.
      for weight in (weights[m], *GRID):
        if not weight and not others.any():
          continue  # all weights would be zero
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
  """Every second image of each class, and the others: [N] -> two masks [N].

  Every second image of all would not do: labels may alternate, as those of the
  procedural data do.
  """
  first = np.zeros(len(labels), bool)
  first[np.argsort(labels, kind='stable')[::2]] = True
  return first, ~first
