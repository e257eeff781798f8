"""The predictions of a network for every validation image, in a file.

One file has the predictions of one checkpoint: its softmax outputs averaged
over patches (4.1), the labels, and data that identifies the images and the
checkpoint. 50,000 images of 1000 classes take 200 MB.
"""

import os
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from alexnet_jax import files
from alexnet_jax.data.sources import Source, evenly_spread
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment, step
from alexnet_jax.network.classifier import Model
from alexnet_jax.run.trained import Trained
from alexnet_jax.run.walk import walk

# Other images are detected by the labels and mean colors of this many images,
# at one size for all networks.
GLANCES = 16
GLANCE_SIZE = 32  # Pixels.
# Another machine may decode or resize an image slightly differently.
GRAY_LEVELS = 1.0


class Predictions(NamedTuple):
  """The predictions of one checkpoint for N images in their order."""

  workdir: str  # Of the run.
  step: int
  saved: int  # Time of the checkpoint in ns; it differs after retraining.
  views: int  # Patches averaged: 10, 9 or 1.
  class_names: tuple[str, ...]
  labels: np.ndarray  # [N]
  colors: np.ndarray  # [16, 3], of some of the images; see `sample_images`.
  probabilities: np.ndarray  # [N, classes] float32


# --- Computing predictions ----------------------------------------------------


def make_prediction_step(
    model: Model, views: np.ndarray, mesh: Mesh) -> Callable[..., Any]:
  """Returns f(params, pixels, batch) -> ([B, classes], [B]), both replicated.

  Args:
    model: the network; dropout halves (4.2).
    views: the output of `augment.test_crops`.
    mesh: the mesh of the batch.
  """

  def prediction_step(params, pixels, batch):
    means = step.mean_over_crops(model, views, params, pixels, batch['image'])
    return means, batch['label']

  return jax.jit(prediction_step, out_shardings=NamedSharding(mesh, P()))


def predict(trained: Trained, source: Source, views: int, batch_size: int,
            threads: int = 2) -> tuple[np.ndarray, np.ndarray]:
  """Returns softmax outputs and labels: [N, classes] float32, [N].

  Args:
    trained: the network.
    source: images of the network's own size.
    views: the number of patches to average: 10, 9 or 1.
    batch_size: images per batch, rounded up to a multiple of the shards.
    threads: the number of threads that decode images.
  """
  settings, mesh = trained.settings, trained.mesh
  prediction_step = make_prediction_step(
      trained.model,
      augment.test_crops(settings.data.image_size, settings.augmentation.crop,
                         views), mesh)
  probabilities, labels = map(np.concatenate, zip(*walk(
      lambda batch: prediction_step(
          trained.params, trained.input_stats, batch),
      source, mesh, batch_size=batch_size, threads=threads,
      title=f'{trained.workdir}, {trained.step}'), strict=True))
  return probabilities, labels


def sample_images(source: Source) -> tuple[np.ndarray, np.ndarray]:
  """Returns labels [16] and mean colors [16, 3] of evenly spread images."""
  chosen = [source[int(i)] for i in evenly_spread(len(source), GLANCES)]
  return (np.array([example['label'] for example in chosen]),
          np.array([example['image'].mean((0, 1)) for example in chosen]))


def same_images(cached: Predictions, count: int, labels: np.ndarray,
                colors: np.ndarray) -> bool:
  """Returns whether predictions are of the given images.

  Args:
    cached: the predictions.
    count: the number of images.
    labels: the labels from `sample_images`.
    colors: the mean colors from `sample_images`.
  """
  return (len(cached.labels) == count
          and np.array_equal(
              cached.labels[evenly_spread(count, GLANCES)], labels)
          and cached.colors.shape == colors.shape
          and np.allclose(cached.colors, colors, rtol=0, atol=GRAY_LEVELS))


# --- Storing predictions ------------------------------------------------------


def path_of(folder: str, workdir: str, step: int, views: int) -> str:
  """Returns the path of the file for the predictions of one checkpoint.

  The file name has a hash of the workdir's whole path, since two runs often
  have the same last part.

  Args:
    folder: the folder of all predictions.
    workdir: the workdir of the run.
    step: the step of the checkpoint.
    views: the number of patches averaged.
  """
  path = os.path.abspath(workdir)
  name = (f'{os.path.basename(path)}-{zlib.crc32(path.encode()):08x}'
          f'-step{step}-{augment.CROPS[views]}.npz')
  return os.path.join(folder, name)


def save(path: str, predictions: Predictions) -> None:
  """Writes predictions atomically."""
  with files.atomic_write(path) as file:
    np.savez(file, **predictions._asdict())


def load(path: str) -> Predictions:
  """Reads the predictions that `save` wrote.

  Raises:
    InputError: the file does not exist or is not a file of predictions.
  """
  if not os.path.exists(path):
    raise InputError(
        f'there are no predictions {path}: give a file that --task=evaluate'
        ' --predictions=FOLDER has written, or a workdir.')
  try:
    if not zipfile.is_zipfile(path):
      raise ValueError('not an .npz file')
    with np.load(path) as stored:
      cached = Predictions(*(stored[name] for name in Predictions._fields))
  # NumPy and zipfile raise almost any exception on damaged files.
  except Exception as error:
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    raise InputError(
        f'{path} holds no predictions of --task=evaluate ({reason}): give'
        ' another file, or remove it to have it made again.') from error
  return cached._replace(
      workdir=str(cached.workdir), step=int(cached.step),
      saved=int(cached.saved), views=int(cached.views),
      class_names=tuple(map(str, cached.class_names)))
