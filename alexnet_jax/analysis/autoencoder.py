"""An auto-encoder that compresses features to short binary codes (6.1).

The paper proposes it and cites its reference [14]: Krizhevsky and Hinton,
"Using very deep autoencoders for content-based image retrieval" (2011). As in
[14], the code layer has logistic units that are rounded to 0 or 1 in the
forward pass, while the backward pass ignores the rounding. Unlike [14], there
is no layer-wise pretraining: the other layers have ReLUs (3.1), which learn
without it.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jax import lax

from alexnet_jax.learning import metrics, step
from alexnet_jax.learning.learning_rate import Length, Rates
from alexnet_jax.learning.step import Measured, State
from alexnet_jax.network import layers as L
from alexnet_jax.network import rng

SMALL = 0.1  # factor of the usual initial weights; 0.01 works as well


class FeatureStats(NamedTuple):
  """Statistics of the features of the training set."""

  mean: jax.Array | np.ndarray  # [D]
  scale: jax.Array | np.ndarray  # [] square root of the mean variance


class Autoencoder(NamedTuple):
  """Two networks as pure functions; x is standardized features."""

  init: Callable[[jax.Array], Any]  # key -> params
  encode: Callable  # (params, x [B, D]) -> inputs of code units [B, bits]
  decode: Callable  # (params, code [B, bits] of zeros and ones) -> x [B, D]


def build(dimension: int, sizes: Sequence[int], bits: int) -> Autoencoder:
  """Builds D -> sizes -> bits -> sizes reversed -> D, all fully connected.

  Initial weights are Gaussian with a standard deviation of sqrt(2 / inputs),
  which preserves the scale of ReLU outputs (He et al. 2015, "Delving deep into
  rectifiers"); initial biases are 0. The last layer has a tenth of this
  deviation. While the code carries no information, large outputs only add to
  the error, and the fastest way to reduce them is to turn the code units off,
  from which they rarely recover.

  Args:
    dimension: D, 4096 in the paper's network.
    sizes: number of neurons of each layer between features and code.
    bits: length of a code.
  """
  sizes_in = (dimension, *sizes, bits)
  sizes_out = sizes_in[::-1]
  encoder = _layers('encode', sizes_in)
  decoder = _layers('decode', sizes_out, last=SMALL)

  def init(key):
    return {
        name: layer.init(rng.fold_in_name(key, name),
                         jnp.zeros((1, reads)))['params']
        for reads, (name, layer) in zip(
            (*sizes_in[:-1], *sizes_out[:-1]), (*encoder, *decoder),
            strict=True)}

  def encode(params, x):
    return _run(encoder, params, x)

  def decode(params, code):
    return _run(decoder, params, code)

  return Autoencoder(init, encode, decode)


def _layers(name, sizes, last=1.0):
  """Returns [(name, layer)]; `last` scales the last layer's initial weights."""
  count = len(sizes) - 1
  return [
      (f'{name}{number}',
       L.fully_connected(
           sizes[number], bias=0.0,
           stddev=math.sqrt(2 / sizes[number - 1])
           * (last if number == count else 1.0)))
      for number in range(1, count + 1)]


def _run(layers, params, x):
  for name, layer in layers[:-1]:
    x = nn.relu(layer.apply({'params': params[name]}, x))
  name, last = layers[-1]
  return last.apply({'params': params[name]}, x)


def standardize(features: jax.Array, stats: FeatureStats) -> jax.Array:
  """Scales features to zero mean and a mean variance of 1: [B, D] -> [B, D].

  All dimensions share one scale: with a separate scale for each dimension, the
  nearest neighbors would change.
  """
  return (features - stats.mean[None]) / stats.scale


def binarize(reads: jax.Array) -> jax.Array:
  """Rounds to 0 or 1 forward; backward uses the logistic's gradient."""
  activity = nn.sigmoid(reads)
  ignored = activity - lax.stop_gradient(activity)  # 0, except for its gradient
  return (reads > 0).astype(reads.dtype) + ignored


def reconstruction_errors(
  model: Autoencoder, params: Any, x: jax.Array
) -> jax.Array:
  """Returns the mean squared error of each example: [B, D] -> [B].

  It is 1 on average if the code carries no information.

  Args:
    model: the auto-encoder.
    params: parameters of the auto-encoder.
    x: standardized features [B, D].
  """
  code = binarize(model.encode(params, x))
  return jnp.square(model.decode(params, code) - x).mean(1)


def encode_bits(model: Autoencoder, params: Any, stats: FeatureStats,
            features: jax.Array) -> jax.Array:
  """Returns the codes of features before standardization.

  Args:
    model: the auto-encoder.
    params: parameters of the auto-encoder.
    stats: statistics of the features of the training set.
    features: [B, D].

  Returns:
    The codes, bool [B, bits].
  """
  return model.encode(params, standardize(features, stats)) > 0


# --- The steps ----------------------------------------------------------------


def make_train_step(
    model: Autoencoder,
    rule: optax.GradientTransformationExtraArgs,
    rates: Rates,
    length: Length,
) -> Callable[[State, dict], tuple[State, Measured]]:
  """Returns step(state, batch) -> (state, {'loss'}); donates the state.

  Args:
    model: the auto-encoder.
    rule: the update rule.
    rates: the learning rate schedule.
    length: length of the run.
  """

  def train_step(state, batch):
    x = standardize(batch['features'], state.input_stats)

    def loss_fn(params):
      loss = reconstruction_errors(model, params, x).mean()
      return loss, {'loss': loss}

    grads, measured = jax.grad(loss_fn, has_aux=True)(state.params)
    return step.update(state, grads, rule, rates, length), measured

  return jax.jit(train_step, donate_argnums=0)


def make_evaluation_step(
    model: Autoencoder
) -> Callable[[Any, FeatureStats, dict], metrics.Sums]:
  """Returns f(params, stats, batch) -> sums over the valid features."""

  def evaluation_step(params, stats, batch):
    x = standardize(batch['features'], stats)
    valid = batch['valid'].astype(x.dtype)
    losses = reconstruction_errors(model, params, x) * valid
    return {'loss': (losses.sum(), valid.sum())}

  return jax.jit(evaluation_step)
