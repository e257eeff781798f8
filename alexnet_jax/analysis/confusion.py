"""What a network mixes up: its answers, counted by class and by probability."""

from typing import NamedTuple

import numpy as np

from alexnet_jax.analysis.answers import Answers

BLOCK = 20  # classes in the picture of the matrix
# The number of bins and the error of Guo et al., "On Calibration of Modern
# Neural Networks" (2017).
BINS = 15
NORMAL_95 = 1.959964  # 95 % of a normal distribution are this near, in sigmas


class PerClass(NamedTuple):
  """Counts for each of C classes."""

  images: np.ndarray  # [C] of this class
  predicted: np.ndarray  # [C] images of any class that were given this one
  top1_errors: np.ndarray  # [C] wrong ones among those of this class
  top5_errors: np.ndarray  # [C]


def per_class(answers: Answers) -> PerClass:
  """Counts the images and errors of each class."""
  count = len(answers.class_names)
  return PerClass(
      np.bincount(answers.labels, minlength=count),
      np.bincount(answers.predicted, minlength=count),
      *(np.bincount(answers.labels, errors.astype(np.float64), count)
        for errors in (answers.top1_error, answers.top5_error)))


def wilson(successes: np.ndarray,
           count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
  """Returns the ends of Wilson's 95 % interval of a share.

  Wilson, "Probable inference, the law of succession, and statistical
  inference" (1927). Of nothing it is 0 to 1.

  Args:
    successes: [...] the number that have a property.
    count: [...] the number that were looked at.
  """
  square = NORMAL_95**2
  center = (successes + square / 2) / (count + square)
  half = NORMAL_95 / (count + square) * np.sqrt(
      successes * (count - successes) / np.maximum(count, 1) + square / 4)
  return np.maximum(center - half, 0), np.minimum(center + half, 1)


def pairs(answers: Answers) -> np.ndarray:
  """Counts every answer that occurs: rows (true, predicted, images).

  Returns:
    [P, 3], in the order of the true and the predicted classes.
  """
  count = len(answers.class_names)
  numbers, images = np.unique(
      answers.labels.astype(np.int64) * count + answers.predicted,
      return_counts=True)
  return np.stack([numbers // count, numbers % count, images], 1)


def confused_pairs(answers: Answers) -> np.ndarray:
  """Returns the rows of `pairs` that are errors, the most frequent first."""
  counted = pairs(answers)
  wrong = counted[counted[:, 0] != counted[:, 1]]
  return wrong[np.argsort(-wrong[:, 2], kind='stable')]


class Block(NamedTuple):
  """A part of the matrix of confusions."""

  classes: np.ndarray  # [n] in the order of rows and columns
  counts: np.ndarray  # [n, n + 1] images; in the last column all other answers


def most_confused(answers: Answers, most: int = BLOCK) -> Block:
  """Returns the whole matrix, or the part that has the most errors.

  The classes of the whole matrix keep their order. Those of a part are the
  classes of the most frequent confusions, each beside one that it is confused
  with.

  Args:
    answers: the answers.
    most: number of classes.
  """
  count = len(answers.class_names)
  counted = pairs(answers)
  if count <= most:
    classes = np.arange(count)
  else:
    classes = _side_by_side(_often_confused(answers, most), counted)
  place = np.full(count, len(classes))
  place[classes] = np.arange(len(classes))
  counts = np.zeros((len(classes), len(classes) + 1), np.int64)
  ours = counted[place[counted[:, 0]] < len(classes)]
  np.add.at(counts, (place[ours[:, 0]], place[ours[:, 1]]), ours[:, 2])
  return Block(classes, counts)


def _often_confused(answers, most):
  """Returns the classes of the most frequent confusions, then any others."""
  count = len(answers.class_names)
  wrong = confused_pairs(answers)
  low, high = wrong[:, :2].min(1), wrong[:, :2].max(1)
  both, index = np.unique(low * count + high, return_inverse=True)
  images = np.bincount(index, wrong[:, 2], len(both))
  chosen = {}  # in the order in which they were chosen
  for pair in both[np.argsort(-images, kind='stable')].tolist():
    if len(chosen) == most:
      break
    added = dict.fromkeys((*chosen, *divmod(pair, count)))
    chosen = added if len(added) <= most else chosen
  return list(dict.fromkeys(
      (*chosen, *np.unique(answers.labels).tolist())))[:most]


def _side_by_side(classes, counted):
  """Orders classes so that each follows one that it is confused with."""
  confusions = {}
  for true, predicted, images in counted.tolist():
    for pair in ((true, predicted), (predicted, true)):
      confusions[pair] = confusions.get(pair, 0) + images
  ordered, rest = classes[:1], classes[1:]
  while rest:
    following = max(rest, key=lambda one: (
        confusions.get((ordered[-1], one), 0),
        sum(confusions.get((before, one), 0) for before in ordered)))
    ordered.append(following)
    rest.remove(following)
  return np.array(ordered)


class Calibration(NamedTuple):
  """How often answers of a probability are right, in bins of equal width."""

  edges: np.ndarray  # [bins + 1] from 0 to 1
  images: np.ndarray  # [bins]
  probability: np.ndarray  # [bins] mean of the images; NaN if there are none
  right: np.ndarray  # [bins] images whose answer is right
  error: float  # the expected calibration error, 0..1


def calibration(answers: Answers, bins: int = BINS) -> Calibration:
  """Compares the probabilities of the predicted classes with what is right."""
  at = np.minimum((answers.probability * bins).astype(int), bins - 1)
  images, probabilities, right = (
      np.bincount(at, values, bins) for values in (
          None, answers.probability.astype(np.float64),
          1 - answers.top1_error.astype(np.float64)))
  return Calibration(
      np.linspace(0, 1, bins + 1), images,
      np.where(images, probabilities / np.maximum(images, 1), np.nan), right,
      float(np.abs(probabilities - right).sum() / images.sum()))
