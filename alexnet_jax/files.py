"""Files that are there whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def write(path: str) -> Iterator[BinaryIO]:
  """What is written here gets its name when the block has ended well.

  Until then it is PATH.part. Folders on the way are made.
  """
  os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
  with open(f'{path}.part', 'wb') as file:
    yield file
  os.replace(f'{path}.part', path)
