"""What a network says of every validation image, kept in a file.

One file has the predictions of one checkpoint: its softmax outputs averaged
over patches (4.1), the labels, and what tells other images or another
checkpoint apart. 50,000 images of 1000 classes take 200 MB.
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

# Other images are told apart by the labels and the mean colors of so many of
# them, seen at one size whatever the network's own is.
GLANCES = 16
GLANCE_SIZE = 32  # pixels
# Another machine may decode or draw a picture a little differently.
GRAY_LEVELS = 1.0


class Predictions(NamedTuple):
  """The predictions of one checkpoint for N images in their order."""

  workdir: str  # of the run
  step: int
  saved: int  # when the checkpoint was, in ns: a run made anew differs
  views: int  # patches averaged: 10, 9 or 1
  class_names: tuple[str, ...]
  labels: np.ndarray  # [N]
  colors: np.ndarray  # [16, 3] of some of the images: `glance`
  probabilities: np.ndarray  # [N, classes] float32


# --- Making them --------------------------------------------------------------


def make_prediction_step(
    model: Model, views: np.ndarray, mesh: Mesh) -> Callable[..., Any]:
  """Returns f(params, pixels, batch) -> ([B, classes], [B]), everywhere whole.

  Args:
    model: the network; dropout halves (4.2).
    views: of `augment.test_crops`.
    mesh: where the batch lies.
  """

  def prediction_step(params, pixels, batch):
    means = step.mean_over_crops(model, views, params, pixels, batch['image'])
    return means, batch['label']

  return jax.jit(prediction_step, out_shardings=NamedSharding(mesh, P()))


def predict(trained: Trained, source: Source, views: int, batch_size: int,
            threads: int = 2) -> tuple[np.ndarray, np.ndarray]:
  """Softmax outputs and labels of every image: [N, classes] float32, [N].

  Args:
    trained: the network.
    source: images of its own size.
    views: patches to average: 10, 9 or 1.
    batch_size: images at a time, rounded up to a multiple of the shards.
    threads: that decode images.
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


def glance(source: Source) -> tuple[np.ndarray, np.ndarray]:
  """Labels [16] and mean colors [16, 3] of images spread over the source."""
  chosen = [source[int(i)] for i in evenly_spread(len(source), GLANCES)]
  return (np.array([example['label'] for example in chosen]),
          np.array([example['image'].mean((0, 1)) for example in chosen]))


def same_images(held: Predictions, count: int, labels: np.ndarray,
                colors: np.ndarray) -> bool:
  """Whether predictions are of `count` images with such a `glance`."""
  return (len(held.labels) == count
          and np.array_equal(
              held.labels[evenly_spread(count, GLANCES)], labels)
          and held.colors.shape == colors.shape
          and np.allclose(held.colors, colors, rtol=0, atol=GRAY_LEVELS))


# --- Keeping them -------------------------------------------------------------


def path_of(folder: str, workdir: str, step: int, views: int) -> str:
  """Where in a folder the predictions of one checkpoint lie.

  A number made of the whole path stands for it, since two runs often share
  the last part of theirs.
  """
  path = os.path.abspath(workdir)
  name = (f'{os.path.basename(path)}-{zlib.crc32(path.encode()):08x}'
          f'-step{step}-{augment.CROPS[views]}.npz')
  return os.path.join(folder, name)


def save(path: str, predictions: Predictions) -> None:
  """All of the file or none of it."""
  with files.atomic_write(path) as file:
    np.savez(file, **predictions._asdict())


def load(path: str) -> Predictions:
  """What `save` wrote.

  Raises:
    InputError: nothing is there, or something else.
  """
  if not os.path.exists(path):
    raise InputError(
        f'there are no predictions {path}: give a file that --task=evaluate'
        ' --predictions=FOLDER has written, or a workdir.')
  try:
    if not zipfile.is_zipfile(path):
      raise ValueError('not an .npz file')
    with np.load(path) as stored:
      held = Predictions(*(stored[name] for name in Predictions._fields))
  except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
    raise InputError(
        f'{path} holds no predictions of --task=evaluate'
        f' ({str(error).splitlines()[0]}): give another file, or remove it to'
        ' have it made again.') from error
  return held._replace(
      workdir=str(held.workdir), step=int(held.step), saved=int(held.saved),
      views=int(held.views), class_names=tuple(map(str, held.class_names)))
