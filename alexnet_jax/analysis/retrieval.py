"""Retrieval (6.1): the images that are searched, and those sought for."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from alexnet_jax.analysis.features import (
  Features,
  describe_features,
  feature_metadata,
  layer_of,
)
from alexnet_jax.data.sources import Source, evenly_spread
from alexnet_jax.errors import InputError
from alexnet_jax.run import checkpoint
from alexnet_jax.run.trained import Trained, open_split, open_trained

SEED = 0  # Of the random choice of queries.
TRIES = 20  # Images tried per query, to find a new class.
GLANCES = 8  # Labels compared to detect other images.


class Database(NamedTuple):
  """The training images: their features, pixels and class names."""

  features: Features
  network: Trained  # The network that computed the features.
  path: str  # Where the images are; '' for the run's own data.
  source: Source
  names: tuple[str, ...]  # Class names in words.


class Queries:
  """The query images as a source; label -1 is an unknown class."""

  def __init__(self, names: Sequence[str], images: Sequence[np.ndarray],
               labels: Sequence[int], class_names: tuple[str, ...]):
    self.names, self.images, self.labels = names, images, labels
    self.class_names = class_names

  def __len__(self) -> int:
    return len(self.images)

  def __getitem__(self, i: int) -> dict:
    return {'image': self.images[i], 'label': np.int32(self.labels[i])}

  def where(self, i: int) -> str:
    return self.names[i]


def open_database(workdir: str, features: Features, names: Sequence[str],
                  data: str = '') -> Database:
  """Opens the training images and the network that computed their features.

  Args:
    workdir: the workdir of the run.
    features: the features of the training images.
    names: the class names in words.
    data: the present location of the images; '' if they were not moved.

  Raises:
    InputError: the features are of another network or of other images.
  """
  index = features.index
  checkpoint.check_exists(workdir)
  with checkpoint.open_to_read(workdir) as manager:
    if index['step'] not in manager.all_steps():
      raise InputError(
        f'{features.folder} holds features {describe_features(index)},'
        f' and {workdir} has'
        ' no such step: give the --workdir of that run, or make features of'
        ' a step that it has in another --features folder.'
      )
  network = open_trained(workdir, str(index['step']))
  path = data or index['path']
  source = open_split(network, index['split'], path)
  here = feature_metadata(network, index['split'], source, path,
                          layer_of(index))
  if any(here[field] != index[field]
         for field in ('saved', 'dimension', 'image_size')):
    raise InputError(
      f'{features.folder} holds features {describe_features(index)}, not'
      f' {describe_features(here)}: give --workdir and --features of one'
      ' network.'
    )
  check_images(features, source, path)
  return Database(features, network, path, source, tuple(names))


def check_images(features: Features, source: Source, path: str) -> None:
  """Checks by a few labels that features are those of some images.

  Args:
    features: the features.
    source: the images.
    path: where they are; '' for the run's own data.

  Raises:
    InputError: the features are of other images.
  """
  if len(source) != features.index['count'] or any(
      source[int(i)]['label'] != features.labels[i]
      for i in evenly_spread(len(source), GLANCES)):
    raise InputError(
        f'{features.folder} holds features'
        f' {describe_features(features.index)}, and the images that are now in'
        f' {path or "this data set"} are others: give the same ones as --data,'
        ' or make features of these.')


def draw_images(source: Source, count: int) -> list[tuple[int, dict]]:
  """Chooses images with a fixed seed, from as many classes as TRIES allows.

  Returns:
    The index and the example of each, as many as `count` if there are so many.

  Raises:
    InputError: there are no images.
  """
  if not len(source):
    raise InputError('there are no validation images to ask for: give --images'
                     ' some pictures.')
  new, further = {}, []
  for i in np.random.default_rng(SEED).permutation(len(source))[:TRIES * count]:
    if len(new) == count:
      break
    example = source[int(i)]
    if int(example['label']) not in new:
      new[int(example['label'])] = int(i), example
    else:
      further.append((int(i), example))
  return [*new.values(), *further][:count]


def draw_queries(source: Source, count: int) -> Queries:
  """Returns images that are chosen as by `draw_images` as queries."""
  chosen = draw_images(source, count)
  return Queries(
      [source.where(i) for i, _ in chosen],
      [example['image'] for _, example in chosen],
      [int(example['label']) for _, example in chosen], source.class_names)


def with_classes(database: Database, indices: Iterable[int],
                 label: int) -> Iterator[tuple[np.ndarray, str, bool | None]]:
  """Yields (image, name of its class, whether it is the query's) of neighbors.

  Args:
    database: the images that are searched.
    indices: which of them were found.
    label: the query's class, or -1: then nothing is known of the last.
  """
  for i in indices:
    other = database.features.labels[i]
    yield (database.source[int(i)]['image'], database.names[other],
           bool(other == label) if label >= 0 else None)
