"""A restricted unpickler: a file can only ask for NumPy arrays.

Python's own unpickler runs whatever a file names.
"""

import pickle
from typing import Any, BinaryIO

# With any protocol, and from NumPy 1 or 2.
ALLOWED = {
    ('numpy._core.multiarray', '_reconstruct'), ('numpy', 'ndarray'),
    ('numpy', 'dtype'), ('collections', 'OrderedDict')}


class _ArraysOnly(pickle.Unpickler):

  def find_class(self, module, name):
    module = module.replace('numpy.core', 'numpy._core')
    if (module, name) == ('_codecs', 'encode'):
      return _bytes
    if (module, name) not in ALLOWED:
      raise pickle.UnpicklingError(f'it asks for {module}.{name}')
    return super().find_class(module, name)


def _bytes(text: str, encoding: str = 'latin1') -> bytes:
  """The bytes of an array; other codecs could make them grow without end."""
  if encoding not in ('latin1', 'latin-1'):
    raise pickle.UnpicklingError(f'it asks for the codec {encoding}')
  return text.encode(encoding)


def load(file: BinaryIO) -> Any:
  """Reads a pickle; strings of Python 2 are bytes.

  Raises:
    Exception: of almost any kind if the file is damaged;
      pickle.UnpicklingError if it asks for anything but arrays.
  """
  return _ArraysOnly(file, encoding='bytes').load()
