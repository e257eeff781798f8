"""The packed binary codes of all images, beside their auto-encoder (6.1).

Codes of the last hidden layer are in WORKDIR/codes/bits_64 and so on, those of
another layer, or of pixels, in WORKDIR/codes_LAYER/bits_64.
"""

import os
import re
from typing import NamedTuple

import numpy as np

from alexnet_jax import files
from alexnet_jax.analysis import compression, hamming
from alexnet_jax.analysis.features import Features, folder_of, layer_of
from alexnet_jax.errors import InputError

FOLDER = 'codes'  # in the workdir of the network's run
LENGTH = re.compile(r'bits_(\d+)')  # the folder of an auto-encoder


class Codes(NamedTuple):
  """The codes of all images, in the order of their features."""

  bits: int
  train: np.ndarray  # packed, uint32 [N, bits / 32]
  validation: np.ndarray


def folder(workdir: str, layer: str) -> str:
  """Returns the folder of all codes of a layer.

  Args:
    workdir: the workdir of the network's run.
    layer: as `features.named_layer` returns it.
  """
  return folder_of(workdir, FOLDER, layer)


def write(at: str, codes: Codes) -> None:
  """Writes codes of one length into their folder, FOLDER/bits_64 and so on."""
  for name in ('train', 'validation'):
    with files.atomic_write(_file(at, name)) as file:
      np.save(file, getattr(codes, name))


def longest(workdir: str, training: Features,
            validation: Features) -> Codes | None:
  """Opens the longest codes of these features; None if there are none.

  Args:
    workdir: the workdir of the network's run.
    training: features of the training set.
    validation: features of the validation set.

  Raises:
    InputError: the codes are damaged, or of other features.
  """
  home = folder(workdir, layer_of(training.index))
  names = os.listdir(home) if os.path.isdir(home) else ()
  lengths = [int(found[1]) for found in map(LENGTH.fullmatch, names) if found]
  for bits in sorted(lengths, reverse=True):
    at = os.path.join(home, f'bits_{bits}')
    if os.path.exists(_file(at, 'validation')):  # The last that is written.
      _check_origin(at, training, validation)
      return Codes(bits, _read(at, 'train', bits, len(training.labels)),
                   _read(at, 'validation', bits, len(validation.labels)))
  return None


def _file(at, name):
  return os.path.join(at, f'{name}.npy')


def _check_origin(at, training, validation):
  ours = compression.identity(training, validation)
  if compression.saved_config(at, ours).get('features') != ours:
    raise InputError(
        f'{at} has codes of other features than {training.folder}: remove that'
        ' folder, and make the codes again with --task=codes.')


def _read(at, name, bits, count):
  path = _file(at, name)
  try:
    codes = np.load(path)
    if codes.shape != (count, bits // hamming.WORD) or codes.dtype != np.uint32:
      raise ValueError(f'it is not of {count:,} images')
  except (OSError, ValueError) as error:
    raise InputError(
        f'{path} is damaged ({error}): remove it, and make the codes again with'
        ' --task=codes.') from error
  return codes
