"""Searches by the features of each layer and by their binary codes (6.1).

The paper expects codes of the last hidden layer to find images of the query's
class, and codes of pixels to find "images with similar patterns of edges,
whether or not they are semantically similar".
"""

import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from alexnet_jax import tables
from alexnet_jax.analysis import (
  code_files,
  codes_table,
  hamming,
  retrieval_precision,
)
from alexnet_jax.analysis.feature_layers import LAST, layer_names
from alexnet_jax.analysis.features import (
  FOLDER,
  Features,
  folder_of,
  layer_of,
  open_splits,
  rows_at,
)
from alexnet_jax.data.sources import evenly_spread
from alexnet_jax.errors import InputError, printable
from alexnet_jax.network.classifier import Model


class Layer(NamedTuple):
  """The stored features of one layer."""

  name: str  # as in the network, or 'pixels'
  training: Features
  validation: Features


class Search(NamedTuple):
  """One way to find training images that are like a validation image."""

  name: str  # 'fc7', or 'fc7, 256 bits'
  layer: str
  bits: int  # of a code; 0 for the features themselves
  size: int  # bytes of an image
  # (indices of Q validation images, k) -> indices of their k nearest [Q, k]
  nearest: Callable[[np.ndarray, int], np.ndarray]


def open_layers(workdir: str, model: Model,
                wanted: Sequence[str] = ()) -> list[Layer]:
  """Opens the features in a workdir, from the bottom layer up.

  Args:
    workdir: the workdir of the run.
    model: its network.
    wanted: names of layers, or (): all that have features.

  Raises:
    InputError: a layer has no features, or they are of other images or of
      another network than those of the others.
  """
  names, layers = layer_names(model), []
  for name in wanted:
    if name not in names:
      raise InputError(f'--layers={",".join(wanted)} has {name!r}, which is no'
                       f' layer of this network: choose from'
                       f' {", ".join(names)}.')
  for name in names:
    layer = LAST if name == names[-1] else name
    folder = folder_of(workdir, FOLDER, layer)
    if name in wanted or (not wanted and os.path.isdir(folder)):
      if not os.path.isdir(folder):
        raise InputError(
            f'there are no features of {name} in {folder}: make them with'
            f' --task=features --workdir={workdir} --layer={name}.')
      training, validation = open_splits(folder)
      found = layer_of(training.index)
      if found != layer:
        raise InputError(
            f'{folder} has features of {found or names[-1]}, not of {name}:'
            ' remove it, and make them again with --task=features'
            f' --workdir={workdir} --layer={name}.')
      if training.index['path'] != validation.index['path']:
        raise InputError(
            f'{training.folder} and {validation.folder} are of different data:'
            ' make both with the same --data.')
      layers.append(Layer(name, training, validation))
  if not layers:
    raise InputError(
        f'there are no features in {workdir}: make some with --task=features'
        f' --workdir={workdir}, and with --layer={names[1]} and so on.')
  for one in layers[1:]:
    for first, other in ((layers[0].training, one.training),
                         (layers[0].validation, one.validation)):
      for field in ('step', 'saved', 'path', 'count', 'class_names'):
        if first.index[field] != other.index[field]:
          raise InputError(
              f'{first.folder} and {other.folder} differ in their {field}: make'
              ' both with the same --checkpoint and --data.')
  return layers


def searches_of(workdir: str, layers: Sequence[Layer]) -> list[Search]:
  """Returns an exact search for each layer, and one by its longest codes.

  Args:
    workdir: the workdir of the run, which has the codes.
    layers: the features.

  Raises:
    InputError: codes are damaged or of other features.
  """
  searches = []
  for layer in layers:
    width = layer.training.index['dimension']
    searches.append(Search(
        layer.name, layer.name, 0, codes_table.FLOAT32 * width,
        _by_features(layer)))
    codes = code_files.longest(workdir, layer.training, layer.validation)
    if codes:
      searches.append(Search(
          f'{layer.name}, {codes.bits} bits', layer.name, codes.bits,
          codes.bits // 8, _by_codes(codes)))
  return searches


def _by_features(layer):
  def nearest(chosen, k):
    return retrieval_precision.search_features(
        rows_at(layer.validation, chosen), layer.training, k)[1]

  return nearest


def _by_codes(codes):
  def nearest(chosen, k):
    return hamming.nearest(codes.validation[chosen], codes.train, k)[1]

  return nearest


def compare(searches: Sequence[Search], training: Features,
            validation: Features) -> dict[str, Any]:
  """Measures precision@k of each search, for JSON.

  Args:
    searches: the searches.
    training: the features of any layer, for the labels of the images.
    validation: likewise.
  """
  chosen = evenly_spread(
      len(validation.labels), retrieval_precision.FEATURE_QUERIES)
  labels = validation.labels[chosen]
  depth = retrieval_precision.largest_k(training)
  return {
      'images': len(training.labels), 'queries': len(chosen),
      'chance': retrieval_precision.precision_by_chance(
          labels, training.labels),
      'searches': [{
          'name': search.name, 'layer': search.layer, 'bits': search.bits,
          'bytes': search.size,
          **retrieval_precision.precision_at_each_k(
              labels, training.labels[search.nearest(chosen, depth)])}
                   for search in searches]}


def as_text(numbers: dict[str, Any]) -> str:
  """Formats what `compare` returns as a table."""
  searches = numbers['searches']
  ranks = [rank for rank in codes_table.RANKS
           if rank <= len(searches[0]['precision'])]
  rows = [('search by', 'bytes', *(f'precision@{rank}' for rank in ranks))]
  rows += [(search['name'], f'{search["bytes"]:,}',
            *(f'{search["precision"][rank - 1]:.1%}' for rank in ranks))
           for search in searches]
  return '\n'.join([
      printable(f'{numbers["queries"]:,} validation images, searched for among'
                f' {numbers["images"]:,} training images; chance is'
                f' {numbers["chance"]:.1%}.'), *tables.aligned(rows)])
