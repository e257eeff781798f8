"""Makes a `Network` from a run, a weights file or a config."""

import logging
import os
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import numpy as np
from ml_collections import ConfigDict

from alexnet_jax import config_files, files
from alexnet_jax.errors import InputError, printable
from alexnet_jax.learning import augment
from alexnet_jax.library.network import Network
from alexnet_jax.network import placement
from alexnet_jax.run import typed_config, weights
from alexnet_jax.run.trained import (
  Trained,
  initial,
  open_trained,
  open_weights,
)

CLASSES = 1000  # of a network that is built without data, as in the paper


def load(path: str | os.PathLike[str]) -> Network:
  """Loads a network that was trained or exported before.

  Args:
    path: the workdir of a run, whose latest checkpoint is used; WORKDIR@best or
      WORKDIR@STEP for another; an .npz or .safetensors file that --task=export
      wrote; or the name of a network of this package, 'tiny_imagenet_small'.

  Raises:
    InputError: there is no such network, or its files are damaged.
  """
  name = os.path.expanduser(os.fspath(path))
  with _without_warnings():
    file = name if os.path.exists(name) else weights.shipped(name)
    if os.path.isfile(file):
      return Network(open_weights(file))
    workdir, checkpoint = split(name)
    if not os.path.isdir(workdir):
      raise InputError(f'there is no {printable(workdir)}: give the workdir of'
                       ' a run, or a weights file that --task=export wrote.')
    try:
      return Network(open_trained(workdir, checkpoint))
    except OSError as error:
      raise InputError(
          files.sentence_of(error) or f'{printable(workdir)} cannot be read'
          f' ({error}): give another workdir.') from error


def split(run: str) -> tuple[str, str]:
  """'WORKDIR@STEP' -> (WORKDIR, STEP); without @STEP it is 'latest'."""
  workdir, at, checkpoint = run.rpartition('@')
  if os.path.exists(run) or not at:
    return run, 'latest'
  return workdir, checkpoint


def build(config: ConfigDict | str | os.PathLike[str],
          classes: int | Sequence[str] | None = None) -> Network:
  """Builds the network of a config with its initial parameters.

  The parameters are those with which a run of the same config begins. There is
  no mean image yet: the statistics of the images are zeros.

  Args:
    config: a config, or its file as --config takes it, such as
      'configs/ablations.py:no_norm,paper'.
    classes: the number or the names of the classes. Without them they are those
      of config.data, or 1000 if there are no such data here.

  Raises:
    InputError: there is no such config, or a field is invalid.
  """
  if not isinstance(config, ConfigDict):
    config = _read_config(os.path.expanduser(os.fspath(config)))
  settings = typed_config.read(config)
  names = _class_names(settings, classes)
  mesh = placement.make_mesh(settings.mesh.data, settings.mesh.column,
                           settings.model.num_columns)
  model = settings.build_model(mesh, len(names))
  size = settings.data.image_size
  stats = augment.PixelStats(
      np.zeros((size, size, 3), np.float32), np.eye(3, dtype=np.float32),
      np.zeros(3, np.float32))
  return Network(initial(Trained(
      'a config', 0, settings, names, mesh, model, None, stats)))


def _class_names(settings, classes):
  if classes is None:
    try:
      return tuple(settings.open_split('train').class_names)
    except (InputError, OSError):
      classes = CLASSES
  if not isinstance(classes, int):
    return tuple(map(str, classes))
  if classes < 1:
    raise InputError(f'classes={classes} is no number of classes: give 1 or'
                     ' more.')
  return tuple(f'class {i}' for i in range(classes))


def _read_config(value: str) -> ConfigDict:
  path = os.path.abspath(value.partition(':')[0])
  folder = os.path.dirname(path)
  while os.path.basename(folder) != 'configs' and folder != os.path.dirname(
      folder):
    folder = os.path.dirname(folder)
  # The files of configs/ import each other from the folder above it.
  sys.path.insert(0, os.path.dirname(folder))
  try:
    return config_files.load(value)
  finally:
    sys.path.remove(os.path.dirname(folder))


@contextmanager
def _without_warnings() -> Generator[None]:
  """Keeps Orbax from warning that the checkpoints are opened to be read."""
  logger = logging.getLogger('absl')
  level = logger.level
  logger.setLevel(logging.ERROR)
  try:
    yield
  finally:
    logger.setLevel(level)
