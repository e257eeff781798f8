"""Sizes and checksums of the files of records, and what is said of damage."""

import hashlib
import json
import os
from collections.abc import Sequence

from alexnet_jax.errors import InputError


def damaged(path: str, reason: str) -> InputError:
  """Returns the error for a damaged file of the records."""
  return InputError(
      f'{path} is damaged ({reason}); remove {os.path.dirname(path)!r} and'
      ' prepare the records again.')


def describe_files(folder: str, names: Sequence[str]) -> dict[str, dict]:
  """Returns {'bytes': ..., 'sha256': ...} of files, by name."""
  return {name: {'bytes': os.path.getsize(os.path.join(folder, name)),
                 'sha256': sha256_of(os.path.join(folder, name))}
          for name in names}


def fingerprint(class_names: Sequence[str], described: dict[str, dict]) -> str:
  """Returns a text that identifies records by their classes and files."""
  content = [list(class_names),
             sorted((name, file['sha256']) for name, file in described.items())]
  return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def sha256_of(path: str) -> str:
  """Returns the checksum of a file, in hexadecimal."""
  with open(path, 'rb') as file:
    return hashlib.file_digest(file, 'sha256').hexdigest()


def check_sizes(paths: Sequence[str], described: dict[str, dict]) -> None:
  """Compares the sizes of files with those in `described`, if they are there.

  Raises:
    InputError: a file is missing or has another size.
  """
  for path in paths:
    if not os.path.isfile(path):
      raise damaged(path, 'it is missing')
    size = os.path.getsize(path)
    expected = described.get(os.path.basename(path), {}).get('bytes', size)
    if size != expected:
      raise damaged(path, f'it has {size:,} bytes in place of {expected:,}')
