"""Reads the arrays of a file, whichever program wrote it.

A file says how large its arrays are before their numbers follow. Each size is
compared with the file and with MOST_BYTES first, so that no file can ask for
more memory than it fills.
"""

import contextlib
import json
import math
import os
import zipfile
from collections.abc import Generator, Mapping
from typing import IO, Any

import ml_dtypes  # noqa: F401 (numpy learns bfloat16 from it)
import numpy as np

from alexnet_jax.array_files import caffe, pickled
from alexnet_jax.errors import InputError

TORCH = ('.pth', '.pt')
# In the order in which messages name them.
FORMATS = ('.npz', '.npy', '.safetensors', '.caffemodel', '.pkl', *TORCH)
# The two-column net of 21,843 classes has 110 million numbers of 8 bytes.
MOST_BYTES = 2**30
LISTED, LONGEST = 12, 60  # arrays that a message names; characters of a name
MOST_ITEMS = 100_000
MOST_LEVELS = 8  # of dictionaries in a dictionary
# Under these names training programs store the parameters beside others.
NESTED = ('state_dict', 'model_state_dict', 'model')


def read(path: str) -> dict[str, np.ndarray]:
  """Returns the arrays of a file by their names, '' in an .npy of one array.

  Levels of nested dictionaries and lists are separated by '/': 'conv1/weights',
  'conv1/0'. A dictionary in a list counts by its 'name', if it has one.

  Raises:
    InputError: the file does not exist, has another format, is damaged, holds
      objects other than arrays or more than MOST_BYTES, or needs a package that
      is not installed.
  """
  ending = os.path.splitext(path)[1].lower()
  if not os.path.isfile(path):
    what = 'is a folder' if os.path.isdir(path) else 'does not exist'
    raise InputError(f'{path} {what}: give a file of arrays,'
                     f' {_any_of(FORMATS)}.')
  if ending not in FORMATS:
    raise InputError(
        f'{path} does not end in {_any_of(FORMATS)}: save the arrays as one of'
        ' these (a PyTorch state_dict with safetensors.torch.save_file).')
  with readable(path, ending):
    if os.path.getsize(path) > MOST_BYTES:
      raise ValueError(_too_large(os.path.getsize(path)))
    return _read(path, ending)


def card(path: str) -> Mapping[str, Any]:
  """Returns the card in a file that `read` can read, or {} without one.

  Files of --task=export --format=torch have a card, which describes the
  network.
  """
  ending = os.path.splitext(path)[1].lower()
  with readable(path, ending):
    if ending == '.safetensors':
      from safetensors import safe_open
      with safe_open(path, 'np') as file:
        text = (file.metadata() or {}).get('card')
    elif ending in TORCH:
      text = _import_torch(path).load(
          path, map_location='cpu', weights_only=True).get('card')
    else:
      return {}
  try:
    found = json.loads(text) if isinstance(text, str) else {}
  except (ValueError, RecursionError):  # not of this program
    return {}
  return found if isinstance(found, Mapping) else {}


def listed(arrays: Mapping[str, np.ndarray]) -> str:
  """Returns 'a [2, 3], b [4] and 7 more' for a message."""
  shown = [f'{_printable(name)} {list(array.shape)}'.strip()
           for name, array in list(arrays.items())[:LISTED]]
  more = len(arrays) - len(shown)
  return (', '.join(shown) + (f' and {more} more' if more else '')
          if shown else 'nothing')


def _printable(text):
  return ''.join(c if c.isprintable() else '?' for c in text)[:LONGEST]


@contextlib.contextmanager
def readable(path: str, ending: str) -> Generator[None]:
  """Turns whatever a damaged file raises into one sentence.

  Args:
    path: the file.
    ending: of its name, such as '.npz'.

  Raises:
    InputError: the block raised an exception.
  """
  try:
    yield
  except InputError:
    raise
  # Libraries raise almost anything on damaged files.
  except Exception as error:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    if isinstance(error, OSError) and error.strerror:
      reason = error.strerror
    raise InputError(f'{path} cannot be read as an {ending} file'
                     f' ({reason[:200]}): write it again, or give another.'
                     ) from error


def _read(path, ending) -> dict[str, np.ndarray]:
  if ending == '.npz':
    return _npz(path)
  if ending == '.safetensors':
    return _safetensors(path)
  if ending in TORCH:
    return _torch(path)
  with open(path, 'rb') as file:
    if ending == '.caffemodel':
      return caffe.read_model(file.read())
    if ending == '.pkl':
      return _flattened(pickled.load(file))
    return _npy(file, os.path.getsize(path))


# --- NumPy --------------------------------------------------------------------


def _npz(path):
  arrays = {}
  with zipfile.ZipFile(path) as archive:
    entries = archive.infolist()
    size = sum(entry.file_size for entry in entries)
    if size > MOST_BYTES:
      raise ValueError(_too_large(size))
    for entry in entries:
      with archive.open(entry) as file:
        arrays[entry.filename.removesuffix('.npy')] = _one_npy(
            file, entry.file_size)
  return arrays


def _npy(file, size):
  """Reads a file of one array, or of a dictionary of arrays."""
  head = _npy_header(file)
  if not head[2].hasobject:
    file.seek(0)
    return {'': _one_npy(file, size)}
  boxed = pickled.load(file)
  if not isinstance(boxed, pickled.Array) or boxed.array.size != 1:
    raise ValueError('it holds objects, not arrays')
  return _flattened(boxed.array.item())


def _one_npy(file: IO[bytes], size: int) -> np.ndarray:
  shape, fortran, kind = _npy_header(file)
  if kind.hasobject:
    raise ValueError('it holds objects, not arrays')
  needed = math.prod(shape) * kind.itemsize
  if min(shape, default=0) < 0 or needed > size - file.tell():
    raise ValueError(f'an array of shape {shape} is cut short')
  array = np.frombuffer(file.read(needed), kind)
  return array.reshape(shape, order='F' if fortran else 'C')


def _npy_header(file):
  version = np.lib.format.read_magic(file)
  readers = {(1, 0): np.lib.format.read_array_header_1_0,
             (2, 0): np.lib.format.read_array_header_2_0}
  if version not in readers:
    raise ValueError(f'its version {version} is not known')
  return readers[version](file)


def _flattened(tree: Any) -> dict[str, np.ndarray]:
  """Flattens dictionaries and lists of arrays; skips what is no array."""
  arrays, size, count = {}, 0, 0

  def visit(item: Any, names: tuple[str, ...]):
    nonlocal size, count
    count += 1
    if len(names) > MOST_LEVELS or count > MOST_ITEMS:
      raise ValueError(f'it has more than {MOST_LEVELS} levels or'
                       f' {MOST_ITEMS:,} parts')
    item = item.array if isinstance(item, pickled.Array) else item
    if isinstance(item, Mapping):
      for name, value in item.items():
        visit(value, (*names, _text(name)))
    elif isinstance(item, (list, tuple)):
      for i, value in enumerate(item):
        visit(value, (*names, _name_of(value) or str(i)))
    elif isinstance(item, np.ndarray) and item.ndim:
      size += item.nbytes
      if size > MOST_BYTES:
        raise ValueError(_too_large(size))
      arrays['/'.join(names)] = item

  visit(tree, ())
  return arrays


def _name_of(item):
  if not isinstance(item, Mapping):
    return ''
  return _text(item.get('name', item.get(b'name', '')))


def _text(name):
  return name.decode(errors='replace') if isinstance(name, bytes) else str(name)


# --- Other programs -----------------------------------------------------------


def _safetensors(path):
  try:
    from safetensors.numpy import load_file
  except ImportError as error:
    raise InputError(
        f'{path} needs a package that is not installed: run pip install'
        ' safetensors (the extra `export`), or save the arrays as an .npz.'
    ) from error
  return load_file(path)


def _import_torch(path):
  try:
    import torch
  except ImportError as error:
    raise InputError(
        f'{path} needs PyTorch, which is not installed: run pip install torch,'
        ' or save the state_dict with safetensors.torch.save_file where it is.'
    ) from error
  return torch


def _torch(path):
  torch = _import_torch(path)
  if zipfile.is_zipfile(path):
    with zipfile.ZipFile(path) as archive:
      size = sum(entry.file_size for entry in archive.infolist())
    if size > MOST_BYTES:
      raise ValueError(_too_large(size))
  loaded = torch.load(path, map_location='cpu', weights_only=True)
  for name in NESTED:
    if isinstance(loaded, Mapping) and isinstance(loaded.get(name), Mapping):
      loaded = loaded[name]
  tensors = {str(name): tensor for name, tensor in loaded.items()
             if isinstance(tensor, torch.Tensor)}
  size = sum(tensor.numel() * tensor.element_size()
             for tensor in tensors.values())
  if size > MOST_BYTES:
    raise ValueError(_too_large(size))
  return {name: _numpy(tensor.detach(), torch)
          for name, tensor in tensors.items()}


def _numpy(tensor, torch):
  if tensor.layout != torch.strided:
    tensor = tensor.to_dense()
  if tensor.dtype == torch.bfloat16:  # NumPy has none
    tensor = tensor.float()
  return tensor.numpy()


def _too_large(size):
  return (f'it holds {size / 2**30:.1f} GiB, and no network here more than'
          f' {MOST_BYTES / 2**30:.0f}')


def _any_of(endings):
  return f'{", ".join(endings[:-1])} or {endings[-1]}'
