"""The state of a run, and the two pure functions that a run is made of."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from alexnet_jax.learning import augment, metrics
from alexnet_jax.learning.optimizer import Plateau, factor_at, no_plateau
from alexnet_jax.network import columns, rng
from alexnet_jax.network.models import Model


class State(NamedTuple):
  """All that changes, or is learned from the data: what a checkpoint holds."""

  step: jax.Array  # [] updates done
  params: Any  # {'columns': {layer: {kernel, bias}}, 'fc8': {kernel, bias}}
  opt_state: Any  # velocities
  learning_rate: jax.Array  # [] of the kernels, before scheduled drops
  plateau: Plateau  # what the plateau rule remembers
  # Mean image and colours of the training set. An auto-encoder, whose examples
  # are features, keeps here what those are like: `autoencoder.Standard`.
  pixels: Any


class Augmentation(NamedTuple):
  """Section 4.1 as `config.augment` gives it."""

  crop: int  # side of a patch in pixels
  random_crops: bool
  flips: bool
  share_crops: int  # that many neighbours share crop and flip
  jitter: float  # strength of the colour jitter; 0 is none
  jitter_scale: str  # 'stddev' or 'eigenvalue'
  jitter_rescale: bool  # divide by 1 + jitter
  jitter_until: int  # first epoch without jitter; 0 is never


def new_state(model: Model, optimizer: optax.GradientTransformation, seed: int,
              learning_rate: float, pixels: augment.Pixels) -> State:
  """The state before the first step."""
  params = model.init(rng.stream(seed, 'init'))
  return State(
      jnp.int32(0), params, optimizer.init(params),
      jnp.float32(learning_rate), no_plateau(),
      jax.tree.map(jnp.asarray, pixels))


def make_train_step(
    model: Model,
    optimizer: optax.GradientTransformationExtraArgs,
    augmentation: Augmentation,
    rates: Callable[..., Any],
    mesh: Mesh,
    *,
    seed: int,
    steps_per_epoch: int,
    total_steps: int,
) -> Callable[[State, dict], tuple[State, dict]]:
  """Returns step(state, batch) -> (state, metrics); the state is given up.

  Args:
    model: the network.
    optimizer: the update rule.
    augmentation: section 4.1.
    rates: (params, learning_rate, epoch, progress) -> a learning rate for
      every leaf.
    mesh: where the batch lies.
    seed: of crops, jitter and dropout.
    steps_per_epoch: steps in one cycle through the training set.
    total_steps: steps in the whole run, of which `progress` is the share done.
  """

  def train_step(state, batch):
    size = len(batch['label'])
    epoch = 1 + state.step // steps_per_epoch
    key = lambda name: rng.stream(seed, name, state.step)
    patches = augment_batch(
        batch['image'], state.pixels, augmentation, epoch, mesh,
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
    state = update(state, grads, optimizer, rates, epoch, total_steps)
    return state, measured

  return jax.jit(train_step, donate_argnums=0)


def update(state: State, grads: Any,
           optimizer: optax.GradientTransformationExtraArgs,
           rates: Callable[..., Any], epoch: jax.Array,
           total_steps: int) -> State:
  """The half of a step that does not care what the loss was (section 5).

  Args:
    state: before the step.
    grads: of the loss with respect to `state.params`.
    optimizer: the update rule.
    rates: as in `make_train_step`.
    epoch: of this step, counted from 1.
    total_steps: steps in the whole run.
  """
  updates, opt_state = optimizer.update(
      grads, state.opt_state, state.params,
      rates=rates(state.params, state.learning_rate, epoch,
                  state.step.astype(jnp.float32) / total_steps))
  params = optax.apply_updates(state.params, updates)
  return state._replace(
      step=state.step + 1, params=params, opt_state=opt_state)


def augment_batch(images, pixels, augmentation, epoch, mesh, crop_keys,
                  jitter_keys):
  """uint8 images -> float32 patches, each data shard by itself."""
  a = augmentation
  strength = jnp.float32(a.jitter)
  if a.jitter_until:
    strength *= factor_at([(a.jitter_until, 0.0)], epoch)

  def own_examples(images, crop_keys, jitter_keys):
    patches = augment.crop_and_flip(
        images, crop_keys, a.crop, random_crops=a.random_crops, flips=a.flips)
    patches = augment.subtract_mean(patches, pixels)
    if not a.jitter:
      return patches
    draws = jax.vmap(lambda key: jax.random.normal(key, (3,)))(jitter_keys)
    return augment.pca_jitter(
        patches, draws, pixels, strength, scale=a.jitter_scale,
        rescale=a.jitter_rescale)

  with jax.named_scope('augment'):
    return columns.on_each_shard(own_examples, mesh)(
        images, crop_keys, jitter_keys)


def mean_over_views(model: Model, views: np.ndarray, params: Any,
                    pixels: augment.Pixels, images: jax.Array) -> jax.Array:
  """The softmax outputs averaged over patches (4.1): [B, S, S, 3] -> [B, N]."""

  def one_view(view):
    patches = augment.cut_view(images, view, model.patch)
    logits, _ = model.apply(params, augment.subtract_mean(patches, pixels))
    return jax.nn.softmax(logits)

  return jax.lax.map(one_view, jnp.asarray(views)).mean(0)


def make_evaluation_step(
    model: Model, views: np.ndarray) -> Callable[..., metrics.Sums]:
  """Returns f(params, pixels, batch) -> sums over the batch's valid images.

  Args:
    model: the network; dropout halves (4.2).
    views: of `augment.views`.
  """

  def evaluation_step(params, pixels, batch):
    mean = mean_over_views(model, views, params, pixels, batch['image'])
    return metrics.averaged_sums(mean, batch['label'], batch['valid'])

  return jax.jit(evaluation_step)
