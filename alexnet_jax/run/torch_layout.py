"""VGG, GoogLeNet, ResNet and LeNet-5 in the layout of a PyTorch state dict.

The names are those of torchvision; LeNet-5, which it lacks, has ours. Files of
--task=export --format=torch have this layout, and the mean image besides.
Side classifiers are left out in both directions: torchvision averages 4 x 4
units where the paper has 5 x 5, and its published ones are untrained.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np
from flax import linen as nn

from alexnet_jax.array_files import layer_names, reading, torchvision_names
from alexnet_jax.errors import InputError, printable
from alexnet_jax.network import layers_1998
from alexnet_jax.network.classifier import Model
from alexnet_jax.network.shapes import layer_shapes
from alexnet_jax.run import weights
from alexnet_jax.run.weights import Layers

NETWORKS = ('lenet', 'vgg', 'googlenet', 'resnet')
KINDS = {'kernel': 'weight', 'scale': 'weight', 'bias': 'bias',
         'mean': 'running_mean', 'var': 'running_var'}
AVERAGES = ('running_mean', 'running_var')
COUNT = 'num_batches_tracked'  # of batches in the averages; not used here
MEAN = 'mean'  # the mean image in files of --task=export
SHOWN = 4  # arrays that a message compares


class ArrayPlace(NamedTuple):
  """Where an array of a file is in a network."""

  layer: str
  leaf: str  # such as 'conv1/kernel' in a block
  shape: tuple[int, ...]  # in the file
  module: nn.Module  # of the layer
  maps: tuple[int, ...]  # (maps, H, W) that a full layer reads, or ()


class StateDict(NamedTuple):
  """A file that fits a network."""

  arrays: Mapping[str, np.ndarray]
  places: Mapping[str, ArrayPlace]  # of the arrays
  mean: np.ndarray | None  # [3, size, size], in files of --task=export
  left_out: tuple[str, ...]  # side classifiers


def places_of_arrays(model: Model) -> dict[str, ArrayPlace]:
  """Returns the arrays of a network by their names in a file."""
  shapes = weights.to_layers(
      model, jax.eval_shape(model.init, jax.random.key(0)))
  reads = {at.layer.name: at.reads for at in layer_shapes(
      model.layers, model.num_columns, model.patch)}
  modules = {layer.name: layer.module for layer in model.layers}
  name_of = torchvision_names.module_names(model.network, list(reads))
  found = {}
  for layer in (*reads, 'fc8'):
    module = modules.get(layer, model.softmax)
    below = reads.get(layer, ())
    maps = (below[-1], *below[:-1]) if len(below) == 3 else ()
    for leaf, held in shapes[layer].items():
      *above, kind = leaf.split('/')
      shape = held.shape if layer == 'fc8' else held.shape[1:]
      found[f'{name_of("/".join((layer, *above)))}.{KINDS[kind]}'] = ArrayPlace(
          layer, leaf, _shape_in_file(shape, kind, module, maps), module, maps)
  return found


def _shape_in_file(shape, kind, module, maps):
  if kind != 'kernel':
    return shape
  match module:
    case layers_1998.TableConv():
      return (len(module.table), maps[0], *shape[:2])
    case layers_1998.Subsampling():
      return (*shape, 1, 1, 1)
  *sides, inputs, outputs = shape
  return (outputs, inputs, *sides)


def find_layers(path: str, arrays: Mapping[str, np.ndarray],
                model: Model) -> StateDict:
  """Finds the layers of a network in a file, all or those below full ones.

  Args:
    path: the file, for messages.
    arrays: its arrays by their names.
    model: the network, of one of NETWORKS; the classes may be any number.

  Raises:
    InputError: the file has other layers, lacks some, or is damaged, or the
      network has several columns.
  """
  if model.num_columns != 1:
    raise InputError(
        f'config.model.num_columns={model.num_columns} does not suit {path},'
        ' whose layers are those of one column: give 1, or --init_from a file'
        ' that --task=export --format=npz wrote.')
  held = {name.removeprefix('module.'): array for name, array in arrays.items()
          if name.rpartition('.')[2] != COUNT}
  mean = held.pop(MEAN, None)
  sides = {name for name in held if model.network == 'googlenet'
           and name.partition('.')[0] in torchvision_names.SIDES}
  held = {name: array for name, array in held.items() if name not in sides}
  wanted = _with_classes_of(held, places_of_arrays(model))
  known = {name: held[name] for name in wanted if name in held}
  if not known:
    raise InputError(
        f'{path} has none of the layers of {_called(model)}, such as'
        f' {next(iter(wanted))}, only {reading.listed(held)}: give the --config'
        ' of its network, or other weights.')
  _check_layers(path, held, wanted)
  for name, array in known.items():
    if not layer_names.are_finite(array) or (
        name.endswith('running_var') and array.min() < 0):
      raise InputError(
          f'{reading.listed({name: array})} of {path} are not all finite'
          ' numbers, or a variance is negative: give a file that is not'
          ' damaged.')
  _check_table(path, known, wanted)
  return StateDict(known, wanted, mean, tuple(sorted(
      {name.partition('.')[0] for name in sides})))


def _with_classes_of(held, wanted):
  """A network may have any number of classes: that of the file's fc8."""
  counts = [held[name].shape[0] for name, place in wanted.items()
            if (place.layer, place.leaf) == ('fc8', 'kernel')
            and name in held and held[name].ndim]
  return {name: place._replace(shape=(*counts, *place.shape[len(counts):]))
          if place.layer == 'fc8' else place for name, place in wanted.items()}


def _called(model):
  return ('LeNet-5 as --task=export --format=torch names them'
          if model.network == 'lenet'
          else f"torchvision's {model.network}")


def _check_layers(path, held, wanted):
  full = {place.layer for place in wanted.values()
          if len(place.shape) == 2}
  absent = full - {wanted[name].layer for name in held if name in wanted}
  differing = [
      (name, _text(held.get(name)), _text(wanted.get(name)))
      for name in {**wanted, **held}
      if not (name in wanted and wanted[name].layer in absent)
      and not _fits(held.get(name), wanted.get(name))]
  if not differing:
    return
  names = [name for name, *_ in differing]
  if all(name.rpartition('.')[2] in AVERAGES and name not in held
         for name in names):
    raise InputError(
        f'{path} has no running averages, such as {names[0]}: give a file with'
        ' the whole state_dict() of the network.')
  rows = '; '.join(f'{printable(name)[:60]} {theirs} | {ours}'
                   for name, theirs, ours in differing[:SHOWN])
  more = len(differing) - SHOWN
  raise InputError(
      f'{path} holds the weights of another network than config.model (array in'
      f' the file | in config.model): {rows}'
      f'{f" and {more} more" if more > 0 else ""}: give the --config of that'
      ' network, or an intact file.')


def _fits(array, place):
  return (array is not None and place is not None and array.size > 0
          and array.shape == place.shape)


def _text(held):
  return 'missing' if held is None else str(list(held.shape))


def _check_table(path, arrays, wanted):
  for name, array in arrays.items():
    place = wanted[name]
    if isinstance(place.module, layers_1998.TableConv) and array.ndim > 1:
      ours = _ours(array, place)
      if np.count_nonzero(ours) != np.count_nonzero(array):
        raise InputError(
            f'{path} has weights in {name} for maps that the table of C3 does'
            ' not connect: give --config=configs/history/lenet5.py:simplified,'
            ' if that is its form.')


# --- Layers -------------------------------------------------------------------


def to_layers(state: StateDict, order: str) -> Layers:
  """Returns the layers of a network that a file has, from bottom to top.

  Args:
    state: the file.
    order: 'rgb' or 'bgr', the colors that its first layer reads.
  """
  layers = {}
  first = next(iter(state.places.values())).layer
  for name, array in state.arrays.items():
    place = state.places[name]
    if order == 'bgr' and place.layer == first and array.ndim == 4:
      array = array[:, ::-1]
    ours = np.ascontiguousarray(_ours(array, place), np.float32)
    layers.setdefault(place.layer, {})[place.leaf] = (
        ours if place.layer == 'fc8' else ours[None])
  return layers


def _ours(array, place):
  """From PyTorch's axes to ours, without that of columns."""
  if place.leaf.rpartition('/')[2] != 'kernel':
    return array
  match place.module:
    case layers_1998.TableConv():
      reads, maps = layers_1998.connections(place.module.table)
      return array.transpose(2, 3, 1, 0)[:, :, reads, maps]
    case layers_1998.Subsampling():
      return array.reshape(-1) / 4  # PyTorch's is of the mean of four units
  if array.ndim == 4:
    return array.transpose(2, 3, 1, 0)
  if place.maps:
    array = array.reshape(-1, *place.maps).transpose(0, 2, 3, 1)
  return array.reshape(len(array), -1).T
