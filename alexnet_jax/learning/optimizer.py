"""Section 5: the update rule, and how the learning rate falls.

    v <- 0.9 v - 0.0005 e w - e dL/dw        w <- w + v

The rate e stands inside the velocity, so after a drop the old, larger velocity
fades over some twenty steps. `optax.sgd` puts the rate outside.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from alexnet_jax.learning.schedules import factor_of

Drops = Sequence[tuple[int, float]]  # (first epoch, times the initial rate)


def decays(params: Any, weight_decay: float,
           layer_decays: Sequence[tuple[str, float]] = ()) -> Any:
  """The weight decay of every leaf: biases have none.

  Args:
    params: the parameters, for their names.
    weight_decay: of every kernel.
    layer_decays: (layer, decay), in its place for one layer.
  """
  own = dict(layer_decays)
  return jax.tree_util.tree_map_with_path(
      lambda path, _: own.get(path[-2].key, weight_decay)
      if path[-1].key == 'kernel' else 0.0, params)


def momentum_sgd(
    momentum: float,
    weight_decay: float,
    layer_decays: Sequence[tuple[str, float]] = (),
) -> optax.GradientTransformationExtraArgs:
  """The printed rule; `update` takes `rates`, a learning rate for every leaf.

  A leaf whose rate is zero is frozen: no decay, no gradient, no drift of its
  velocity, as in the 2012 program. With a Python zero its gradient is not even
  computed.
  """
  rule = optax.chain(
      _add_decays(lambda params: decays(params, weight_decay, layer_decays)),
      _scale_by_rates(),
      optax.trace(momentum))

  def update(grads, state, params, *, rates):
    updates, new_state = rule.update(grads, state, params, rates=rates)
    held = lambda rate, moved, still: (
        still if isinstance(rate, float) and rate == 0
        else jnp.where(jnp.asarray(rate) == 0, still, moved))
    updates = jax.tree.map(
        lambda rate, moved: held(rate, moved, jnp.zeros_like(moved)),
        rates, updates)
    *others, velocity = new_state
    velocity = velocity._replace(
        trace=jax.tree.map(held, rates, velocity.trace, state[-1].trace))
    return updates, (*others, velocity)

  return optax.GradientTransformationExtraArgs(rule.init, update)


def _add_decays(decays_of):
  """`optax.add_decayed_weights` with a decay of its own for every leaf."""

  def update(updates, params):
    return jax.tree.map(lambda g, decay, w: g + decay * w if decay else g,
                        updates, decays_of(params), params)

  return optax.stateless(update)


def _scale_by_rates():
  def update(updates, state, params=None, *, rates):
    del params
    return jax.tree.map(lambda rate, g: -rate * g, rates, updates), state

  return optax.GradientTransformationExtraArgs(
      lambda params: optax.EmptyState(), update)


def rates(
    params: Any,
    learning_rate: jax.Array,
    epoch: jax.Array,
    progress: jax.Array,
    *,
    schedule: str = 'constant',
    target_factor: float = 1.0,
    schedule_levels: int = 4,
    drops: Drops = (),
    bias_rate: float = 1.0,
    bias_drops: Drops = (),
    layer_drops: Sequence[tuple[str, int, float]] = (),
    layer_rates: Sequence[tuple[str, float]] = (),
    frozen: Sequence[str] = (),
) -> Any:
  """The learning rate of every leaf at one moment of training.

  Args:
    params: the parameters, for their names.
    learning_rate: of the kernels, before drops.
    epoch: counted from 1.
    progress: share of all steps done, 0..1.
    schedule: of `schedules.py`, for the kernels.
    target_factor: how far that schedule falls.
    schedule_levels: in how many levels, where it has any.
    drops: (epoch, factor) of the kernels; from that epoch on the rate is factor
      times `learning_rate`.
    bias_rate: biases start at that many times `learning_rate`.
    bias_drops: the biases' own drops.
    layer_drops: (layer, epoch, factor), in place of `drops` for one layer's
      kernel; factor 0 freezes its biases too.
    layer_rates: (layer, times), which multiplies all rates of one layer: a
      fresh softmax layer learns faster than what is fine-tuned below it.
    frozen: names of layers that never move.
  """
  times = dict(layer_rates)
  scheduled = factor_of(
      schedule, progress, target_factor=target_factor, levels=schedule_levels)

  def rate(path, leaf):
    del leaf
    layer, kind = path[-2].key, path[-1].key
    if layer in frozen:
      return 0.0
    own = [(start, factor) for name, start, factor in layer_drops
           if name == layer]
    factor = scheduled * factor_at(own, epoch, factor_at(drops, epoch))
    if kind == 'bias':
      alive = factor_at([(start, float(own_factor > 0))
                         for start, own_factor in own], epoch)
      factor = bias_rate * factor_at(bias_drops, epoch) * alive
    return learning_rate * factor * times.get(layer, 1.0)

  return jax.tree_util.tree_map_with_path(rate, params)


def factor_at(drops: Drops, epoch: jax.Array,
              before: jax.Array | float = 1.0) -> jax.Array:
  """The factor of the last drop that has begun, or `before`."""
  factor = jnp.asarray(before, jnp.float32)
  for start, value in drops:
    factor = jnp.where(epoch >= start, jnp.float32(value), factor)
  return factor


class Plateau(NamedTuple):
  """What the heuristic of section 5 remembers between validations."""

  best_error: jax.Array  # [] lowest top-1 validation error so far
  waited: jax.Array  # [] validations since it was reached
  drops: jax.Array  # [] how often the rate has been divided


def no_plateau() -> Plateau:
  """The heuristic before the first validation."""
  return Plateau(jnp.float32(jnp.inf), jnp.int32(0), jnp.int32(0))


def judge(
    plateau: Plateau,
    learning_rate: jax.Array,
    error: jax.Array,
    *,
    patience: int,
    factor: float = 10.0,
    max_drops: int = 3,
) -> tuple[Plateau, jax.Array]:
  """Section 5: divide by ten when the validation error stops improving.

  The paper does it by hand; here `patience` validations in a row without a new
  best call for a drop, `max_drops` times at most.
  """
  better = error < plateau.best_error
  waited = jnp.where(better, jnp.int32(0), plateau.waited + jnp.int32(1))
  drop = (waited >= patience) & (plateau.drops < max_drops)
  return (
      Plateau(
          jnp.where(better, error, plateau.best_error),
          jnp.where(drop, jnp.int32(0), waited),
          plateau.drops + drop.astype(jnp.int32)),
      jnp.where(drop, learning_rate / jnp.float32(factor), learning_rate))
