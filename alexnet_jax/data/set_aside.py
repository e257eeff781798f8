"""Sets pictures aside for validation where there is no folder for it."""

import hashlib
import os
from collections.abc import Mapping, Sequence

from alexnet_jax.data import walk
from alexnet_jax.errors import InputError


def set_aside(root: str, pictures: Mapping[str, Sequence[str]], split: str,
              fraction: float) -> dict[str, list[str]]:
  """Returns the pictures of a split, chosen by comparing hash and fraction.

  The split of a picture depends on its path alone, so adding pictures does not
  move existing ones. The exception is a class so small that one split would be
  empty: the picture whose hash is closest to the fraction is then moved there.

  Args:
    root: the folder of the pictures.
    pictures: {class: paths}.
    split: 'train' or 'validation'.
    fraction: share of the pictures that is set aside for validation.

  Raises:
    InputError: `fraction` is not between 0 and 1.
  """
  if not 0 < fraction < 1:
    raise InputError(
        f'config.data.validation_fraction={fraction} does not leave pictures '
        'for both splits; give a number between 0 and 1, such as 0.1.')
  chosen = {}
  for name, paths in pictures.items():
    ranked = sorted((_position(root, path), path) for path in paths)
    count = sum(position < fraction for position, _ in ranked)
    # At least one picture in each split; a single picture is for training.
    count = min(max(count, 1), len(ranked) - 1)
    side = ranked[:count] if split == 'validation' else ranked[count:]
    chosen[name] = sorted(path for _, path in side)
  return chosen


def _position(root: str, path: str) -> float:
  """Hashes a picture's path relative to the root to a number in 0..1."""
  relative = walk.nfc(os.path.relpath(path, root).replace(os.sep, '/'))
  digest = hashlib.blake2b(os.fsencode(relative), digest_size=8).digest()
  return int.from_bytes(digest, 'big') / 2**64
