"""Averaged predictions of several networks (section 6), and their weights.

The gain of an average is the mean error of its networks minus its own error.

In the 2012 program, avg-test.py takes the weights from the command line, and
avg-valid.py searches for them on the same validation images whose error it then
prints. `halves` splits the images, so that a search can be evaluated on images
that it has not seen.
"""

import functools
import itertools
import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from alexnet_jax.learning import metrics
from alexnet_jax.results.runs import Estimate, estimate

PerImage = dict[str, np.ndarray]  # 'top1_error': that of each image, [N]

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


def per_image(probabilities: np.ndarray, labels: np.ndarray) -> PerImage:
  """Returns loss, top-1 and top-5 error of each image: [N, C], [N] -> [N]."""
  batches = [
      metrics.errors_per_image(
          jnp.asarray(probabilities[start : start + 1024]),
          jnp.asarray(labels[start : start + 1024]))
      for start in range(0, len(labels), 1024)]
  return {name: np.concatenate([batch[name] for batch in batches], dtype=float)
          for name in batches[0]}


def mean_errors(each: PerImage) -> dict[str, float]:
  """Returns mean loss, top-1 and top-5 error: three numbers."""
  return {name: float(values.mean()) for name, values in each.items()}


def mean_of(networks: Sequence[PerImage]) -> PerImage:
  """Returns the mean errors of several networks, image by image."""
  return {name: np.mean([one[name] for one in networks], axis=0)
          for name in networks[0]}


def by_size(probabilities: Sequence[np.ndarray],
            labels: np.ndarray) -> list[PerImage]:
  """Returns the errors of averages of 1 to M networks, each size M choose k.

  The errors of a size are means over all choices of so many networks, image by
  image, so that no order of the networks counts.

  Args:
    probabilities: the softmax outputs of each network, M x [N, C].
    labels: the class numbers, [N].
  """
  return [mean_of([per_image(average(chosen, [1.0] * size), labels)
                   for chosen in itertools.combinations(probabilities, size)])
          for size in range(1, len(probabilities) + 1)]


def gains(before: PerImage, after: PerImage) -> dict[str, Estimate]:
  """Returns how much smaller the errors of `after` are, with standard errors.

  Both are tested on the same images, so the difference is taken image by image,
  which cancels what makes an image hard for all networks; its deviation over
  the N images is divided by sqrt(N) (Miller, 2024, arXiv:2411.00640). This is
  the uncertainty from the choice of the test images alone: other seeds give
  other networks.

  Args:
    before: the errors of each image.
    after: those of the same images.

  Returns:
    The estimates of top1_error and top5_error, 0..1.
  """
  return {name: estimate(before[name] - after[name])
          for name in ('top1_error', 'top5_error')}


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
