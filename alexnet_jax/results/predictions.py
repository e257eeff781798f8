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
from tqdm import tqdm

from alexnet_jax import files as whole
from alexnet_jax.data import loader
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment, step
from alexnet_jax.network import columns
from alexnet_jax.network.models import Model
from alexnet_jax.run import experiment
from alexnet_jax.run.trained import Trained

# Other images are told apart by the labels and the mean colours of so many of
# them, seen at one size whatever the network's own is.
GLANCES = 16
GLANCE_SIZE = 32  # pixels
# Another machine may decode or draw a picture a little differently.
GREY_LEVELS = 1.0


class Predictions(NamedTuple):
  """The predictions of one checkpoint for N images in their order."""

  workdir: str  # of the run
  step: int
  saved: int  # when the checkpoint was, in ns: a run made anew differs
  views: int  # patches averaged: 10, 9 or 1
  class_names: tuple[str, ...]
  labels: np.ndarray  # [N]
  colours: np.ndarray  # [16, 3] of some of the images: `glance`
  probabilities: np.ndarray  # [N, classes] float32


# --- Making them --------------------------------------------------------------


def make_prediction_step(
    model: Model, views: np.ndarray, mesh: Mesh) -> Callable[..., Any]:
  """Returns f(params, pixels, batch) -> ([B, classes], [B]), everywhere whole.

  Args:
    model: the network; dropout halves (4.2).
    views: of `augment.views`.
    mesh: where the batch lies.
  """

  def prediction_step(params, pixels, batch):
    means = step.mean_over_views(model, views, params, pixels, batch['image'])
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
  config, mesh = trained.config, trained.mesh
  shards = mesh.shape[columns.DATA]
  batch_size = -(-batch_size // shards) * shards
  prediction_step = make_prediction_step(
      trained.model,
      augment.views(config.data.image_size, config.augment.crop, views), mesh)
  shard, num_shards = columns.own_shard(mesh)
  parts = []
  with tqdm(total=len(source), desc=f'{trained.workdir}, {trained.step}',
            unit=' images', leave=False, dynamic_ncols=True,
            disable=None) as bar:
    for batch in loader.evaluation_batches(
        source, batch_size=batch_size, shard=shard, num_shards=num_shards,
        threads=threads):
      parts.append(jax.device_get(prediction_step(
          trained.params, trained.pixels, experiment.to_device(batch, mesh))))
      bar.update(min(batch_size, len(source) - bar.n))
  probabilities, labels = map(np.concatenate, zip(*parts, strict=True))
  # What fills up the last batch comes after all the images.
  return probabilities[:len(source)], labels[:len(source)]


def glance(source: Source) -> tuple[np.ndarray, np.ndarray]:
  """Labels [16] and mean colours [16, 3] of images spread over the source."""
  chosen = [source[int(i)] for i in _spread(len(source))]
  return (np.array([example['label'] for example in chosen]),
          np.array([example['image'].mean((0, 1)) for example in chosen]))


def same_images(held: Predictions, count: int, labels: np.ndarray,
                colours: np.ndarray) -> bool:
  """Whether predictions are of `count` images with such a `glance`."""
  return (len(held.labels) == count
          and np.array_equal(held.labels[_spread(count)], labels)
          and np.allclose(held.colours, colours, rtol=0, atol=GREY_LEVELS))


def _spread(count):
  return np.arange(GLANCES) * count // GLANCES if count else np.arange(0)


# --- Keeping them -------------------------------------------------------------


def path_of(folder: str, workdir: str, step: int, views: int) -> str:
  """Where in a folder the predictions of one checkpoint lie.

  A number made of the whole path stands for it, since two runs often share
  the last part of theirs.
  """
  whole = os.path.abspath(workdir)
  name = (f'{os.path.basename(whole)}-{zlib.crc32(whole.encode()):08x}'
          f'-step{step}-{augment.VIEWS[views]}.npz')
  return os.path.join(folder, name)


def save(path: str, predictions: Predictions) -> None:
  """All of the file or none of it."""
  with whole.write(path) as file:
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
      raise ValueError('no .npz file')
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
