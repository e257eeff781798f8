"""A restricted unpickler: a file can only ask for NumPy arrays.

Python's own unpickler runs whatever a file names. Here arrays and their types
are stand-ins that look at the sizes first, because NumPy would reserve whatever
memory a file asks for.
"""

import collections
import io
import math
import pickle
import pickletools
import re
from typing import Any, BinaryIO

import numpy as np

KINDS = re.compile(r'[?bBiufcSUVO]\d*')  # 'f4', 'O', ...


class Array:
  """An array of the file; `array` and `np.asarray` give it."""

  array = np.zeros(0)

  def __setstate__(self, state: Any):
    _, shape, kind, fortran, data = state
    dtype, count = kind.dtype, math.prod(shape)
    if dtype.hasobject:
      if len(data) != count:
        raise ValueError(f'an array of shape {shape} has {len(data)} objects')
      array = np.empty(count, object)
      for i, item in enumerate(data):
        array[i] = item
    else:
      data = data.encode('latin1') if isinstance(data, str) else data
      if len(data) != count * dtype.itemsize:
        raise ValueError(f'an array of shape {shape} has {len(data)} bytes')
      array = np.frombuffer(data, dtype)
    self.array = array.reshape(shape, order='F' if fortran else 'C')

  def __array__(self, dtype: Any = None, copy: bool | None = None):
    return np.array(self.array, dtype, copy=copy)


class _Kind:
  """The type of the numbers of an array."""

  def __init__(self, code: Any, *_: Any):
    code = code.decode() if isinstance(code, bytes) else str(code)
    if not KINDS.fullmatch(code):
      raise pickle.UnpicklingError(f'it asks for numbers of type {code[:20]}')
    self.dtype = np.dtype(code)

  def __setstate__(self, state: Any):
    order = state[1].decode() if isinstance(state[1], bytes) else state[1]
    if order in ('<', '>'):
      self.dtype = self.dtype.newbyteorder(order)


# What a pickle calls has no attributes that it could set.
class _Reconstruct:
  __slots__ = ()

  def __call__(self, *_: Any) -> Array:
    return Array()


class _MakeKind:
  __slots__ = ()

  def __call__(self, *arguments: Any) -> _Kind:
    return _Kind(*arguments)


class _Encode:
  """The bytes of an array; other codecs could make them grow without end."""

  __slots__ = ()

  def __call__(self, text: str, encoding: str = 'latin1') -> bytes:
    if encoding not in ('latin1', 'latin-1'):
      raise pickle.UnpicklingError(f'it asks for the codec {encoding}')
    return text.encode(encoding)


# With any protocol, and from NumPy 1 or 2.
ALLOWED = {
    ('numpy._core.multiarray', '_reconstruct'): _Reconstruct(),
    ('numpy', 'ndarray'): 'ndarray', ('numpy', 'dtype'): _MakeKind(),
    ('_codecs', 'encode'): _Encode(),
    ('collections', 'OrderedDict'): collections.OrderedDict}


class _ArraysOnly(pickle.Unpickler):

  def find_class(self, module, name):
    module = module.replace('numpy.core', 'numpy._core')
    if (module, name) not in ALLOWED:
      raise pickle.UnpicklingError(f'it asks for {module}.{name}')
    return ALLOWED[module, name]


def load(file: BinaryIO) -> Any:
  """Reads a pickle; strings of Python 2 are bytes, arrays are of type Array.

  Raises:
    Exception: of almost any kind if the file is damaged;
      pickle.UnpicklingError if it asks for anything but arrays.
  """
  data = file.read()
  _check_numbers(data)
  return _ArraysOnly(io.BytesIO(data), encoding='bytes').load()


def _check_numbers(data):
  """The unpickler reserves as many places as the highest number of an object.

  A pickle numbers its objects one after the other.
  """
  try:
    for count, (opcode, number, _) in enumerate(pickletools.genops(data), 1):
      if opcode.name in ('PUT', 'BINPUT', 'LONG_BINPUT') and (
          number or 0) > count:
        raise pickle.UnpicklingError(f'it numbers an object {number}')
  except ValueError as error:
    raise pickle.UnpicklingError('pickle data was truncated') from error
