"""First values of weights, drawn with a deviation that suits their inputs.

Each function but `gaussian` is an initializer: (key, shape, type) -> weights.
The shape is [height, width, inputs, outputs] or [inputs, outputs]; each
position of a kernel counts as an input, and as an output.
"""

import math

import jax
import jax.numpy as jnp


def gaussian(stddev: float):
  """Returns an initializer: zero-mean Gaussian with this deviation (5)."""

  def draw(key, shape, dtype=jnp.float32):
    # The draw is one-dimensional: XLA needs a second or two to compile the same
    # draw with several axes.
    row = jax.random.normal(key, (math.prod(shape),), dtype)
    return stddev * row.reshape(shape)

  return draw


def he_normal(key: jax.Array, shape: tuple[int, ...],
              dtype=jnp.float32) -> jax.Array:
  """Gaussian weights of variance 2 / inputs, for ReLUs (He et al., 2015)."""
  return gaussian(math.sqrt(2 / math.prod(shape[:-1])))(key, shape, dtype)


def glorot(key: jax.Array, shape: tuple[int, ...],
           dtype=jnp.float32) -> jax.Array:
  """Gaussian weights of variance 2 / (inputs + outputs) (Glorot, 2010)."""
  *positions, inputs, outputs = shape
  fans = math.prod(positions) * (inputs + outputs)
  return gaussian(math.sqrt(2 / fans))(key, shape, dtype)


def xavier(key: jax.Array, shape: tuple[int, ...],
           dtype=jnp.float32) -> jax.Array:
  """Uniform weights of variance 1 / inputs: Caffe's filler of this name."""
  limit = math.sqrt(3 / math.prod(shape[:-1]))
  row = jax.random.uniform(key, (math.prod(shape),), dtype, -limit, limit)
  return row.reshape(shape)  # one-dimensional, as in `gaussian`
