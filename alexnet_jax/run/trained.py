"""A trained network, opened from its workdir alone."""

import os
from typing import Any, NamedTuple

from jax.sharding import Mesh
from ml_collections import ConfigDict

from alexnet_jax.data import records
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.learning.augment import Pixels
from alexnet_jax.network.models import Model
from alexnet_jax.run import checkpoint, experiment


class Trained(NamedTuple):
  """What a checkpoint knows: no data set is needed to use it."""

  workdir: str
  step: int
  config: ConfigDict  # of the run
  class_names: tuple[str, ...]
  mesh: Mesh
  model: Model
  params: Any
  pixels: Pixels  # mean image and colours of its training set


def open_trained(workdir: str, which: str = 'latest', data: int = 1,
                 column: int = 1) -> Trained:
  """Opens a checkpoint of any run.

  Args:
    workdir: of the run.
    which: 'latest', 'best' or a step.
    data: devices that share a batch.
    column: devices that share the columns.

  Raises:
    InputError: no such checkpoint, or too few devices.
  """
  checkpoint.must_exist(workdir)
  with checkpoint.open_to_read(workdir) as manager:
    step = checkpoint.find_step(manager, which, workdir)
    about = checkpoint.about(manager, step)
    config = ConfigDict(_tuples(about.config))
    config.mesh.data, config.mesh.column = data, column
    try:
      built = experiment.build(config, len(about.class_names),
                               about.train_examples)
    except (AttributeError, KeyError) as error:
      raise InputError(
          f'{workdir} was saved with an older set of config fields ({error}):'
          ' train it again.') from error
    state = checkpoint.restore(
        manager, step, experiment.state_shapes(config, built))
  return Trained(os.path.normpath(workdir), step, config, about.class_names,
                 built.mesh, built.model, state.params, state.pixels)


def open_split(trained: Trained, split: str, path: str = '') -> Source:
  """The images that a network was trained or validated on, or others.

  Args:
    trained: the network, whose config names its data and their size.
    split: 'train' or 'validation'.
    path: records, or a folder of pictures, in place of the run's own; a data
      set that is neither keeps its name and is looked for there.

  Raises:
    InputError: no such data.
  """
  config = trained.config.copy_and_resolve_references()
  if path:
    config.data.path = path
    if config.data.name not in ('imagenet2012', 'cifar10'):
      meta = os.path.join(os.path.expanduser(path), records.META)
      config.data.name = 'records' if os.path.exists(meta) else 'folder'
  try:
    return experiment.open_split(config, split)
  except InputError as error:
    raise InputError(f'{error} Or give --data=RECORDS, or --data=FOLDER.'
                     ) from error


def _tuples(value):
  """JSON knows lists only; configs have tuples."""
  if isinstance(value, dict):
    return {name: _tuples(held) for name, held in value.items()}
  return tuple(map(_tuples, value)) if isinstance(value, list) else value
