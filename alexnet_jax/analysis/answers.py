"""The answers of a network to all images of a source.

`measure` walks over the images once and keeps some numbers for each of them,
32 bytes, whatever the number of classes. `confusion.py` counts these numbers.
Pixels are read again for the few images that are shown.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError, printable
from alexnet_jax.learning import augment, metrics, step
from alexnet_jax.run.trained import Trained
from alexnet_jax.run.walk import walk

SHOWN = 24  # images of each kind


class Answers(NamedTuple):
  """The answers of a network to N images, averaged over crops (4.1).

  Where the scores of several classes tie, an error is a fraction, as in
  `metrics.top_credit`, and the predicted class is the first of them.
  """

  class_names: tuple[str, ...]
  crops: int
  errors: dict[str, float]  # mean 'loss', 'top1_error' and 'top5_error'
  labels: np.ndarray  # [N] the true classes
  predicted: np.ndarray  # [N] the most probable classes
  second: np.ndarray  # [N] the classes that come next
  probability: np.ndarray  # [N] of the predicted class, 0..1
  second_probability: np.ndarray  # [N]
  label_probability: np.ndarray  # [N] of the true class
  top1_error: np.ndarray  # [N] 0..1
  top5_error: np.ndarray  # [N]


# --- Measuring ----------------------------------------------------------------


def measure(trained: Trained, source: Source, crops: int) -> Answers:
  """Asks a network for every image of a source.

  All processes of a run call it, and all receive the same answers.

  Args:
    trained: the network.
    source: labeled images of the network's own size and classes.
    crops: number of crops to average: 10, 9 or 1.

  Raises:
    InputError: outputs of the network are not finite.
  """
  settings, mesh = trained.settings, trained.mesh
  views = augment.test_crops(
      settings.data.image_size, settings.augmentation.crop, crops)

  def answer_batch(params, stats, batch):
    mean = step.mean_over_crops(
        trained.model, views, params, stats, batch['image'])
    return (metrics.averaged_sums(mean, batch['label'], batch['valid']),
            _answers(mean, batch['label']))

  answer_step = jax.jit(answer_batch, out_shardings=NamedSharding(mesh, P()))
  sums, parts = zip(*walk(
      lambda batch: answer_step(trained.params, trained.input_stats, batch),
      source, mesh, batch_size=settings.optimizer.batch_size,
      threads=settings.run.threads,
      title=f'{augment.CROPS[crops]} crops' if crops > 1 else 'one crop'),
                    strict=True)
  every = {name: np.concatenate([part[name] for part in parts])
           for name in parts[0]}
  lost = int((~np.isfinite(every['probability'])).sum())
  if lost:
    raise InputError(
        f'the outputs of {printable(trained.workdir)}, step {trained.step}, are'
        f' not finite for {lost} of {len(source)} images: give another'
        ' --checkpoint.')
  return Answers(trained.class_names, crops, metrics.means(sums), **every)


def _answers(probabilities: jax.Array, labels: jax.Array) -> dict[str, Any]:
  """Returns the answers to a batch: [B, classes], [B] -> [B] each."""
  best, classes = jax.lax.top_k(
      probabilities, min(2, probabilities.shape[1]))
  of_label = jnp.take_along_axis(probabilities, labels[:, None], axis=1)
  return {
      'labels': labels, 'predicted': classes[:, 0], 'second': classes[:, -1],
      'probability': best[:, 0], 'second_probability': best[:, -1],
      'label_probability': of_label[:, 0],
      'top1_error': 1 - metrics.top_credit(probabilities, labels, 1),
      'top5_error': 1 - metrics.top_credit(probabilities, labels, 5)}


# --- Images to look at --------------------------------------------------------


class Example(NamedTuple):
  """An image and its answer."""

  index: int  # in the source
  where: str  # its name there
  picture: np.ndarray  # uint8 [S, S, 3]
  true: int  # class
  predicted: int
  second: int
  probability: float  # of the predicted class
  second_probability: float
  label_probability: float


def worst(answers: Answers, source: Source,
          most: int = SHOWN) -> list[Example]:
  """Returns the wrong answers that the network is most certain of."""
  wrong = np.flatnonzero(answers.predicted != answers.labels)
  order = np.argsort(-answers.probability[wrong], kind='stable')
  return examples(answers, source, wrong[order[:most]])


def uncertain(answers: Answers, source: Source,
              most: int = SHOWN) -> list[Example]:
  """Returns the images whose most probable class is least probable."""
  order = np.argsort(answers.probability, kind='stable')
  return examples(answers, source, order[:most])


def examples(answers: Answers, source: Source,
             indices: np.ndarray) -> list[Example]:
  """Returns the images at some places in the source [n], with their answers."""
  return [
      Example(
          i, source.where(i), source[i]['image'], int(answers.labels[i]),
          int(answers.predicted[i]), int(answers.second[i]),
          float(answers.probability[i]), float(answers.second_probability[i]),
          float(answers.label_probability[i]))
      for i in indices.tolist()]
