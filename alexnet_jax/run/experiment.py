"""Builds an experiment from the settings of a config.

`build` adds what depends on the data and the devices: the number of classes,
the steps per epoch and the mesh.
"""

import functools
from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from alexnet_jax.data import loader
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment, metrics, optimizer, step
from alexnet_jax.learning.augment import PixelStats
from alexnet_jax.learning.learning_rate import Length
from alexnet_jax.learning.step import State
from alexnet_jax.network import classifier, placement
from alexnet_jax.network.classifier import Model
from alexnet_jax.network.shapes import all_shapes
from alexnet_jax.run import config_fields, device_data, processes
from alexnet_jax.run.typed_config import Settings

# The training images of ILSVRC-2012, which published networks have seen. The
# length of a run counts them where a file does not say how many there were.
ILSVRC_EXAMPLES = 1_281_167


class Experiment(NamedTuple):
  """A network, its update rule and its mesh, ready to run."""

  settings: Settings
  mesh: Mesh
  model: Model
  optimizer: optax.GradientTransformationExtraArgs
  num_classes: int
  length: Length

  def train_step(
      self, class_weights: np.ndarray | None = None
  ) -> Callable[[State, dict], tuple[State, dict]]:
    """Returns the jitted update of section 5 for this config."""
    settings = self.settings
    return step.make_train_step(
        self.model, self.optimizer, settings.augmentation,
        settings.optimizer.rates, self.mesh, settings.seed, self.length,
        parts=settings.optimizer.accumulate, class_weights=class_weights)

  def evaluation_step(
      self, count: int
  ) -> Callable[[Any, PixelStats, dict], metrics.Sums]:
    """Returns the jitted test of section 4.1 with `count` crops."""
    return step.make_evaluation_step(self.model, augment.test_crops(
        self.settings.data.image_size, self.settings.augmentation.crop, count))

  def new_state(self, stats: PixelStats) -> State[PixelStats]:
    """Returns the state before the first step, on the mesh."""
    make = self._new_state  # one object, which JAX traces once
    shapes = jax.eval_shape(make, stats)
    return jax.jit(make, out_shardings=self._shardings(shapes))(stats)

  @property
  def _new_state(self) -> Callable[[PixelStats], State[PixelStats]]:
    return functools.partial(
        step.new_state, self.model.init, self.optimizer, self.settings.seed,
        self.settings.optimizer.learning_rate)

  def state_shapes(self) -> State[PixelStats]:
    """Returns the shapes and shardings of the state, for restoring."""
    size = self.settings.data.image_size
    fields: list[Any] = [jax.ShapeDtypeStruct(shape, jnp.float32)
                         for shape in ((size, size, 3), (3, 3), (3,))]
    stats = PixelStats(*fields)
    shapes = jax.eval_shape(self._new_state, stats)
    return jax.tree.map(
        lambda x, sharding: jax.ShapeDtypeStruct(
            x.shape, x.dtype, sharding=sharding),
        shapes, self._shardings(shapes))

  def _shardings(self, state: State) -> State:
    return placement.param_shardings(self.mesh, state, self.model.divided)

  def batch_shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
    """Returns the shapes and shardings of a batch of `device_batches`."""
    count = self.settings.optimizer.batch_size
    size = self.settings.data.image_size
    shape = functools.partial(
        jax.ShapeDtypeStruct, sharding=placement.batch_sharding(self.mesh))
    return {'image': shape((count, size, size, 3), jnp.uint8),
            'label': shape((count,), jnp.int32)}

  def train_batches(self, source: Source, at_step: int = 0) -> loader.Batches:
    """Returns this process's part of the training batches from a step on."""
    return loader.train_batches(
        source, threads=self.settings.run.threads,
        workers=self.settings.run.workers, **self._order(at_step))

  def _order(self, at_step: int) -> dict[str, Any]:
    """Returns what decides which examples a batch of this process has."""
    settings = self.settings
    shard, num_shards = placement.process_shard(self.mesh)
    return {'batch_size': settings.optimizer.batch_size, 'seed': settings.seed,
            'step': at_step, 'shard': shard, 'num_shards': num_shards,
            'reshuffle': settings.data.reshuffle}

  def device_batches(self, source: Source,
                     at_step: int = 0) -> Generator[dict[str, jax.Array]]:
    """Yields the training batches on the mesh from a step on."""
    if self.settings.run.hold_data:
      data = device_data.load(source, self.mesh, self.settings.run.threads)
      yield from device_data.batches(
          data, loader.train_indices(len(source), **self._order(at_step)),
          self.mesh)
      return
    batches = self.train_batches(source, at_step)
    try:
      for batch in batches:
        yield device_data.to_device(batch, self.mesh)
    finally:
      batches.close()


def build(settings: Settings, num_classes: int, num_examples: int,
          devices: Sequence[jax.Device] = ()) -> Experiment:
  """Builds and checks everything that does not depend on pixels.

  Args:
    settings: the settings of the config.
    num_classes: number of classes in the data.
    num_examples: number of training examples.
    devices: the devices of the mesh; () for those that JAX sees.

  Raises:
    InputError: a field does not suit this machine or these data.
  """
  length = _length(settings, num_examples)
  mesh = placement.make_mesh(
      settings.mesh.data, settings.mesh.column, settings.model.num_columns,
      devices)
  if not devices:
    processes.check_mesh(mesh)
  model = settings.build_model(mesh, num_classes)
  _check_layers(settings.optimizer, model)
  _check_parts(settings.optimizer.accumulate, model)
  _check_rates(settings.optimizer.rates, length)
  o = settings.optimizer
  rule = optimizer.update_rule(
      o.rule, o.momentum, o.weight_decay, o.layer_decays, o.clip_norm,
      o.trust_coefficient)
  return Experiment(settings, mesh, model, rule, num_classes, length)


def count_steps(batch_size: int, epochs: float, num_examples: int,
                steps: int = 0) -> Length:
  """Returns the length of a run.

  Args:
    batch_size: examples per step.
    epochs: cycles through the training set.
    num_examples: number of training examples.
    steps: number of steps of the whole run; 0: computed from `epochs`.

  Raises:
    InputError: the run would have no steps, or too many.
  """
  if num_examples < batch_size:
    raise InputError(
        f'config.optimizer.batch_size={batch_size} is more than the'
        f' {num_examples} training examples: give a smaller batch or more'
        ' data.')
  steps_per_epoch = num_examples // batch_size
  total_steps = steps or int(epochs * steps_per_epoch)
  if not total_steps:
    raise InputError(
        f'config.run.epochs={epochs} of {steps_per_epoch} steps each make no'
        ' step: give more epochs.')
  if total_steps > config_fields.INT32:
    raise InputError(
        f'config.run.epochs={epochs} of {steps_per_epoch} steps each make'
        f' {total_steps:,} steps: give fewer, {config_fields.INT32:,} steps at'
        ' most.')
  return Length(steps_per_epoch, total_steps)


def _length(settings, num_examples):
  batch_size, shards = settings.optimizer.batch_size, settings.mesh.data
  parts = settings.optimizer.accumulate
  if batch_size % shards:
    raise InputError(
        f'config.optimizer.batch_size={batch_size} does not split over'
        f' config.mesh.data={shards} devices: give a multiple of {shards}.')
  if batch_size % (parts * shards):
    raise InputError(
        f'config.optimizer.batch_size={batch_size} does not split into'
        f' config.optimizer.accumulate={parts} parts over config.mesh.data='
        f'{shards} devices: give a multiple of {parts * shards}.')
  return count_steps(
      batch_size, settings.run.epochs, num_examples, settings.run.steps)


def _check_parts(parts, model):
  if parts == 1:
    return
  _, batch_stats = classifier.split(
      jax.eval_shape(model.init, jax.random.key(0)))
  if batch_stats:
    raise InputError(
        f'config.optimizer.accumulate={parts} would normalize each part of a'
        ' batch by its own statistics: leave it at 1 for a network with batch'
        ' normalization.')


def _check_rates(rates, length):
  if rates.schedule == 'cosine' and rates.target_factor != 1:
    raise InputError(
        'config.optimizer.schedule=cosine ends at 0 and has no config.optimizer'
        f'.target_factor={rates.target_factor}: leave it at 1.0, or give the'
        ' schedule exp or linear.')
  steps = rates.warmup * length.steps_per_epoch
  if steps >= length.total_steps:
    raise InputError(
        f'config.optimizer.warmup={rates.warmup} epochs are {steps:g} steps and'
        f' the run has {length.total_steps}: give a shorter warm-up or a longer'
        ' run.')


def _check_layers(optimization, model):
  shapes = all_shapes(model.layers, model.num_columns, model.patch)
  names = [shape.layer.name for shape in shapes] + ['fc8']
  rates = optimization.rates
  named = {
      'layer_drops': [name for name, _, _ in rates.layer_drops],
      'layer_rates': [name for name, _ in rates.layer_rates],
      'layer_decays': [name for name, _ in optimization.layer_decays],
      'frozen': rates.frozen}
  for field, layers in named.items():
    for name in layers:
      if name not in names:
        raise InputError(
            f'config.optimizer.{field} names {name!r}, which is not a layer:'
            f' give some of {", ".join(names)}.')
