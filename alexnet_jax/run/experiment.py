"""What a config says, built: sources, mesh, network, optimizer, steps.

The tasks read a ConfigDict; this is the one place that turns its facts into
what follows from them (steps in an epoch, number of classes, batch per device).
"""

import functools
from collections.abc import Iterator
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from ml_collections import ConfigDict

from alexnet_jax.data import loader, sources
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment, optimizer, schedules, step
from alexnet_jax.network import columns, models, precision
from alexnet_jax.network.models import Model
from alexnet_jax.run import device_data as held

# What counts something cannot be less.
AT_LEAST = {
    'model.num_columns': 1, 'data.image_size': 1, 'data.train_examples': 0,
    'data.validation_examples': 0, 'augment.crop': 1, 'augment.share_crops': 1,
    'augment.jitter': 0, 'augment.jitter_until': 0, 'optimizer.batch_size': 1,
    'optimizer.learning_rate': 0, 'optimizer.momentum': 0,
    'optimizer.weight_decay': 0, 'optimizer.plateau_factor': 1,
    'optimizer.plateau_drops': 0, 'optimizer.plateau_patience': 1,
    'optimizer.bias_rate': 0, 'optimizer.target_factor': 1,
    'optimizer.schedule_levels': 2, 'run.epochs': 0, 'run.steps': 0,
    'run.until_error': 0, 'run.evaluate_every': 0, 'run.save_every': 0,
    'run.log_every': 1, 'run.keep': 1, 'run.stall_steps': 0, 'run.threads': 0,
    'run.workers': 0, 'mesh.data': 1, 'mesh.column': 1,
}
# One element of each tuple in config.optimizer.
EXAMPLES = {'drops': (25, 0.1), 'bias_drops': (25, 0.1),
            'layer_drops': ('conv1', 67, 0.001), 'layer_rates': ('fc8', 10.0),
            'layer_decays': ('fc8', 0.01), 'frozen': 'conv1'}


class Experiment(NamedTuple):
  """One config, ready to run."""

  mesh: Mesh
  model: Model
  optimizer: optax.GradientTransformationExtraArgs
  num_classes: int
  steps_per_epoch: int
  total_steps: int


def open_split(config: ConfigDict, split: str) -> Source:
  """The 'train' or 'validation' examples that the config names."""
  data = config.data
  return sources.open_source(
      data.name, split, path=data.path, image_size=data.image_size,
      validation_fraction=data.validation_fraction,
      limit=(data.train_examples if split == 'train'
             else data.validation_examples))


def build(config: ConfigDict, num_classes: int,
          num_examples: int) -> Experiment:
  """Builds all that does not depend on pixels, and checks that it fits.

  Raises:
    InputError: a field that cannot work on this machine or with this data.
  """
  check_counts(config)
  _check_data(config, num_examples)
  mesh = columns.make_mesh(config.mesh.data, config.mesh.column,
                           config.model.num_columns)
  model = build_model(config, mesh, num_classes)
  _check_layers(config, model)
  steps_per_epoch = num_examples // config.optimizer.batch_size
  total_steps = config.run.steps or int(config.run.epochs * steps_per_epoch)
  if not total_steps:
    raise InputError(
        f'config.run.epochs={config.run.epochs} of {steps_per_epoch} steps each'
        ' make no step: give more epochs, or config.run.steps.')
  return Experiment(
      mesh, model,
      optimizer.momentum_sgd(config.optimizer.momentum,
                             config.optimizer.weight_decay,
                             config.optimizer.layer_decays),
      num_classes, steps_per_epoch, total_steps)


def build_model(config: ConfigDict, mesh: Mesh, num_classes: int) -> Model:
  """The network that config.model describes."""
  fields = config.model.to_dict()
  return precision.compute_in(config.precision, models.build(
      fields.pop('name'), mesh, num_classes, config.augment.crop, **fields))


def check_counts(config: ConfigDict) -> None:
  """Raises InputError for a number that cannot mean anything."""
  for field, least in AT_LEAST.items():
    section, name = field.split('.')
    if config[section][name] < least:
      raise InputError(f'config.{field}={config[section][name]} is too small:'
                       f' give {least} or more.')
  if config.run.views not in augment.VIEWS:
    raise InputError(
        f'config.run.views={config.run.views} is no test of 2012: give one of'
        f' {", ".join(map(str, augment.VIEWS))}.')


def _check_data(config, num_examples):
  batch, shards = config.optimizer.batch_size, config.mesh.data
  if batch % shards:
    raise InputError(
        f'config.optimizer.batch_size={batch} does not split over'
        f' config.mesh.data={shards} devices: give a multiple of {shards}.')
  if num_examples < batch:
    raise InputError(
        f'config.optimizer.batch_size={batch} is more than the {num_examples}'
        ' training examples: give a smaller batch or more data.')
  if config.augment.crop > config.data.image_size:
    raise InputError(
        f'config.augment.crop={config.augment.crop} is larger than the'
        f' {config.data.image_size}-pixel images: give a smaller crop or a'
        ' larger config.data.image_size.')
  if config.augment.jitter_scale not in ('stddev', 'eigenvalue'):
    raise InputError(
        f'config.augment.jitter_scale={config.augment.jitter_scale!r} is not'
        ' known: give stddev or eigenvalue.')
  if config.optimizer.schedule not in schedules.NAMES:
    raise InputError(
        f'config.optimizer.schedule={config.optimizer.schedule!r} is not'
        f' known: give one of {", ".join(schedules.NAMES)}.')


def _check_layers(config, model):
  shapes = columns.shapes(model.layers, model.num_columns, model.patch)
  names = [shape.layer.name for shape in shapes] + ['fc8']
  for field, example in EXAMPLES.items():
    given = config.optimizer[field]
    if not isinstance(given, tuple) or any(
        type(one) is not type(example)
        or isinstance(one, tuple) and len(one) != len(example)
        for one in given):
      raise InputError(
          f'config.optimizer.{field}={given!r} has the wrong form: give a'
          f' tuple such as {(example,)!r}.')
    for one in given:
      name = one[0] if isinstance(one, tuple) else one
      if isinstance(name, str) and name not in names:
        raise InputError(
            f'config.optimizer.{field} names {name!r}, which is no layer: give'
            f' some of {", ".join(names)}.')


def train_step(config: ConfigDict, experiment: Experiment):
  """The update of section 5 as this config wants it: a jitted function."""
  o = config.optimizer
  rates = functools.partial(
      optimizer.rates, schedule=o.schedule, target_factor=o.target_factor,
      schedule_levels=o.schedule_levels, drops=o.drops, bias_rate=o.bias_rate,
      bias_drops=o.bias_drops, layer_drops=o.layer_drops,
      layer_rates=o.layer_rates, frozen=o.frozen)
  return step.make_train_step(
      experiment.model, experiment.optimizer,
      step.Augmentation(**config.augment.to_dict()), rates, experiment.mesh,
      seed=config.seed, steps_per_epoch=experiment.steps_per_epoch,
      total_steps=experiment.total_steps)


def evaluation_step(config: ConfigDict, experiment: Experiment, count: int):
  """The test of section 4.1 with `count` patches: a jitted function."""
  return step.make_evaluation_step(
      experiment.model, augment.views(
          config.data.image_size, config.augment.crop, count))


def new_state(config: ConfigDict, experiment: Experiment,
              pixels: augment.Pixels) -> step.State:
  """The state before the first step, every array at its home."""
  make = functools.partial(
      step.new_state, experiment.model, experiment.optimizer, config.seed,
      config.optimizer.learning_rate)
  shapes = jax.eval_shape(make, pixels)
  return jax.jit(make, out_shardings=columns.homes(experiment.mesh, shapes))(
      pixels)


def state_shapes(config: ConfigDict, experiment: Experiment) -> step.State:
  """The state as shapes with homes: what a restore needs to know."""
  size = config.data.image_size
  pixels = augment.Pixels(*(
      jax.ShapeDtypeStruct(shape, jnp.float32)
      for shape in ((size, size, 3), (3, 3), (3,))))
  shapes = jax.eval_shape(
      functools.partial(new_state, config, experiment), pixels)
  return jax.tree.map(
      lambda x, home: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=home),
      shapes, columns.homes(experiment.mesh, shapes))


def train_batches(config: ConfigDict, experiment: Experiment, source: Source,
                  at_step: int = 0) -> Iterator[dict]:
  """This process's part of the training batches, from a step on."""
  shard, num_shards = columns.own_shard(experiment.mesh)
  return loader.train_batches(
      source, batch_size=config.optimizer.batch_size, seed=config.seed,
      step=at_step, shard=shard, num_shards=num_shards,
      reshuffle=config.data.reshuffle, threads=config.run.threads,
      workers=config.run.workers)


def device_batches(config: ConfigDict, experiment: Experiment, source: Source,
                   at_step: int = 0) -> Iterator[dict]:
  """The same on the mesh, moved there or, if all is held there, picked out."""
  if config.run.hold_data:
    data = held.hold(source, experiment.mesh, config.run.threads)
    yield from held.batches(
        data, train_batches(config, experiment, held.Places(source), at_step),
        experiment.mesh)
    return
  batches = train_batches(config, experiment, source, at_step)
  try:
    for batch in batches:
      yield to_device(batch, experiment.mesh)
  finally:
    batches.close()


def to_device(batch: dict, mesh: Mesh) -> dict:
  """This process's part of a batch -> the global batch on the mesh."""
  home = columns.batch_home(mesh)
  return {name: jax.make_array_from_process_local_data(home, value)
          for name, value in batch.items()}
