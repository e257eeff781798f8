"""A network's parameters by name: as a file, and as the start of another one.

The file is an .npz: 'conv1/kernel', 'conv1/bias' and so on to 'fc8/bias', each
but fc8 with the leading axis K of columns; 'class_names'; and of the images it
was trained on 'pixels/mean' [S, S, 3], 'pixels/directions' [3, 3] and
'pixels/stddevs' [3], as in `augment.Pixels`. Numpy alone reads it.
"""

import zipfile
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from alexnet_jax import files as whole
from alexnet_jax.errors import InputError
from alexnet_jax.learning.augment import Pixels
from alexnet_jax.network.models import Model

# {'conv1': {'kernel': ..., 'bias': ...}, ...}, from bottom to top.
Layers = Mapping[str, Mapping[str, jax.Array | np.ndarray]]


class Weights(NamedTuple):
  """A network without the program around it."""

  layers: Layers
  pixels: Pixels
  class_names: tuple[str, ...]


def layers_of(model: Model, params: Any) -> Layers:
  """Parameters as a model holds them -> layer by layer, from bottom to top."""
  below = {layer.name: params['columns'][layer.name] for layer in model.layers}
  return below | {'fc8': params['fc8']}


def params_of(layers: Layers) -> Any:
  """The way back."""
  below = {name: held for name, held in layers.items() if name != 'fc8'}
  return {'columns': below, 'fc8': layers['fc8']}


# --- As a file ----------------------------------------------------------------


def save(path: str, weights: Weights) -> None:
  """Writes an .npz, of which nobody ever sees a half."""
  arrays = {f'{layer}/{kind}': leaf for layer, held in weights.layers.items()
            for kind, leaf in held.items()}
  arrays |= {f'pixels/{name}': leaf
             for name, leaf in weights.pixels._asdict().items()}
  arrays['class_names'] = np.array(weights.class_names)
  with whole.write(path) as file:
    np.savez(file, **jax.device_get(arrays))


def load(path: str) -> Weights:
  """Reads what `save` wrote.

  Raises:
    InputError: it did not write that.
  """
  try:
    with np.load(path) as file:
      arrays = dict(file)
    class_names = tuple(map(str, arrays.pop('class_names')))
    pixels = Pixels(*(arrays.pop(f'pixels/{name}') for name in Pixels._fields))
    layers = {}
    for name, leaf in arrays.items():
      layer, kind = name.split('/')
      layers.setdefault(layer, {})[kind] = leaf
  except (EOFError, KeyError, OSError, TypeError, ValueError,
          zipfile.BadZipFile) as error:
    raise InputError(
        f'{path} cannot be read as weights: give a file that --task=export'
        ' wrote, or the workdir of a run.') from error
  return Weights(layers, pixels, class_names)


# --- As a start ---------------------------------------------------------------


class Fit(NamedTuple):
  """What one network can take from another."""

  layers: Layers  # of the new network, taken or fresh
  kept: Sequence[str]  # names of those that were taken
  new: Sequence[str]  # and of those above
  reason: str  # why the lowest of these is new


def fit(fresh: Layers, given: Layers, same_classes: bool) -> Fit:
  """Takes the layers of `given` from the bottom up, as far as both agree.

  Weights mean something only on the maps that they were trained on. So the
  first layer that is not there, or has other shapes, is new, and so is all that
  stands above it: as the 2012 program kept conv1 to conv5 when it put conv6
  over them (net #146-2009).

  Args:
    fresh: of the new network.
    given: of the pre-trained one.
    same_classes: keep fc8 too.
  """
  names, reason = list(fresh), ''
  for height, name in enumerate(names):
    reason = _misfit(name, fresh, given, height, same_classes)
    if reason:
      break
  kept = names[:height] if reason else names
  taken = {name: given[name] for name in kept}
  return Fit({**fresh, **taken}, kept, names[len(kept):], reason)


def _misfit(name, fresh, given, height, same_classes) -> str:
  there = list(given)
  if name not in there:
    return f'there is no {name} there'
  if there[height] != name:
    return f'{there[height]} stands below it there'
  ours, theirs = fresh[name], given[name]
  if name == 'fc8' and not same_classes:
    counts = [held['bias'].shape[-1] for held in (theirs, ours)]
    return (f'{counts[0]} classes there, {counts[1]} here'
            if counts[0] != counts[1] else 'other classes there')
  for kind in sorted(ours, reverse=True):  # the kernel says more than the bias
    if kind not in theirs:
      return f'there is no {name}/{kind} there'
    if theirs[kind].shape != ours[kind].shape:
      return (f'{name}/{kind} is {theirs[kind].shape} there,'
              f' {ours[kind].shape} here')
  return ''


def summary(fitted: Fit, where: str) -> str:
  """'Took conv1 to fc7 from X; fc8 is new (12 classes there, 2 here).'"""
  taken = f'Took {_range(fitted.kept)} from {where}'
  if not fitted.new:
    return f'{taken}.'
  verb = 'is' if len(fitted.new) == 1 else 'are'
  return f'{taken}; {_range(fitted.new)} {verb} new ({fitted.reason}).'


def _range(names):
  return names[0] if len(names) == 1 else f'{names[0]} to {names[-1]}'
