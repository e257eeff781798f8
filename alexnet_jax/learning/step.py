"""The state of a run, and the pure functions for training and evaluation."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from alexnet_jax.learning import augment, metrics
from alexnet_jax.learning.augment import Augmentation, PixelStats
from alexnet_jax.learning.learning_rate import (
  Length,
  Rates,
  epoch_of,
  factor_at,
  rates_of_step,
)
from alexnet_jax.learning.plateau import Plateau, initial_plateau
from alexnet_jax.network import classifier, placement, rng
from alexnet_jax.network.classifier import Model

# PixelStats for a network; `autoencoder.FeatureStats` for an auto-encoder,
# whose inputs are features.
Stats = TypeVar('Stats')
Measured = dict[str, jax.Array]  # 'loss', 'top1_error', ... of one batch


class State(NamedTuple, Generic[Stats]):
  """The state of training, as stored in a checkpoint."""

  step: jax.Array  # [] number of updates done
  params: Any  # {'columns': {layer: {kernel, bias}}, 'fc8': {kernel, bias}}
  opt_state: Any  # of the update rule: the velocities of 'momentum'
  learning_rate: jax.Array  # [] of the kernels, before scheduled drops
  plateau: Plateau  # state of the plateau rule
  input_stats: Stats  # of the training set, to normalize inputs
  # Running averages of the norms that use those of a batch; {} without such.
  batch_stats: Any

  @property
  def variables(self) -> Any:
    """What a network reads: its parameters and running averages."""
    return classifier.merge(self.params, self.batch_stats)


def new_state(
    init: Callable[[jax.Array], Any],
    rule: optax.GradientTransformationExtraArgs,
    seed: int,
    learning_rate: float,
    input_stats: Stats,
) -> State[Stats]:
  """Returns the state before the first step.

  Args:
    init: returns the variables for a random key.
    rule: the update rule.
    seed: seed of the initial weights.
    learning_rate: initial learning rate of the kernels.
    input_stats: input statistics of the training set.
  """
  params, batch_stats = classifier.split(init(rng.stream(seed, 'init')))
  return State(
      jnp.int32(0), params, rule.init(params), jnp.float32(learning_rate),
      initial_plateau(), jax.tree.map(jnp.asarray, input_stats),
      batch_stats)


# --- Training -----------------------------------------------------------------


def make_train_step(
    model: Model,
    rule: optax.GradientTransformationExtraArgs,
    augmentation: Augmentation,
    rates: Rates,
    mesh: Mesh,
    seed: int,
    length: Length,
    *,
    parts: int = 1,
    class_weights: np.ndarray | None = None,
) -> Callable[[State, dict], tuple[State, Measured]]:
  """Returns step(state, batch) -> (state, measured), which donates the state.

  Args:
    model: the network.
    rule: the update rule.
    augmentation: parameters of section 4.1.
    rates: schedules and drops of the learning rates.
    mesh: mesh of the devices that hold the batch.
    seed: seed of crops, jitter and dropout.
    length: length of the run.
    parts: number of parts of the batch that are computed one after the other,
      which takes the memory of one part and gives the gradients of the batch.
    class_weights: [classes] factors of the loss of each class's examples; None:
      all are 1. The loss that is measured has them too, the errors have not.
  """

  def gradients(state, batch, keys):
    labels = batch['label']
    patches = augment_batch(
        batch['image'], state.input_stats, augmentation,
        epoch_of(state.step, length), mesh, keys('crop'), keys('jitter'))
    dropout_keys = keys('dropout')

    def means(logits):
      sums = metrics.classification_sums(
          jax.nn.log_softmax(logits), labels, jnp.ones(len(labels), bool))
      losses = {name: total / count for name, (total, count) in sums.items()}
      if class_weights is not None:
        losses['loss'] = weighted_loss(logits, labels, class_weights)
      return losses

    def loss_fn(params):
      outputs = model.forward(
          classifier.merge(params, state.batch_stats), patches, dropout_keys)
      losses = means(outputs.logits)
      loss = losses['loss']
      for logits in outputs.side_logits:
        loss += model.side_weight * means(logits)['loss']
      return loss, (losses, outputs.batch_stats)

    return jax.grad(loss_fn, has_aux=True)(state.params)

  def train_step(state, batch):
    shared_by = {'crop': augmentation.share_crops}

    def keys(name):
      return rng.per_example(rng.stream(seed, name, state.step),
                             len(batch['label']), shared_by.get(name, 1))

    if parts == 1:
      grads, (measured, batch_stats) = gradients(state, batch, keys)
    else:
      drawn = {name: keys(name) for name in ('crop', 'jitter', 'dropout')}
      grads, (measured, batch_stats) = _mean(
          lambda part: gradients(state, part[0], part[1].get),
          placement.split_batch((batch, drawn), parts, mesh))
    batch_stats = _unless_frozen(batch_stats, state.batch_stats, rates.frozen)
    state = update(state, grads, rule, rates, length)._replace(
        batch_stats=batch_stats)
    norm = optax.tree.get(state.opt_state, 'gradient_norm')  # if clipped
    return state, measured | ({} if norm is None else {'gradient_norm': norm})

  return jax.jit(train_step, donate_argnums=0)


def _unless_frozen(batch_stats: Any, before: Any,
                   frozen: Sequence[str]) -> Any:
  """Returns new running averages, those of frozen layers as they were."""
  if not frozen or not batch_stats:
    return batch_stats
  return {'columns': {
      name: before['columns'][name] if name in frozen else new
      for name, new in batch_stats['columns'].items()}}


def _mean(f: Callable[[Any], Any], parts: Any) -> Any:
  """Returns the mean of f over the leading axis, one element at a time."""
  shapes = jax.eval_shape(lambda: f(jax.tree.map(lambda x: x[0], parts)))
  nothing = jax.tree.map(lambda held: jnp.zeros(held.shape, held.dtype), shapes)
  total, _ = jax.lax.scan(
      lambda total, part: (jax.tree.map(jnp.add, total, f(part)), None),
      nothing, parts)
  count = len(jax.tree.leaves(parts)[0])
  return jax.tree.map(lambda x: x / count, total)


def weighted_loss(logits: jax.Array, labels: jax.Array,
                  class_weights: np.ndarray) -> jax.Array:
  """Returns the mean of the losses, each times the weight of its class.

  Args:
    logits: [B, classes].
    labels: [B] class numbers.
    class_weights: [classes].
  """
  losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
  return (jnp.asarray(class_weights)[labels] * losses).mean()


def update(state: State, grads: Any,
           rule: optax.GradientTransformationExtraArgs, rates: Rates,
           length: Length) -> State:
  """Applies one update of section 5, for any loss.

  Args:
    state: state before the step.
    grads: gradients of the loss with respect to `state.params`.
    rule: the update rule.
    rates: schedules and drops of the learning rates.
    length: length of the run.
  """
  with jax.named_scope('update'):
    updates, opt_state = rule.update(
        grads, state.opt_state, state.params,
        rates=rates_of_step(rates, state.params, state.learning_rate,
                            state.step, length))
    params = optax.apply_updates(state.params, updates)
  return state._replace(
      step=state.step + 1, params=params, opt_state=opt_state)


def augment_batch(
    images: jax.Array,
    stats: PixelStats,
    augmentation: Augmentation,
    epoch: jax.Array,
    mesh: Mesh,
    crop_keys: jax.Array,
    jitter_keys: jax.Array,
) -> jax.Array:
  """Augments uint8 images to float32 patches, separately on each data shard.

  Args:
    images: uint8 [B, S, S, 3].
    stats: mean image and colors.
    augmentation: parameters of section 4.1.
    epoch: [] counted from 1; determines when jitter ends.
    mesh: mesh of the devices.
    crop_keys: [B] keys for crops and reflections.
    jitter_keys: [B] keys for the color jitter.

  Returns:
    float32 [B, crop, crop, 3] around zero.
  """
  a = augmentation
  strength = jnp.float32(a.jitter)
  if a.jitter_until:
    strength *= factor_at([(a.jitter_until, 0.0)], epoch)

  def augment_shard(images, crop_keys, jitter_keys):
    switches = {'random_crops': a.random_crops, 'flips': a.flips}
    cut = functools.partial(
        augment.crop_and_flip, keys=crop_keys, size=a.crop, **switches)
    if a.pad:
      patches = cut(augment.pad(augment.subtract_mean(images, stats), a.pad))
    elif a.scale:
      patches = augment.subtract_mean(augment.scaled_crop_and_flip(
          images, crop_keys, a.crop, a.scale, **switches), stats)
    else:
      patches = augment.subtract_mean(cut(images), stats)
    if not a.jitter:
      return patches
    draws = jax.vmap(lambda key: jax.random.normal(key, (3,)))(jitter_keys)
    return augment.pca_jitter(
        patches, draws, stats, strength, scale=a.jitter_scale,
        rescale=a.jitter_rescale)

  with jax.named_scope('augment'):
    return placement.on_each_data_shard(augment_shard, mesh)(
        images, crop_keys, jitter_keys)


# --- Testing ------------------------------------------------------------------


def mean_over_crops(model: Model, crops: np.ndarray, params: Any,
                    stats: PixelStats, images: jax.Array) -> jax.Array:
  """Softmax outputs averaged over crops (4.1): [B, S, S, 3] -> [B, classes].

  Args:
    model: the network; its dropout layers halve their outputs (4.2).
    crops: rows of `augment.test_crops`.
    params: the variables.
    stats: mean image.
    images: uint8 [B, S, S, 3].
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
    model: the network; its dropout layers halve their outputs (4.2).
    crops: rows of `augment.test_crops`.
  """

  def evaluation_step(params, stats, batch):
    mean = mean_over_crops(model, crops, params, stats, batch['image'])
    return metrics.averaged_sums(mean, batch['label'], batch['valid'])

  return jax.jit(evaluation_step)
