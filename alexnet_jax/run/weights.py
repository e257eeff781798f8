"""The named parameters of a network: file formats, and transfer to another.

The file is an .npz or, with the extra `export`, a .safetensors. It contains
'conv1/kernel', 'conv1/bias' and so on to 'fc8/bias', where all but fc8 have the
leading axis K of columns, 'class_names', and the statistics of the training
images as in `augment.PixelStats`: 'pixels/mean' [S, S, 3], 'pixels/directions'
[3, 3] and 'pixels/stddevs' [3]. An .npz can be read with NumPy alone.
"""

import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from alexnet_jax import files
from alexnet_jax.errors import InputError
from alexnet_jax.learning.augment import PixelStats
from alexnet_jax.network.classifier import Model

FORMATS = ('.npz', '.safetensors')
# {'conv1': {'kernel': ..., 'bias': ...}, ...}, from bottom to top.
Layers = Mapping[str, Mapping[str, Any]]


class Weights(NamedTuple):
  """The parameters, input statistics and class names of a network."""

  layers: Layers
  input_stats: PixelStats
  class_names: tuple[str, ...]


def to_layers(model: Model, params: Any) -> Layers:
  """Converts model parameters to layers, in order from bottom to top."""
  columns = {layer.name: params['columns'][layer.name]
             for layer in model.layers}
  return columns | {'fc8': params['fc8']}


def from_layers(layers: Layers) -> Any:
  """Converts layers to model parameters."""
  columns = {name: leaves for name, leaves in layers.items() if name != 'fc8'}
  return {'columns': columns, 'fc8': layers['fc8']}


# --- Files --------------------------------------------------------------------


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
  if _is_safetensors(path):
    data = _safetensors().save(
        arrays, {'class_names': json.dumps(weights.class_names)})
    with files.atomic_write(path) as file:
      file.write(data)
  else:
    with files.atomic_write(path) as file:
      contents: dict[str, Any] = {
          **arrays, 'class_names': np.array(weights.class_names)}
      np.savez(file, **contents)


def load(path: str) -> Weights:
  """Reads a file written by `save`.

  Raises:
    InputError: the file has another format or is damaged.
  """
  try:
    read = _load_safetensors if _is_safetensors(path) else _load_npz
    arrays, class_names = read(path)
    stats = PixelStats(*(
        arrays.pop(f'pixels/{name}') for name in PixelStats._fields))
    layers = {}
    for name, leaf in arrays.items():
      layer, kind = name.split('/')
      layers.setdefault(layer, {})[kind] = leaf
  except InputError:
    raise
  # A damaged file can cause any of these exceptions.
  except (EOFError, KeyError, OSError, TypeError, ValueError,
          zipfile.BadZipFile) as error:
    raise InputError(
        f'{path} cannot be read as weights: give a file that --task=export'
        ' wrote, or the workdir of a run.') from error
  return Weights(layers, stats, tuple(map(str, class_names)))


def _load_npz(path):
  with np.load(path) as file:
    arrays = dict(file)
  return arrays, arrays.pop('class_names')


def _load_safetensors(path):
  module = _safetensors()
  from safetensors import SafetensorError, safe_open
  try:
    with safe_open(path, 'np') as file:
      class_names = json.loads(file.metadata()['class_names'])
    return module.load_file(path), class_names
  except SafetensorError as error:
    raise ValueError(str(error)) from error


def _is_safetensors(path):
  return os.path.splitext(path)[1] == '.safetensors'


def _safetensors():
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
