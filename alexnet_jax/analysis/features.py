"""--task=features: what the last hidden layer says of every image (6.1).

OUT/train and OUT/validation each hold the vectors as shards of 4096 images, the
labels beside them, and index.json, which tells what they are of. A shard that
is there is whole, so the same command goes on where it was stopped; the index
has another name until all shards are there.
"""

import datetime
import json
import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from tqdm import tqdm

from alexnet_jax import files as whole
from alexnet_jax.data import loader
from alexnet_jax.data.sources import SPLITS, Source
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment
from alexnet_jax.network import columns
from alexnet_jax.run import checkpoint, experiment
from alexnet_jax.run.trained import Trained, open_split, open_trained

FOLDER = 'features'  # in the workdir of the run
INDEX, UNFINISHED = 'index.json', 'unfinished.json'
SHARD = 4096  # images: 64 MiB of 4096 numbers each


class Features(NamedTuple):
  """The features of N images in their order, as they lie in a folder."""

  folder: str
  vectors: tuple[np.ndarray, ...]  # [n, D] float32 each, memory-mapped; N rows
  labels: np.ndarray  # [N]
  class_names: tuple[str, ...]
  about: dict[str, Any]  # of `describe`


# --- Making them --------------------------------------------------------------


def features(workdir: str, which: str = 'latest', data: str = '',
             split: str = '', out: str = '') -> str:
  """Writes the features of a data set: 16 KiB an image in the paper's net.

  Args:
    workdir: of the run.
    which: 'latest', 'best' or a step.
    data: records or a folder in place of the run's own data.
    split: 'train' or 'validation'; '' for both.
    out: the folder; '' is WORKDIR/features.

  Returns:
    The folder, with train/ and validation/ in it.

  Raises:
    InputError: no such checkpoint or data, or a folder that holds anything but
      these very features or a part of them.
  """
  out = os.path.expanduser(out) or os.path.join(workdir, FOLDER)
  if os.path.isfile(out):
    raise InputError(f'--out={out} is a file: give a folder, or a name that is'
                     ' still free.')
  found = open_trained(workdir, which)
  todo = {}
  for name in [split] if split else SPLITS:
    source = open_split(found, name, data)
    about = describe(found, name, source, data)
    folder = os.path.join(out, name)
    _must_go_on(folder, about)
    todo[folder] = source, about
  feature_step = make_feature_step(found)
  for folder, (source, about) in todo.items():
    finished = read_index(folder) is not None
    if not finished:
      _write(folder, found, feature_step, source, about)
    print(f'{folder} {"already holds" if finished else "holds"} features'
          f' {identity(about)}: {about["dimension"]} numbers each.')
  return out


def make_feature_step(trained: Trained) -> Callable[..., jax.Array]:
  """Returns f(params, pixels, images [B, S, S, 3]) -> features [B, K*C].

  Features of the central patch with the mean subtracted. There are no keys: a
  network with dropout halves its outputs, as in every test (4.2).
  """
  model, size = trained.model, trained.config.data.image_size
  central, = augment.views(size, model.patch, 1)

  def feature_step(params, pixels, images):
    patches = augment.cut_view(images, jnp.asarray(central), model.patch)
    return model.apply(params, augment.subtract_mean(patches, pixels))[1]

  return jax.jit(feature_step)


def vectors_of(trained: Trained, feature_step: Callable[..., jax.Array],
               source: Source,
               bar: tqdm | None = None) -> tuple[np.ndarray, np.ndarray]:
  """Features and labels of every image: [N, K*C] float32, [N].

  Args:
    trained: the network.
    feature_step: of `make_feature_step`.
    source: one image or more, of the network's size.
    bar: where to tell how many are done.
  """
  config, parts = trained.config, []
  for batch in loader.evaluation_batches(
      source, batch_size=config.optimizer.batch_size,
      threads=config.run.threads):
    valid = batch['valid']
    images = experiment.to_device({'image': batch['image']}, trained.mesh)
    vectors = feature_step(trained.params, trained.pixels, images['image'])
    parts.append((np.asarray(vectors)[valid], batch['label'][valid]))
    if bar is not None:
      bar.update(int(valid.sum()))
  vectors, labels = map(np.concatenate, zip(*parts, strict=True))
  return vectors, labels


def describe(trained: Trained, split: str, source: Source,
             data: str = '') -> dict[str, Any]:
  """What index.json says: which network, which images, and how much of both.

  Args:
    trained: the network.
    split: 'train' or 'validation'.
    source: its images.
    data: where they were said to lie; '' is where the run's own do.
  """
  model, config = trained.model, trained.config
  with checkpoint.open_to_read(trained.workdir) as manager:
    saved = checkpoint.saved_at(manager, trained.step)
  path = os.path.expanduser(data or config.data.path)
  *_, last = columns.shapes(model.layers, model.num_columns, model.patch)
  return {
      'workdir': trained.workdir,
      'step': trained.step,
      'saved': saved,
      'path': os.path.abspath(path) if path else '',
      'split': split,
      'image_size': config.data.image_size,
      'count': len(source),
      'dimension': model.num_columns * last.puts_out[-1],
      'shard': SHARD,
      'class_names': list(source.class_names)}


def identity(about: dict[str, Any]) -> str:
  """Whose features they are, for a person."""
  saved = datetime.datetime.fromtimestamp(about['saved'] // 10**9)
  return (f'of {about["count"]:,} {about["split"]} images'
          f' ({about["path"] or "the embedded ones"}) by {about["workdir"]},'
          f' step {about["step"]} of {saved}')


def _must_go_on(folder: str, about: dict[str, Any]) -> None:
  """Raises InputError if a folder holds anything but these features."""
  if not os.path.isdir(folder) or all(
      name.endswith('.part') for name in os.listdir(folder)):
    return
  there = read_index(folder) or read_index(folder, UNFINISHED)
  if there is None:
    raise InputError(f'{folder} holds other files than features: give another'
                     ' --out.')
  if there | {'workdir': ''} != about | {'workdir': ''}:  # a run may be moved
    raise InputError(
        f'{folder} holds features {identity(there)}, not {identity(about)}:'
        ' give another --out, or remove that folder.')


def _write(folder, trained, feature_step, source, about):
  """The shards that are not there yet, then the index."""
  os.makedirs(folder, exist_ok=True)
  unfinished = os.path.join(folder, UNFINISHED)
  with whole.write(unfinished) as file:
    file.write(json.dumps(about, indent=2).encode() + b'\n')
  with tqdm(total=len(source), desc=folder, unit=' images', leave=False,
            dynamic_ncols=True, disable=None) as bar:
    for first, labels_file, vectors_file in shards(folder, about):
      part = _Part(source, first, SHARD)
      if os.path.exists(vectors_file):
        bar.update(len(part))
        continue
      vectors, labels = vectors_of(trained, feature_step, part, bar)
      # In this order, so that where vectors are their labels are as well.
      with whole.write(labels_file) as file:
        np.save(file, labels)
      with whole.write(vectors_file) as file:
        np.save(file, vectors)
  os.replace(unfinished, os.path.join(folder, INDEX))


class _Part:
  """`count` examples of a source, or what is left of it, from `first` on."""

  def __init__(self, source: Source, first: int, count: int):
    self.class_names = source.class_names
    self._source, self._first = source, first
    self._count = min(count, len(source) - first)

  def __len__(self) -> int:
    return self._count

  def __getitem__(self, i: int) -> dict:
    return self._source[self._first + i]

  def where(self, i: int) -> str:
    return self._source.where(self._first + i)


# --- Reading them -------------------------------------------------------------


def open_features(folder: str) -> Features:
  """The features that --task=features wrote into one split's folder.

  Args:
    folder: such as RUN/features/train.

  Raises:
    InputError: there are none, they are unfinished, or damaged.
  """
  about = read_index(folder)
  out = os.path.dirname(os.path.normpath(folder))
  if about is None:
    begun = read_index(folder, UNFINISHED)
    command = 'python launch.py --task=features --workdir='
    if begun:
      raise InputError(
          f'the features in {folder} are unfinished: {command}'
          f'{begun["workdir"]} --checkpoint={begun["step"]} --out={out} goes on'
          ' where it was stopped.')
    raise InputError(f'there are no features in {folder}: make them with'
                     f' {command}RUN --out={out}')
  labels, vectors = [np.empty(0, np.int32)], []
  try:
    for first, labels_file, vectors_file in shards(folder, about):
      labels.append(np.load(labels_file))
      vectors.append(np.load(vectors_file, mmap_mode='r'))
      rows = min(about['shard'], about['count'] - first)
      if (labels[-1].shape, vectors[-1].shape) != (
          (rows,), (rows, about['dimension'])):
        raise ValueError(f'{vectors_file} is not of {rows} images')
  except (OSError, ValueError) as error:
    raise InputError(f'the features in {folder} are damaged ({error}): remove'
                     ' that folder and make them again.') from error
  return Features(folder, tuple(vectors), np.concatenate(labels),
                  tuple(about['class_names']), about)


def rows_of(held: Features, indices: np.ndarray) -> np.ndarray:
  """The vectors of some images: [n] -> [n, D]."""
  size = held.about['shard']
  return np.stack([held.vectors[i // size][i % size] for i in indices])


def read_index(folder: str, name: str = INDEX) -> dict[str, Any] | None:
  """What index.json says, or its unfinished form; None if there is none."""
  try:
    with open(os.path.join(folder, name), encoding='utf-8') as file:
      about = json.load(file)
  except (OSError, ValueError):
    return None
  ours = isinstance(about, dict) and {'dimension', 'shard'} <= about.keys()
  return about if ours else None


def shards(folder: str,
           about: dict[str, Any]) -> Iterator[tuple[int, str, str]]:
  """(number of its first image, file of labels, file of vectors) of each."""
  count = -(-about['count'] // about['shard'])
  for k in range(count):
    yield (k * about['shard'], *(
        os.path.join(folder, f'{what}-{k:05d}-of-{count:05d}.npy')
        for what in ('labels', 'features')))
