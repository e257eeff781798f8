"""An auto-encoder that compresses features to short binary codes (6.1).

The paper proposes it and points to its reference [14]: Krizhevsky and Hinton,
"Using very deep autoencoders for content-based image retrieval" (2011). As
there, the code layer has logistic units that are rounded to 0 or 1 on the way
forward, while the way back ignores the rounding. Unlike there, no layer is
trained before the whole: the others have ReLUs (3.1), which learn without.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from alexnet_jax.network import layers as L
from alexnet_jax.network import rng

SMALL = 0.1  # of the usual first weights; 0.01 does the same


class FeatureStats(NamedTuple):
  """What the features of the training set are like."""

  mean: jax.Array | np.ndarray  # [D]
  scale: jax.Array | np.ndarray  # [] root of their mean variance


class Autoencoder(NamedTuple):
  """Two networks as pure functions; x are standardized features."""

  init: Callable[[jax.Array], Any]  # key -> params
  encode: Callable  # (params, x [B, D]) -> what code units read [B, bits]
  decode: Callable  # (params, code [B, bits] of zeros and ones) -> x [B, D]


def build(dimension: int, sizes: Sequence[int], bits: int) -> Autoencoder:
  """D -> sizes -> bits -> sizes in reverse -> D, all fully connected.

  Weights start Gaussian with a deviation of sqrt(2 / inputs), which keeps the
  size of what ReLUs put out (He et al. 2015, "Delving deep into rectifiers"),
  and biases at 0. The last layer has a tenth of that: as long as the code tells
  nothing, large outputs are only wrong, and the quickest way to make them small
  is to switch the code's units off, from which they hardly come back.

  Args:
    dimension: D, 4096 in the paper's network.
    sizes: neurons of the layers between features and code.
    bits: of a code.
  """
  there = (dimension, *sizes, bits)
  back = there[::-1]
  encoder = _layers('encode', there)
  decoder = _layers('decode', back, last=SMALL)

  def init(key):
    return {
        name: layer.init(rng.fold_in_name(key, name),
                         jnp.zeros((1, reads)))['params']
        for reads, (name, layer) in zip(
            (*there[:-1], *back[:-1]), (*encoder, *decoder), strict=True)}

  def encode(params, x):
    return _run(encoder, params, x)

  def decode(params, code):
    return _run(decoder, params, code)

  return Autoencoder(init, encode, decode)


def _layers(name, sizes, last=1.0):
  """[(name, layer)]; `last` is a factor for the last one's first weights."""
  count = len(sizes) - 1
  return [
      (f'{name}{number}',
       L.fully_connected(sizes[number],
              stddev=math.sqrt(2 / sizes[number - 1])
              * (last if number == count else 1.0),
              bias=0.0))
      for number in range(1, count + 1)]


def _run(layers, params, x):
  for name, layer in layers[:-1]:
    x = nn.relu(layer.apply({'params': params[name]}, x))
  name, last = layers[-1]
  return last.apply({'params': params[name]}, x)


def standardize(features: jax.Array, stats: FeatureStats) -> jax.Array:
  """Features around zero, of a mean variance of 1: [B, D] -> [B, D].

  One scale for all: with a scale for each number, other features would be near
  each other than before.
  """
  return (features - stats.mean[None]) / stats.scale


def binarize(reads: jax.Array) -> jax.Array:
  """The code: 0 or 1 forward; backward the logistic, as if not rounded."""
  activity = nn.sigmoid(reads)
  ignored = activity - lax.stop_gradient(activity)  # 0, but for its gradient
  return (reads > 0).astype(reads.dtype) + ignored


def reconstruction_errors(
  model: Autoencoder, params: Any, x: jax.Array
) -> jax.Array:
  """Mean squared error of every example's numbers: [B, D] -> [B].

  It is 1 on average where the code tells nothing.
  """
  code = binarize(model.encode(params, x))
  return jnp.square(model.decode(params, code) - x).mean(1)


def encode_bits(model: Autoencoder, params: Any, stats: FeatureStats,
            features: jax.Array) -> jax.Array:
  """The codes of features as they come: [B, D] -> bool [B, bits]."""
  return model.encode(params, standardize(features, stats)) > 0
