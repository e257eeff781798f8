"""The named parameters of a network: file formats, and transfer to another.

The file is an .npz or, with the extra `export`, a .safetensors. It contains
'conv1/kernel', 'conv1/bias' and so on to 'fc8/bias', where all but fc8 have the
leading axis K of columns, 'class_names', and the statistics of the training
images as in `augment.PixelStats`: 'pixels/mean' [S, S, 3], 'pixels/directions'
[3, 3] and 'pixels/stddevs' [3]. An .npz can be read with NumPy alone. A block
has several kernels, 'conv2_1/conv1/kernel', and a batch norm its running
averages, 'conv2_1/bn1/mean' and 'conv2_1/bn1/var'.

The card is JSON text with the config and what else a user of the network must
know. It is in the file, and a copy is beside it for people to read.
"""

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import ml_dtypes
import numpy as np

from alexnet_jax import files, machine
from alexnet_jax.errors import InputError
from alexnet_jax.learning.augment import PixelStats
from alexnet_jax.network import classifier
from alexnet_jax.network.classifier import Model
from alexnet_jax.network.shapes import with_sides

FORMATS = ('.npz', '.safetensors')
# Networks that are a part of this package; `shipped` finds them by name.
FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), 'weights')
AVERAGES = ('mean', 'var')  # of batch normalization
CARD_ENDING = '.json'  # of the copy of the card beside FILE: FILE.json
# {'conv1': {'kernel': ..., 'bias': ...}, ...}, from bottom to top.
Layers = Mapping[str, Mapping[str, Any]]


class Weights(NamedTuple):
  """The parameters, input statistics and class names of a network."""

  layers: Layers
  input_stats: PixelStats
  class_names: tuple[str, ...]
  card: Mapping[str, Any] = {}  # with 'config'; {} in files of version 1.0


def to_layers(model: Model, variables: Any) -> Layers:
  """Converts variables of a model to layers, in order from bottom to top.

  A leaf in a block has the names above it: 'conv1/kernel'. Running averages are
  beside the parameters of their layer. Side classifiers are after fc8.
  """
  params, batch_stats = classifier.split(variables)
  averages = batch_stats.get('columns', {})
  layers = {'fc8': params['fc8']}
  for layer in with_sides(model.layers):
    layers[layer.name] = {
        jax.tree_util.keystr(path, simple=True, separator='/'): leaf
        for tree in (params['columns'][layer.name],
                     averages.get(layer.name, {}))
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
  order = [*(layer.name for layer in model.layers), 'fc8', *layers]
  return {name: layers[name] for name in order}


def from_layers(layers: Layers) -> Any:
  """Converts layers to variables of a model."""
  params, averages = {}, {}
  for layer, leaves in layers.items():
    for name, leaf in leaves.items():
      *above, kind = name.split('/')
      place = averages if kind in AVERAGES else params
      for part in (layer, *above):
        place = place.setdefault(part, {})
      place[kind] = leaf
  fc8 = params.pop('fc8')
  return classifier.merge({'columns': params, 'fc8': fc8},
                          {'columns': averages} if averages else {})


# --- Files --------------------------------------------------------------------


def shipped(name: str) -> str:
  """Returns the file of a network of this package, or '' if there is none.

  Args:
    name: such as 'tiny_imagenet_small'.
  """
  path = os.path.join(FOLDER, f'{name}.safetensors')
  return path if os.path.basename(name) == name and os.path.isfile(
      path) else ''


def save(path: str, weights: Weights) -> None:
  """Atomically writes a file in one of FORMATS, chosen by its extension.

  Raises:
    InputError: the package for .safetensors is not installed.
  """
  arrays = {f'{layer}/{kind}': leaf for layer, leaves in weights.layers.items()
            for kind, leaf in leaves.items()}
  arrays |= {f'pixels/{name}': leaf
             for name, leaf in weights.input_stats._asdict().items()}
  arrays = {name: np.ascontiguousarray(array)
            for name, array in jax.device_get(arrays).items()}
  card = json.dumps(weights.card)
  if _is_safetensors(path):
    data = import_safetensors().save(
        arrays,
        {'class_names': json.dumps(weights.class_names), 'card': card})
    with files.atomic_write(path) as file:
      file.write(data)
  else:
    with files.atomic_write(path) as file:
      contents: dict[str, Any] = {
          **arrays, 'class_names': np.array(weights.class_names),
          'card': np.array(card)}
      np.savez(file, **contents)


def load(path: str) -> Weights:
  """Reads a file written by `save`.

  Raises:
    InputError: the file has another format or is damaged.
  """
  if os.path.exists(path) and not os.path.isfile(path):
    raise InputError(f'{path} is not a file: give a file that --task=export'
                     ' wrote, or the workdir of a run.')
  try:
    read = _load_safetensors if _is_safetensors(path) else _load_npz
    arrays, class_names, card = read(path)
    stats = PixelStats(*(
        arrays.pop(f'pixels/{name}') for name in PixelStats._fields))
    _check_statistics(stats)
    layers = {}
    for name, leaf in arrays.items():
      layer, kind = name.split('/', 1)
      if leaf.dtype not in (np.float16, np.float32, np.float64,
                            ml_dtypes.bfloat16):
        raise TypeError(f'{name} has no real numbers')
      layers.setdefault(layer, {})[kind] = leaf
    # A .safetensors file sorts its arrays by name.
    order = [name for name in card.get('layers', ()) if name in layers]
    layers = {name: layers[name] for name in [*order, *layers]}
  except InputError:
    raise
  # NumPy and zipfile raise almost any exception on damaged files.
  except Exception as error:
    raise InputError(
        f'{path} cannot be read as weights: give a file that --task=export'
        ' wrote, or the workdir of a run.') from error
  return Weights(layers, stats, tuple(map(str, class_names)), card)


def _check_statistics(stats):
  size = len(stats.mean)
  shapes = tuple(np.shape(leaf) for leaf in stats)
  if shapes != ((size, size, 3), (3, 3), (3,)):
    raise ValueError(f'the statistics of the images have shapes {shapes}')


def array_names(path: str) -> list[str]:
  """Returns the names of the arrays of a file in one of FORMATS.

  Raises:
    InputError: the package for .safetensors is not installed.
    Exception: of almost any kind if the file is damaged.
  """
  if _is_safetensors(path):
    import_safetensors()
    from safetensors import safe_open
    with safe_open(path, 'np') as file:
      return list(file.keys())
  with zipfile.ZipFile(path) as file:
    return [name.removesuffix('.npy') for name in file.namelist()]


def _load_npz(path):
  with zipfile.ZipFile(path) as file:
    size = sum(entry.file_size for entry in file.infolist())
  if size > machine.memory():
    raise InputError(f'{path} unpacks to {size / 1e9:,.0f} GB, more than the'
                     ' memory: give a file that --task=export wrote.')
  with np.load(path) as file:
    arrays = dict(file)
  class_names = arrays.pop('class_names')
  card = _read_card(str(arrays.pop('card', '{}')))
  return arrays, class_names, card


def _load_safetensors(path):
  module = import_safetensors()
  from safetensors import safe_open
  with safe_open(path, 'np') as file:
    metadata = file.metadata()
  class_names = json.loads(metadata['class_names'])
  return (module.load_file(path), class_names,
          _read_card(metadata.get('card', '{}')))


def _read_card(text):
  card = json.loads(text)
  if not isinstance(card, dict):
    raise TypeError('the card is no JSON object')
  return card


def _is_safetensors(path):
  return os.path.splitext(path)[1] == '.safetensors'


def import_safetensors() -> Any:
  """Imports the package that reads and writes .safetensors.

  Raises:
    InputError: it is not installed.
  """
  try:
    import safetensors.numpy
  except ImportError as error:
    raise InputError(
        'a .safetensors file needs a package that is not installed: run'
        ' pip install safetensors (the extra `export`), or use an .npz.'
    ) from error
  return safetensors.numpy


# --- Transfer -----------------------------------------------------------------


class Match(NamedTuple):
  """The layers that one network can take from another."""

  layers: Layers  # of the new network, pre-trained or fresh
  taken: Sequence[str]  # names of the pre-trained ones
  new: Sequence[str]  # names of the layers above them
  reason: str  # why the lowest new layer is new


def match(fresh: Layers, pretrained: Layers, same_classes: bool) -> Match:
  """Takes pre-trained layers from the bottom up, as far as both networks match.

  Weights are only useful on the maps that they were trained on. The first layer
  that is missing or has a different shape is therefore new, and so are all
  layers above it. Likewise, the 2012 program kept conv1 to conv5 when it added
  conv6 above them (net #146-2009).

  Args:
    fresh: newly initialized layers of the new network.
    pretrained: layers of the other network.
    same_classes: whether to take fc8 too.
  """
  names, reason = list(fresh), ''
  for height, name in enumerate(names):
    reason = _mismatch(name, fresh, pretrained, height, same_classes)
    if reason:
      break
  taken = names[:height] if reason else names
  layers = {**fresh, **{name: pretrained[name] for name in taken}}
  return Match(layers, taken, names[len(taken):], reason)


def _mismatch(name, fresh, pretrained, height, same_classes) -> str:
  layer_names = list(pretrained)
  if name not in layer_names:
    return f'it has no {name}'
  if layer_names[height] != name:
    return f'it has {layer_names[height]} below it'
  ours, theirs = fresh[name], pretrained[name]
  if name == 'fc8' and not same_classes:
    counts = [leaves['bias'].shape[-1] for leaves in (theirs, ours)]
    return (f'{counts[0]} classes there, {counts[1]} here'
            if counts[0] != counts[1] else 'its classes are different')
  for kind in sorted(ours, reverse=True):  # kernel before bias
    if kind not in theirs:
      return f'it has no {name}/{kind}'
    if theirs[kind].shape != ours[kind].shape:
      return (f'{name}/{kind} is {theirs[kind].shape} there,'
              f' {ours[kind].shape} here')
  return ''


def summary(matched: Match, origin: str) -> str:
  """Returns 'Took conv1 to fc7 from X; fc8 is new (...).'."""
  taken = f'Took {_range(matched.taken)} from {origin}'
  if not matched.new:
    return f'{taken}.'
  verb = 'is' if len(matched.new) == 1 else 'are'
  return f'{taken}; {_range(matched.new)} {verb} new ({matched.reason}).'


def _range(names):
  return names[0] if len(names) == 1 else f'{names[0]} to {names[-1]}'
