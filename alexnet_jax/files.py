"""Atomic file writes: an interrupted run leaves no partial file."""

import json
import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from alexnet_jax import signals


@contextmanager
def atomic_write(path: str) -> Generator[BinaryIO]:
  """Opens PATH.part for writing and renames it to `path` when the block ends.

  Missing folders are created. If the block raises, PATH.part is removed and an
  existing file at `path` is unchanged.
  """
  os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
  part = f'{path}.part'
  signals.unfinished.add(part)
  try:
    with open(part, 'wb') as file:
      yield file
  except BaseException:
    with suppress(OSError):
      os.remove(part)
    raise
  os.replace(part, path)


def write_json(path: str, content: Any) -> None:
  """Atomically writes `content` as indented JSON with a final newline."""
  with atomic_write(path) as file:
    file.write(json.dumps(content, indent=2).encode() + b'\n')
