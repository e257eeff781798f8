"""Section 5: the update rule and the decay of the learning rate.

The paper's rule, `momentum_sgd`, is

    v <- 0.9 v - 0.0005 e w - e dL/dw        w <- w + v

The learning rate e is inside the velocity, so after a drop of the rate the old,
larger velocity decays over about twenty steps. In `optax.sgd` the rate is
outside the velocity. `adamw` stands beside it, for comparisons with programs of
today, and `lars` for batches of 4,096 images and more.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from alexnet_jax.learning import schedules

Drops = Sequence[tuple[int, float]]  # (first epoch, factor of the initial rate)


# --- The update rule ----------------------------------------------------------


def momentum_sgd(
    momentum: float,
    weight_decay: float,
    layer_decays: Sequence[tuple[str, float]] = (),
) -> optax.GradientTransformationExtraArgs:
  """The update rule of section 5, with a separate learning rate for each leaf.

  `update` takes the learning rates as `rates`. A leaf whose rate is zero is
  frozen: it has no weight decay and no update, and its velocity does not
  change, as in the 2012 program. If the rate is the Python number 0.0, its
  gradient is not computed either.

  Args:
    momentum: 0.9 in the paper.
    weight_decay: weight decay of the kernels; 0.0005 in the paper.
    layer_decays: (layer, decay), replaces `weight_decay` for that layer.
  """
  return _with_frozen_leaves(
      optax.chain(_add_decays(weight_decay, layer_decays), _scale_by_rates(),
                  optax.trace(momentum)))


def adamw(
    momentum: float,
    weight_decay: float,
    layer_decays: Sequence[tuple[str, float]] = (),
) -> optax.GradientTransformationExtraArgs:
  """`optax.adamw` with a separate learning rate for each leaf.

  `update` takes `rates`, and leaves whose rate is zero stay, as in
  `momentum_sgd`. Biases have no weight decay.

  Args:
    momentum: decay of the mean of the gradients, b1. That of their squares is
      0.999, and epsilon is 1e-8, the defaults of Optax.
    weight_decay: weight decay of the kernels, multiplied by the rate.
    layer_decays: (layer, decay), replaces `weight_decay` for that layer.
  """
  return _with_frozen_leaves(
      optax.chain(optax.scale_by_adam(momentum),
                  _add_decays(weight_decay, layer_decays), _scale_by_rates()))


def lars(
    momentum: float,
    weight_decay: float,
    layer_decays: Sequence[tuple[str, float]] = (),
    trust_coefficient: float = 0.001,
) -> optax.GradientTransformationExtraArgs:
  """The update rule of large batches, with a rate that suits each layer.

  You, Gitman and Ginsburg, "Large batch training of convolutional networks"
  (2017), Algorithm 1, in the form of `optax.lars`: the update of a kernel is as
  in `momentum_sgd`, with its rate multiplied by

      trust_coefficient |w| / |g + weight_decay w|

  where the paper's divisor is |g| + weight_decay |w|. The norms are of a layer
  with all its columns. The rates of biases and norms are multiplied by the
  coefficient alone, since a bias that is zero has no norm to compare.

  Args:
    momentum: 0.9 in the paper.
    weight_decay: weight decay of the kernels; 0.0005 in the paper.
    layer_decays: (layer, decay), replaces `weight_decay` for that layer.
    trust_coefficient: 0.001 in the authors' program (borisgin/nvcaffe,
      models/bvlc_alexnet/solver_8K.prototxt).
  """
  return _with_frozen_leaves(optax.chain(
      _add_decays(weight_decay, layer_decays),
      optax.masked(optax.scale_by_trust_ratio(), _kernels),
      optax.scale(trust_coefficient), _scale_by_rates(),
      optax.trace(momentum)))


def _kernels(params):
  """Returns which leaves are kernels."""
  return jax.tree_util.tree_map_with_path(
      lambda path, _: path[-1].key == 'kernel', params)


RULES = {'momentum': momentum_sgd, 'adamw': adamw, 'lars': lars}


def update_rule(
    name: str,
    momentum: float,
    weight_decay: float,
    layer_decays: Sequence[tuple[str, float]] = (),
    clip_norm: float = 0.0,
    trust_coefficient: float = 0.001,
) -> optax.GradientTransformationExtraArgs:
  """Returns the update rule that a config names.

  Args:
    name: one of RULES.
    momentum: of the velocity or, for 'adamw', of the mean of the gradients.
    weight_decay: weight decay of the kernels.
    layer_decays: (layer, decay), replaces `weight_decay` for that layer.
    clip_norm: the largest norm of the gradient of all parameters together; 0:
      any.
    trust_coefficient: of 'lars'.
  """
  of_rule = ({'trust_coefficient': trust_coefficient} if name == 'lars' else {})
  rule = RULES[name](momentum, weight_decay, layer_decays, **of_rule)
  if not clip_norm:
    return rule
  return optax.chain(_clip_by_global_norm(clip_norm), rule)


class ClipState(NamedTuple):
  """What clipping tells about the last step."""

  gradient_norm: jax.Array  # [] before clipping


def _clip_by_global_norm(max_norm):
  """`optax.clip_by_global_norm` over the leaves that are trained."""
  clip = optax.clip_by_global_norm(max_norm)

  def update(grads, state, params=None, *, rates):
    del state, params
    trained = jax.tree.map(
        lambda rate, g: _unless_frozen(rate, g, jnp.zeros_like(g)),
        rates, grads)
    clipped, _ = clip.update(trained, optax.EmptyState())
    return clipped, ClipState(optax.tree.norm(trained))

  return _taking_rates(lambda params: ClipState(jnp.float32(0)), update)


def _with_frozen_leaves(rule: Any) -> optax.GradientTransformationExtraArgs:
  """Leaves with a rate of zero keep their values and their optimizer state."""

  def update(grads, state: Any, params, *, rates):
    updates, new_state = rule.update(grads, state, params, rates=rates)
    updates = jax.tree.map(
        lambda rate, moved: _unless_frozen(rate, moved, jnp.zeros_like(moved)),
        rates, updates)
    like_params = jax.tree.structure(rates)

    def is_of_leaves(part):
      return jax.tree.structure(part) == like_params

    def keep_frozen(moved, still):
      if not is_of_leaves(moved):
        return moved
      return jax.tree.map(_unless_frozen, rates, moved, still)

    return updates, jax.tree.map(
        keep_frozen, new_state, state, is_leaf=is_of_leaves)

  return _taking_rates(rule.init, update)


def _taking_rates(init, update) -> optax.GradientTransformationExtraArgs:
  """Of an `update` that takes `rates`, an extra argument in Optax's sense."""
  return optax.GradientTransformationExtraArgs(init, update)


def _unless_frozen(rate, moved, still):
  if isinstance(rate, float) and rate == 0:
    return still
  return jnp.where(jnp.asarray(rate) == 0, still, moved)


def leaf_decays(params: Any, weight_decay: float,
                layer_decays: Sequence[tuple[str, float]] = ()) -> Any:
  """Returns the weight decay of every leaf; only kernels have one.

  Args:
    params: the parameters; only their names are used.
    weight_decay: weight decay of the kernels.
    layer_decays: (layer, decay), replaces `weight_decay` for that layer.
  """
  by_layer = dict(layer_decays)
  return jax.tree_util.tree_map_with_path(
      lambda path, _: by_layer.get(_layer_of(path), weight_decay)
      if path[-1].key == 'kernel' else 0.0, params)


def _layer_of(path) -> str:
  """Returns the layer that a leaf belongs to, as config.optimizer names it."""
  names = [entry.key for entry in path if entry.key != 'columns']
  return names[0]


def _add_decays(weight_decay, layer_decays):
  """`optax.add_decayed_weights` with a separate decay for every leaf."""

  def update(updates, params):
    return jax.tree.map(lambda g, decay, w: g + decay * w if decay else g,
                        updates, leaf_decays(params, weight_decay,
                                             layer_decays), params)

  return optax.stateless(update)


def _scale_by_rates():
  def update(updates, state, params=None, *, rates):
    del params
    return jax.tree.map(lambda rate, g: -rate * g, rates, updates), state

  return _taking_rates(lambda params: optax.EmptyState(), update)


# --- The learning rate --------------------------------------------------------


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
    layer, kind = _layer_of(path), path[-1].key
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


# --- The plateau rule ---------------------------------------------------------


class PlateauRule(NamedTuple):
  """When to lower the learning rate because validation no longer improves."""

  patience: int  # number of validations without a new best
  factor: float = 10.0  # divisor of the rate
  max_drops: int = 3


class Plateau(NamedTuple):
  """The state of the plateau rule between validations."""

  best_error: jax.Array  # [] lowest top-1 validation error so far
  waited: jax.Array  # [] validations since it was reached
  drops: jax.Array  # [] number of times the rate has been divided


def initial_plateau() -> Plateau:
  """Returns the state of the plateau rule before the first validation."""
  return Plateau(jnp.float32(jnp.inf), jnp.int32(0), jnp.int32(0))


def update_plateau(plateau: Plateau, learning_rate: jax.Array,
                   error: jax.Array,
                   rule: PlateauRule) -> tuple[Plateau, jax.Array]:
  """Lowers the learning rate when the validation error stops improving (5).

  The authors divide the rate by ten by hand. Here it is divided by
  `rule.factor` after `rule.patience` validations in a row without a new best.

  Args:
    plateau: state of the rule.
    learning_rate: [] current rate.
    error: [] top-1 error of this validation.
    rule: patience, factor and maximum number of drops.

  Returns:
    The new state of the rule and the new learning rate.
  """
  better = error < plateau.best_error
  waited = jnp.where(better, jnp.int32(0), plateau.waited + jnp.int32(1))
  drop = (waited >= rule.patience) & (plateau.drops < rule.max_drops)
  return (
      Plateau(
          jnp.where(better, error, plateau.best_error),
          jnp.where(drop, jnp.int32(0), waited),
          plateau.drops + drop.astype(jnp.int32)),
      jnp.where(drop, learning_rate / jnp.float32(rule.factor), learning_rate))
