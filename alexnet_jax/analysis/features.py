"""The features of every image: the outputs of the last hidden layer (6.1).

Those of any other layer can take their place, or the pixels themselves, to
which the paper compares them. The folder of each split contains the vectors in
shards of 4096 images, their labels, and index.json, which describes the network
and the images. A shard that exists is complete, so the same command resumes
where it was stopped; the index has another name until all shards exist.
"""

import datetime
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from alexnet_jax.analysis import feature_layers
from alexnet_jax.analysis.feature_layers import LAST, PIXELS
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment
from alexnet_jax.run import checkpoint
from alexnet_jax.run.trained import Trained
from alexnet_jax.run.walk import walk

FOLDER = 'features'  # in the workdir of the run
INDEX, UNFINISHED = 'index.json', 'unfinished.json'
SHARD = 4096  # images: 64 MiB of 4096 numbers each


class Features(NamedTuple):
  """The features of N images in their order, as stored in a folder."""

  folder: str
  vectors: tuple[np.ndarray, ...]  # [n, D] float32 each, memory-mapped; N rows
  labels: np.ndarray  # [N]
  class_names: tuple[str, ...]
  index: dict[str, Any]  # of `feature_metadata`


def folder_of(workdir: str, what: str, layer: str) -> str:
  """Returns where a workdir has the features or codes of a layer.

  Args:
    workdir: the workdir of the run.
    what: the folder for the last hidden layer; others have a name behind it.
    layer: as `named_layer` returns it.
  """
  return os.path.join(workdir, f'{what}_{layer}' if layer else what)


# --- Computing them -----------------------------------------------------------


def make_feature_step(trained: Trained,
                      layer: str = LAST) -> Callable[..., jax.Array]:
  """Returns f(params, pixels, images [B, S, S, 3]) -> features [B, D].

  The features are those of the central patch with the mean subtracted. There
  are no dropout keys: a network with dropout halves its outputs, as always at
  test time (4.2). Maps are those after the norm and the pooling of their layer,
  row by row. Pixels are those of the patch with its side reduced to 32.

  Args:
    trained: the network.
    layer: as `named_layer` returns it.
  """
  model, size = trained.model, trained.settings.data.image_size
  central, = augment.test_crops(size, model.patch, 1)

  def feature_step(params, pixels, images):
    patches = augment.cut_crop(images, jnp.asarray(central), model.patch)
    if layer == PIXELS:
      return feature_layers.shrink(patches)
    outputs = feature_layers.outputs_of(model, trained.mesh, layer,
                                       trained.settings.precision)
    return outputs(params, augment.subtract_mean(patches, pixels))

  return jax.jit(feature_step)


def compute_features(trained: Trained, feature_step: Callable[..., jax.Array],
               source: Source,
               bar: tqdm | None = None) -> tuple[np.ndarray, np.ndarray]:
  """Computes features and labels of every image: [N, K*C] float32, [N].

  Args:
    trained: the network.
    feature_step: the function that `make_feature_step` returns.
    source: one or more images of the network's size.
    bar: progress bar to update.
  """
  labels, vectors = zip(*walk(
      lambda batch: (batch['label'], feature_step(
          trained.params, trained.input_stats, batch['image'])),
      source, trained.mesh,
      batch_size=trained.settings.optimizer.batch_size,
      threads=trained.settings.run.threads, title='features', bar=bar),
                        strict=True)
  return np.concatenate(vectors), np.concatenate(labels)


def feature_metadata(trained: Trained, split: str, source: Source,
             data: str = '', layer: str = LAST) -> dict[str, Any]:
  """Returns the content of index.json: the network, the images and the sizes.

  Args:
    trained: the network.
    split: 'train' or 'validation'.
    source: images of the split.
    data: path of the images; '' is the path in the config of the run.
    layer: as `named_layer` returns it; LAST is not written.
  """
  model, data_settings = trained.model, trained.settings.data
  with checkpoint.open_to_read(trained.workdir) as manager:
    saved = checkpoint.saved_at(manager, trained.step)
  path = os.path.expanduser(data or data_settings.path)
  return {
      'workdir': trained.workdir,
      'step': trained.step,
      'saved': saved,
      'path': os.path.abspath(path) if path else '',
      'split': split,
      'image_size': data_settings.image_size,
      'count': len(source),
      'dimension': feature_layers.dimension_of(model, layer),
      'shard': SHARD,
      'class_names': list(source.class_names),
      **({'layer': layer} if layer else {})}


def layer_of(index: Mapping[str, Any]) -> str:
  """Returns the layer of stored features, as `named_layer` would."""
  return index.get('layer', LAST)


def describe_features(index: dict[str, Any]) -> str:
  """Describes in words the images and the network of the features."""
  saved = datetime.datetime.fromtimestamp(index['saved'] // 10**9)
  layer = layer_of(index)
  return (f'of {index["count"]:,} {index["split"]} images'
          f' ({index["path"] or "the embedded ones"}) by'
          f' {f"{layer} of " if layer else ""}{index["workdir"]},'
          f' step {index["step"]} of {saved}')


# --- Reading them -------------------------------------------------------------


def open_features(folder: str) -> Features:
  """Opens the features that --task=features wrote for one split.

  Args:
    folder: folder of the split, such as RUN/features/train.

  Raises:
    InputError: the features are missing, unfinished or damaged.
  """
  index = read_index(folder)
  out = os.path.dirname(os.path.normpath(folder))
  if index is None:
    begun = read_index(folder, UNFINISHED)
    command = 'python launch.py --task=features --workdir='
    if begun:
      layer = layer_of(begun)
      raise InputError(
          f'the features in {folder} are unfinished: {command}'
          f'{begun["workdir"]} --checkpoint={begun["step"]}'
          f'{f" --layer={layer}" if layer else ""} --out={out} goes on where it'
          ' was stopped.')
    raise InputError(f'there are no features in {folder}: make them with'
                     f' {command}RUN --out={out}')
  labels, vectors = [np.empty(0, np.int32)], []
  try:
    for first, labels_file, vectors_file in shards(folder, index):
      labels.append(np.load(labels_file))
      vectors.append(np.load(vectors_file, mmap_mode='r'))
      rows = min(index['shard'], index['count'] - first)
      if (labels[-1].shape, vectors[-1].shape) != (
          (rows,), (rows, index['dimension'])):
        raise ValueError(f'{vectors_file} is not of {rows} images')
  except (OSError, ValueError) as error:
    raise InputError(f'the features in {folder} are damaged ({error}): remove'
                     ' that folder and make them again.') from error
  return Features(folder, tuple(vectors), np.concatenate(labels),
                  tuple(index['class_names']), index)


def open_splits(folder: str) -> tuple[Features, Features]:
  """The training and validation features of one network.

  Raises:
    InputError: either is missing, or they are from different networks.
  """
  if not os.path.isdir(folder):
    raise InputError(
        f'there are no features in {folder}: give a trained network\'s'
        ' --workdir=RUN and make its features first, with python launch.py'
        ' --task=features --workdir=RUN.')
  training, validation = (open_features(os.path.join(folder, split))
                          for split in ('train', 'validation'))
  for name in ('dimension', 'step', 'saved', 'class_names', 'layer'):
    if training.index.get(name) != validation.index.get(name):
      raise InputError(
          f'{training.folder} and {validation.folder} differ in their {name}:'
          ' make both with one --task=features.')
  return training, validation


def rows_at(features: Features, indices: np.ndarray) -> np.ndarray:
  """Returns the vectors of some images: [n] -> [n, D]."""
  size = features.index['shard']
  return np.stack([features.vectors[i // size][i % size] for i in indices])


def read_index(folder: str, name: str = INDEX) -> dict[str, Any] | None:
  """Reads index.json or its unfinished form; None if there is none."""
  try:
    with open(os.path.join(folder, name), encoding='utf-8') as file:
      index = json.load(file)
  except (OSError, ValueError):
    return None
  ours = (isinstance(index, dict) and {'dimension', 'shard'} <= index.keys()
          # It becomes a part of the names of folders.
          and re.fullmatch(r'\w*', str(index.get('layer', LAST))))
  return index if ours else None


def shards(folder: str,
           index: dict[str, Any]) -> Iterator[tuple[int, str, str]]:
  """Yields (index of its first image, label file, vector file) per shard."""
  count = -(-index['count'] // index['shard'])
  for k in range(count):
    labels, vectors = (
        os.path.join(folder, f'{what}-{k:05d}-of-{count:05d}.npy')
        for what in ('labels', 'features'))
    yield k * index['shard'], labels, vectors
