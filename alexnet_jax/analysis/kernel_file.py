"""Reads the first-layer kernels of any network from a file of arrays.

The file is an .npz, .npy, .safetensors or .caffemodel file, from this program
(`--task=export`), Flax, PyTorch or Caffe. The position of the axis of three
colors determines the layout of an array, unless it is given.
"""

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from alexnet_jax.array_files import reading
from alexnet_jax.errors import InputError

FORMATS = ('.npz', '.npy', '.safetensors', '.caffemodel')
BGR = ('.caffemodel',)  # of these the colors are blue, green and red
OURS = '[K, h, w, 3, C]'
# The axes of an array that are h, w, 3 and N.
LAYOUTS = {
    '[h, w, 3, N]': (0, 1, 2, 3),  # Flax
    '[N, 3, h, w]': (2, 3, 1, 0),  # PyTorch
    '[N, h, w, 3]': (1, 2, 3, 0),
}
# The names that a person may give them.
LAYOUT_NAMES = dict(zip(('HWIO', 'OIHW', 'OHWI'), LAYOUTS, strict=True))
ORDERS = ('bgr', 'rgb')
FIRST_LAYER = 'conv1/kernel'  # the name that --task=export writes


class KernelFile(NamedTuple):
  """The kernels of a file and where they were found."""

  path: str
  name: str  # of the array; '' for an .npy file
  kernels: np.ndarray  # [K, h, w, 3, C] as in a checkpoint; K=1: one column


def read(source: str, layout: str = '', order: str = '') -> KernelFile:
  """Reads 'FILE' or 'FILE:NAME'.

  Without a name, it reads 'conv1/kernel' or else the only array that can be
  first-layer kernels.

  Args:
    source: the file, and the array in it.
    layout: one of LAYOUT_NAMES; '' tells it from the shape.
    order: 'rgb' or 'bgr', the order of the colors in the array; '' is that of
      the program that writes such files.

  Raises:
    InputError: the file or array does not exist, no array can be first-layer
      kernels, or the choice of array or layout is ambiguous.
  """
  path, name = split(source)
  arrays = _arrays(source, path)
  name = name or _only_one(path, arrays)
  if name not in arrays:
    raise InputError(f'{path} has no array {name!r} but'
                     f' {reading.listed(arrays)}: give --kernels=FILE:NAME with'
                     ' one of these names.')
  where = f'{path}:{name}' if name else path
  array = arrays[name]
  fitting = ([LAYOUT_NAMES[layout]] if layout else layouts(array.shape))
  if layout and (array.ndim != 4 or array.shape[layout.index('I')] != 3):
    raise InputError(f'{where} is {_shape(array)}, no kernels over three colors'
                     f' as {layout}: leave --layout out, or give another.')
  if not fitting:
    raise InputError(f'{where} is {_shape(array)}, no kernels over three'
                     f' colors: give an array of {_formats()}.')
  if len(fitting) > 1:
    raise InputError(
        f'{where}, {_shape(array)}, could be {" or ".join(fitting)}: save it'
        ' as [h, w, 3, N] in an .npy of its own, or add'
        f' {" or ".join(_flag(one) for one in fitting)}.')
  kernels = array.astype(np.float64)
  if fitting != [OURS]:
    kernels = kernels.transpose(LAYOUTS[fitting[0]])[None]
  is_bgr = os.path.splitext(path)[1].lower() in BGR
  if (order or ('bgr' if is_bgr else 'rgb')) == 'bgr':
    kernels = kernels[..., ::-1, :]
  return KernelFile(path, name, kernels)


def in_columns(kernels: np.ndarray, columns: int, source: str) -> np.ndarray:
  """Divides the kernels of a network that is stored as one column.

  Args:
    kernels: [K, h, w, 3, C].
    columns: number of columns, which have equal parts of the kernels in their
      order; 0 keeps those of the file.
    source: name of the kernels in error messages.

  Raises:
    InputError: the kernels have other columns, or cannot be divided evenly.
  """
  stored, maps = len(kernels), kernels.shape[-1]
  if columns in (0, stored):
    return kernels
  if stored > 1:
    raise InputError(f'--columns={columns}: {source} has {stored} columns'
                     ' already: leave --columns out.')
  if columns < 0 or maps % columns:
    raise InputError(f'--columns={columns} does not divide the {maps} kernels'
                     f' of {source}: give a divisor.')
  return np.concatenate(np.split(kernels, columns, axis=-1))


def split(source: str) -> tuple[str, str]:
  """Splits 'FILE:NAME' into (FILE, NAME) and 'FILE' into (FILE, '')."""
  source = os.path.expanduser(source)
  path, colon, name = source.rpartition(':')
  return (path, name) if colon and not os.path.exists(source) else (source, '')


def layouts(shape: Sequence[int]) -> list[str]:
  """Returns every layout of kernels over three colors that fits the shape.

  The kernels must be square, and there must be more than three of them: with
  three, 3x3 kernels over N maps could be mistaken for NxN kernels.
  """
  if len(shape) == 5:
    ours = shape[1] == shape[2] and shape[3] == 3 and min(shape) > 0
    return [OURS] if ours else []
  if len(shape) != 4:
    return []
  sizes = {name: [shape[axis] for axis in axes]
           for name, axes in LAYOUTS.items()}
  return [name for name, (height, width, colors, count) in sizes.items()
          if height == width > 0 and colors == 3 and count > 3]


def _arrays(source, path) -> Mapping[str, np.ndarray]:
  if not os.path.isfile(path):
    raise InputError(f'--kernels={source}: there is no file {path}; give an'
                     ' .npz, .npy or .safetensors, and behind a colon the name'
                     ' of an array in it.')
  ending = os.path.splitext(path)[1].lower()
  if ending not in FORMATS:
    raise InputError(
        f'--kernels={source} does not end in {", ".join(FORMATS)}: save the'
        ' arrays as one of these (a PyTorch state_dict with'
        ' safetensors.torch.save_file).')
  return reading.read(path)


def _only_one(path, arrays) -> str:
  fitting = {name: array for name, array in arrays.items()
             if layouts(array.shape)}
  if FIRST_LAYER in fitting:
    return FIRST_LAYER
  if not fitting:
    raise InputError(
        f'{path} has no kernels over three colors, only'
        f' {reading.listed(arrays)}: give a file with an array of'
        f' {_formats()}.')
  if len(fitting) > 1:
    raise InputError(
        f'{path} has several arrays that may be first-layer kernels,'
        f' {reading.listed(fitting)}: give --kernels={path}:NAME.')
  return next(iter(fitting))


def _flag(layout):
  return next(f'--layout={name}' for name, axes in LAYOUT_NAMES.items()
              if axes == layout)


def _formats():
  return f'{", ".join([OURS, *LAYOUTS][:-1])} or {list(LAYOUTS)[-1]}'


def _shape(array):
  return str(list(array.shape))
