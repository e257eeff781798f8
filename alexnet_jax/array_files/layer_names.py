"""Finds the layers of AlexNet in a file by the names of each program."""

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from alexnet_jax.array_files import reading
from alexnet_jax.errors import InputError

# {'conv1': {'kernel': ..., 'bias': ...}, ...} with the arrays of a file.
Named = dict[str, dict[str, np.ndarray]]

TORCHVISION = {
    'features.0': 'conv1', 'features.3': 'conv2', 'features.6': 'conv3',
    'features.8': 'conv4', 'features.10': 'conv5', 'classifier.1': 'fc6',
    'classifier.4': 'fc7', 'classifier.6': 'fc8'}
KERNEL = ('0', 'W', 'w', 'weight', 'weights', 'kernel')
BIAS = ('1', 'b', 'bias', 'biases')
KINDS = dict.fromkeys(KERNEL, 'kernel') | dict.fromkeys(BIAS, 'bias')
# The full layers of the 2012 program, by what follows 'fc' and the width.
FULL_2012 = {'a': 'fc6', 'b': 'fc6', 'ba': 'fc7', 'bb': 'fc7', '': 'fc8'}


class Published(NamedTuple):
  """The arrays of a file by our layers, and how the file writes them."""

  program: str  # 'torchvision', 'Caffe' or 'the 2012 program'
  order: str  # 'rgb' or 'bgr', the colors that conv1 reads
  arrays: Named
  unused: tuple[str, ...]  # classifiers with other names


def recognize(path: str, arrays: Mapping[str, np.ndarray]) -> Published:
  """Finds the layers of AlexNet by the names that each program gives them.

  Args:
    path: the file, for messages.
    arrays: the arrays of the file by their names.

  Raises:
    InputError: the names are those of another network or of this program.
  """
  if 'pixels/mean' in arrays:
    raise InputError(
        f'{path} was written by --task=export: start a run from it with'
        f' --init_from={path}.')
  # PyTorch's DataParallel and the 2012 program put these before a name; that
  # program stores the last step of every weight beside it.
  every = {re.sub(r'(^|\.)module\.|^(model_state/)?layers/', r'\1', name): array
           for name, array in arrays.items()
           if not re.search(r'Inc(/\d)?$', name)}
  for program, order, read in (('torchvision', 'rgb', _torchvision_name),
                               ('the 2012 program', 'rgb', _name_of_2012),
                               ('Caffe', 'bgr', _caffe_name)):
    places = {name: read(name) for name in every}
    known = {name: place for name, place in places.items() if place}
    if known:
      return _named(path, program, order, every, known)
  raise InputError(
      f'{path} has none of the layers of AlexNet, only'
      f" {reading.listed(every)}: give weights of torchvision's alexnet, of"
      " Caffe's bvlc_alexnet or"
      ' bvlc_reference_caffenet, or of the 2012 program.')


def _named(path, program, order, every, known) -> Published:
  rest = {name: array for name, array in every.items() if name not in known}
  unused = {re.split(r'[./]', name)[0] for name in rest
            if re.match(r'fc8\w', name)}
  foreign = {name: array for name, array in rest.items()
             if not re.match(r'fc8\w', name) and array.size > 1}
  if foreign:
    raise InputError(
        f'{path} has {reading.listed(foreign)} beside the layers of'
        f" {program}'s AlexNet: give the weights of an AlexNet without further"
        ' layers.')
  for name in known:
    if not are_finite(every[name]):
      raise InputError(f'{reading.listed({name: every[name]})} of {path} are'
                       ' not all finite numbers: give a file that is not'
                       ' damaged.')
  arrays: Named = {}
  if program == 'the 2012 program':
    arrays = _joined_columns(path, every, known)
  else:
    for name, (layer, kind) in known.items():
      arrays.setdefault(layer, {})[kind] = every[name]
  return Published(program, order, arrays, tuple(sorted(unused)))


def are_finite(array: np.ndarray) -> bool:
  """Returns whether an array has numbers, all of them finite in float32."""
  if array.dtype.kind not in 'fiuV':  # V: bfloat16
    return False
  try:
    with np.errstate(all='ignore'):  # a warning beside the sentence
      return bool(np.isfinite(array.astype(np.float32)).all())
  except (TypeError, ValueError):
    return False


def _torchvision_name(name):
  layer, _, kind = name.rpartition('.')
  known = layer in TORCHVISION and kind in ('weight', 'bias')
  return (TORCHVISION[layer], KINDS[kind]) if known else None


def _caffe_name(name):
  match = re.fullmatch(r'(conv[1-5]|fc[678])[./_](\w+)', name)
  known = match and match[2] in KINDS
  return (match[1], KINDS[match[2]]) if known else None


def _name_of_2012(name):
  """Returns (layer, kind, column, input), such as ('conv3', 'kernel', 1, 0)."""
  match = re.fullmatch(
      r'(?:(conv[1-5])([ab])|fc\d{2,}([ab]?|b[ab]))/(weights|biases)(?:/(\d))?',
      name)
  if not match:
    return None
  conv, column, full, kind, i = match.groups()
  layer = conv or FULL_2012[full]
  return layer, KINDS[kind], (column or full)[-1:] == 'b', int(i or 0)


def _joined_columns(path, every, known) -> Named:
  """Joins the matrices of the columns, inputs along rows: still 2012's form."""
  parts: dict[str, dict[str, dict[bool, dict[int, np.ndarray]]]] = {}
  for name, (layer, kind, column, i) in known.items():
    parts.setdefault(layer, {}).setdefault(kind, {}).setdefault(
        column, {})[i] = every[name]
  try:
    return {layer: {kind: np.concatenate([
        np.concatenate([np.atleast_2d(inputs[i]) for i in sorted(inputs)])
        for _, inputs in sorted(by_column.items())], axis=1)
                    for kind, by_column in kinds.items()}
            for layer, kinds in parts.items()}
  except ValueError as error:
    raise InputError(
        f'{path} has columns of different sizes, {reading.listed(every)}: give'
        ' the weights of both columns of one network.') from error
