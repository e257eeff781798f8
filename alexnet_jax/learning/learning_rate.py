"""Section 5: the learning rate of every parameter at one step.

The paper has one rate, divided by ten by hand; the 2012 program has drops for
each layer, other rates for biases, and the schedules of schedules.py.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from alexnet_jax.learning import schedules

Drops = Sequence[tuple[int, float]]  # (first epoch, factor of the initial rate)


class Rates(NamedTuple):
  """The learning rate fields of `config.optimizer`."""

  schedule: str = 'constant'  # of the kernels; see schedules.py
  warmup: float = 0.0  # epochs in which all rates rise to their first values
  target_factor: float = 1.0  # ratio of its initial to its final rate
  schedule_levels: int = 4  # number of levels, for schedules with levels
  drops: Drops = ()  # of the kernels, relative to the initial rate
  bias_rate: float = 1.0  # biases start at this multiple of the learning rate
  bias_drops: Drops = ()
  # (layer, epoch, factor), replaces `drops` for the kernel of that layer; the
  # factor 0 freezes the biases of the layer too.
  layer_drops: Sequence[tuple[str, int, float]] = ()
  # (layer, factor), multiplies all rates of a layer. For example, a new softmax
  # layer learns faster than the layers below it, which are fine-tuned.
  layer_rates: Sequence[tuple[str, float]] = ()
  frozen: Sequence[str] = ()  # layers that are not trained


class Length(NamedTuple):
  """The length of a run."""

  steps_per_epoch: int
  total_steps: int


def epoch_of(step: jax.Array, length: Length) -> jax.Array:
  """Returns the epoch of the step after `step` others, counted from 1."""
  return 1 + step // length.steps_per_epoch


def rates_of_step(rates: Rates, params: Any, learning_rate: jax.Array,
                  step: jax.Array, length: Length) -> Any:
  """Returns the learning rate of every leaf in one step of training.

  Args:
    rates: schedules and drops of the rates.
    params: the parameters; only their names are used.
    learning_rate: [] rate of the kernels, before drops.
    step: [] number of steps done before it.
    length: length of the run.
  """
  warm, progress = _warmth_and_progress(step, rates, length)
  return learning_rates(
      rates, params, learning_rate, epoch_of(step, length), progress, warm)


def kernel_rate(rates: Rates, learning_rate: float, step: int,
                length: Length) -> jax.Array:
  """Returns the learning rate of the kernels in the step after `step` others.

  It is computed on the device, after what is already under way there.

  Args:
    rates: schedules and drops of the learning rates.
    learning_rate: rate before them.
    step: number of steps done.
    length: length of the run.
  """
  return rates_of_step(
      rates._replace(layer_drops=(), layer_rates=(), frozen=()),
      {'layer': {'kernel': 0.0}}, jnp.float32(learning_rate), jnp.int32(step),
      length)['layer']['kernel']


def _warmth_and_progress(step, rates, length):
  if not rates.warmup:
    return None, step.astype(jnp.float32) / length.total_steps
  return schedules.warm_up(
      step, rates.warmup * length.steps_per_epoch, length.total_steps)


def learning_rates(rates: Rates, params: Any, learning_rate: jax.Array,
                   epoch: jax.Array, progress: jax.Array,
                   warm: jax.Array | None = None) -> Any:
  """Returns the learning rate of every leaf at one step of training.

  Args:
    rates: schedules and drops of the rates.
    params: the parameters; only their names are used.
    learning_rate: [] rate of the kernels, before drops.
    epoch: [] counted from 1.
    progress: [] fraction of the steps after the warm-up that are done, 0..1.
    warm: [] factor of the warm-up, 0..1; None without one.
  """
  if warm is not None:
    learning_rate = learning_rate * warm
  layer_factors = dict(rates.layer_rates)
  scheduled = schedules.factor_of(
      rates.schedule, progress, target_factor=rates.target_factor,
      levels=rates.schedule_levels)

  def rate(path, leaf):
    del leaf
    layer, kind = layer_of(path), path[-1].key
    if layer in rates.frozen:
      return 0.0
    drops = [(start, factor) for name, start, factor in rates.layer_drops
             if name == layer]
    factor = scheduled * factor_at(
        drops, epoch, factor_at(rates.drops, epoch))
    if kind == 'bias':
      frozen = [(start, float(factor > 0)) for start, factor in drops]
      factor = (rates.bias_rate * factor_at(rates.bias_drops, epoch)
                * factor_at(frozen, epoch))
      if rates.schedule in schedules.OF_ALL_LEAVES:
        factor = factor * scheduled
    return learning_rate * factor * layer_factors.get(layer, 1.0)

  return jax.tree_util.tree_map_with_path(rate, params)


def factor_at(drops: Drops, epoch: jax.Array,
              before: jax.Array | float = 1.0) -> jax.Array:
  """Returns the factor of the latest drop at or before an epoch.

  Args:
    drops: (first epoch, factor), in ascending order of epochs.
    epoch: [] counted from 1.
    before: factor before the first drop.
  """
  factor = jnp.asarray(before, jnp.float32)
  for start, value in drops:
    factor = jnp.where(epoch >= start, jnp.float32(value), factor)
  return factor


def layer_of(path: Any) -> str:
  """Returns the layer that a leaf belongs to, as config.optimizer names it."""
  names = [entry.key for entry in path if entry.key != 'columns']
  return names[0]
