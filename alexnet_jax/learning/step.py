"""The state of a run, and the two pure functions that a run is made of."""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from alexnet_jax.learning import augment, metrics, optimizer
from alexnet_jax.learning.augment import Augmentation, PixelStats
from alexnet_jax.learning.optimizer import Plateau, Rates
from alexnet_jax.network import columns, rng
from alexnet_jax.network.classifier import Model

# PixelStats of a network; an auto-encoder, which reads features, has
# `autoencoder.FeatureStats`.
Stats = TypeVar('Stats')
Measured = dict[str, jax.Array]  # 'loss', 'top1_error', ... of one batch


class State(NamedTuple, Generic[Stats]):
  """All that changes, or is learned from the data: what a checkpoint holds."""

  step: jax.Array  # [] updates done
  params: Any  # {'columns': {layer: {kernel, bias}}, 'fc8': {kernel, bias}}
  opt_state: Any  # velocities
  learning_rate: jax.Array  # [] of the kernels, before scheduled drops
  plateau: Plateau  # what the plateau rule remembers
  input_stats: Stats  # of the training set, to normalize inputs with


class Length(NamedTuple):
  """How long a run is."""

  steps_per_epoch: int
  total_steps: int


def new_state(
    init: Callable[[jax.Array], Any],
    rule: optax.GradientTransformationExtraArgs,
    seed: int,
    learning_rate: float,
    input_stats: Stats,
) -> State[Stats]:
  """The state before the first step.

  Args:
    init: a key -> the parameters.
    rule: the update rule.
    seed: of the initial weights.
    learning_rate: of the kernels at the start.
    input_stats: of the training set.
  """
  params = init(rng.stream(seed, 'init'))
  return State(
      jnp.int32(0), params, rule.init(params), jnp.float32(learning_rate),
      optimizer.initial_plateau(), jax.tree.map(jnp.asarray, input_stats))


# --- Training -----------------------------------------------------------------


def make_train_step(
    model: Model,
    rule: optax.GradientTransformationExtraArgs,
    augmentation: Augmentation,
    rates: Rates,
    mesh: Mesh,
    seed: int,
    length: Length,
) -> Callable[[State, dict], tuple[State, Measured]]:
  """Returns step(state, batch) -> (state, measured); donates the state.

  Args:
    model: the network.
    rule: the update rule.
    augmentation: section 4.1.
    rates: how the learning rates fall.
    mesh: of the devices that hold the batch.
    seed: of crops, jitter and dropout.
    length: of the run.
  """

  def train_step(state, batch):
    size = len(batch['label'])
    key = lambda name: rng.stream(seed, name, state.step)
    patches = augment_batch(
        batch['image'], state.input_stats, augmentation,
        _epoch(state, length), mesh,
        rng.per_example(key('crop'), size, augmentation.share_crops),
        rng.per_example(key('jitter'), size))
    dropout_keys = rng.per_example(key('dropout'), size)

    def loss_fn(params):
      logits, _ = model.apply(params, patches, dropout_keys)
      sums = metrics.classification_sums(
          jax.nn.log_softmax(logits), batch['label'], jnp.ones(size, bool))
      losses = {name: total / count for name, (total, count) in sums.items()}
      return losses['loss'], losses

    grads, measured = jax.grad(loss_fn, has_aux=True)(state.params)
    return update(state, grads, rule, rates, length), measured

  return jax.jit(train_step, donate_argnums=0)


def update(state: State, grads: Any,
           rule: optax.GradientTransformationExtraArgs, rates: Rates,
           length: Length) -> State:
  """Section 5: one update, whatever the loss was.

  Args:
    state: before the step.
    grads: of the loss with respect to `state.params`.
    rule: the update rule.
    rates: how the learning rates fall.
    length: of the run.
  """
  updates, opt_state = rule.update(
      grads, state.opt_state, state.params,
      rates=optimizer.learning_rates(
          rates, state.params, state.learning_rate, _epoch(state, length),
          state.step.astype(jnp.float32) / length.total_steps))
  params = optax.apply_updates(state.params, updates)
  return state._replace(
      step=state.step + 1, params=params, opt_state=opt_state)


def _epoch(state, length):
  """Counted from 1."""
  return 1 + state.step // length.steps_per_epoch


def augment_batch(
    images: jax.Array,
    stats: PixelStats,
    augmentation: Augmentation,
    epoch: jax.Array,
    mesh: Mesh,
    crop_keys: jax.Array,
    jitter_keys: jax.Array,
) -> jax.Array:
  """uint8 images -> float32 patches, each data shard by itself.

  Args:
    images: uint8 [B, S, S, 3].
    stats: mean image and colors.
    augmentation: section 4.1.
    epoch: [] counted from 1, for jitter that ends.
    mesh: of the devices.
    crop_keys: [B] of crops and reflections.
    jitter_keys: [B] of colors.

  Returns:
    float32 [B, crop, crop, 3] around zero.
  """
  a = augmentation
  strength = jnp.float32(a.jitter)
  if a.jitter_until:
    strength *= optimizer.factor_at([(a.jitter_until, 0.0)], epoch)

  def augment_shard(images, crop_keys, jitter_keys):
    patches = augment.crop_and_flip(
        images, crop_keys, a.crop, random_crops=a.random_crops, flips=a.flips)
    patches = augment.subtract_mean(patches, stats)
    if not a.jitter:
      return patches
    draws = jax.vmap(lambda key: jax.random.normal(key, (3,)))(jitter_keys)
    return augment.pca_jitter(
        patches, draws, stats, strength, scale=a.jitter_scale,
        rescale=a.jitter_rescale)

  with jax.named_scope('augment'):
    return columns.on_each_data_shard(augment_shard, mesh)(
        images, crop_keys, jitter_keys)


# --- Testing ------------------------------------------------------------------


def mean_over_crops(model: Model, crops: np.ndarray, params: Any,
                    stats: PixelStats, images: jax.Array) -> jax.Array:
  """Softmax outputs averaged over crops (4.1): [B, S, S, 3] -> [B, classes].

  Args:
    model: the network; dropout halves (4.2).
    crops: of `augment.test_crops`.
    params: the parameters.
    stats: mean image.
    images: uint8.
  """

  def one_crop(crop):
    patches = augment.cut_crop(images, crop, model.patch)
    logits, _ = model.apply(params, augment.subtract_mean(patches, stats))
    return jax.nn.softmax(logits)

  return jax.lax.map(one_crop, jnp.asarray(crops)).mean(0)


def make_evaluation_step(
    model: Model, crops: np.ndarray
) -> Callable[[Any, PixelStats, dict], metrics.Sums]:
  """Returns f(params, stats, batch) -> sums over the batch's valid images.

  Args:
    model: the network; dropout halves (4.2).
    crops: of `augment.test_crops`.
  """

  def evaluation_step(params, stats, batch):
    mean = mean_over_crops(model, crops, params, stats, batch['image'])
    return metrics.averaged_sums(mean, batch['label'], batch['valid'])

  return jax.jit(evaluation_step)
