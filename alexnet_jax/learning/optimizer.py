"""Section 5: the update rule.

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

from alexnet_jax.learning.learning_rate import layer_of


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
      lambda path, _: by_layer.get(layer_of(path), weight_decay)
      if path[-1].key == 'kernel' else 0.0, params)


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
