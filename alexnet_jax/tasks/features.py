"""--task=features: writes the features of every image of a data set (6.1).

They are the outputs of the last hidden layer, or of another with --layer.
OUT/train and OUT/validation each contain the feature vectors in shards of 4096
images, their labels, and index.json, which describes them. A shard that exists
is complete, so the same command resumes an interrupted task. The index has a
different name until all shards exist.
"""

import os
from typing import Any

import numpy as np
from absl import flags
from tqdm import tqdm

from alexnet_jax import files
from alexnet_jax.analysis.feature_layers import named_layer
from alexnet_jax.analysis.features import (
  FOLDER,
  INDEX,
  UNFINISHED,
  compute_features,
  describe_features,
  feature_metadata,
  folder_of,
  make_feature_step,
  read_index,
  shards,
)
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.data.sources import SPLITS, Source
from alexnet_jax.errors import InputError, printable
from alexnet_jax.run.trained import open_split, open_trained

CONFIG = 'unused'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'checkpoint', 'latest', 'latest, best or a step.', flag_values=values)
  flags.DEFINE_string(
      'data', '', "Records or a folder in place of the run's own data.",
      flag_values=values)
  flags.DEFINE_enum(
      'split', '', ('', *SPLITS), 'One of them; train and validation unless'
      ' given.',
      flag_values=values)
  flags.DEFINE_string(
      'layer', '', 'Such as conv5, fc6 or pixels; the last hidden layer unless'
      ' given.', flag_values=values)
  flags.DEFINE_string(
      'out', '', 'The folder; WORKDIR/features, or WORKDIR/features_LAYER of'
      ' another layer, unless given.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Writes the features that are missing."""
  values = invocation.flags
  features(invocation.require_workdir(), values.checkpoint,
           values.data, values.split, values.out, values.layer)


def features(workdir: str, checkpoint: str = 'latest', data: str = '',
             split: str = '', out: str = '', layer: str = '') -> str:
  """Writes the features of a data set: 16 KiB per image for the paper's net.

  Args:
    workdir: the workdir of the run.
    checkpoint: 'latest', 'best' or a step.
    data: records or a folder of images; '' is the run's own data.
    split: one of SPLITS; '' for train and validation.
    out: the folder; '' is WORKDIR/features, or WORKDIR/features_LAYER.
    layer: the layer whose outputs are the features, after its pooling, or
      'pixels'; '' is the last hidden layer.

  Returns:
    The folder, which contains train/ and validation/.

  Raises:
    InputError: the checkpoint, the data or the layer does not exist, or the
      folder contains anything but these same features or a part of them.
  """
  network = open_trained(workdir, checkpoint)
  layer = named_layer(network.model, layer)
  out = os.path.expanduser(out) or folder_of(workdir, FOLDER, layer)
  if os.path.isfile(out):
    raise InputError(f'--out={out} is a file: give a folder, or a name that is'
                     ' still free.')
  todo = {}
  for name in [split] if split else SPLITS[:2]:
    source = open_split(network, name, data)
    index = feature_metadata(network, name, source, data, layer)
    folder = os.path.join(out, name)
    check_resumable(folder, index)
    todo[folder] = source, index
  feature_step = make_feature_step(network, layer)
  for folder, (source, index) in todo.items():
    finished = read_index(folder) is not None
    if not finished:
      with files.hold(folder, 'a task that writes features'):
        _write(folder, network, feature_step, source, index)
    print(printable(
        f'{folder} {"already " if finished else ""}holds features'
        f' {describe_features(index)}: {index["dimension"]} numbers each.'))
  return out


def check_resumable(folder: str, index: dict[str, Any]) -> None:
  """Raises InputError if a folder contains anything but these features."""
  if not os.path.isdir(folder) or all(
      name.endswith('.part') or name == files.LOCK
      for name in os.listdir(folder)):
    return
  present = read_index(folder) or read_index(folder, UNFINISHED)
  if present is None:
    raise InputError(f'{folder} holds other files than features: give another'
                     ' --out.')
  if present | {'workdir': ''} != index | {'workdir': ''}:  # Runs may move.
    raise InputError(
      f'{folder} holds features {describe_features(present)}, not'
      f' {describe_features(index)}:'
      ' give another --out, or remove that folder.'
    )


def _write(folder, trained, feature_step, source, index):
  """Writes the missing shards, then the index."""
  unfinished = os.path.join(folder, UNFINISHED)
  files.write_json(unfinished, index)
  with tqdm(total=len(source), desc=printable(folder), unit=' images',
            leave=False, dynamic_ncols=True, disable=None) as bar:
    for first, labels_file, vectors_file in shards(folder, index):
      part = Part(source, first, index['shard'])
      if os.path.exists(vectors_file):
        bar.update(len(part))
        continue
      vectors, labels = compute_features(trained, feature_step, part, bar)
      # Labels come first, so that a shard of vectors always has its labels.
      with files.atomic_write(labels_file) as file:
        np.save(file, labels)
      with files.atomic_write(vectors_file) as file:
        np.save(file, vectors)
  os.replace(unfinished, os.path.join(folder, INDEX))


class Part:
  """Up to `count` examples of a source, starting at `first`."""

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
