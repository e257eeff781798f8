"""Convolutions, fully-connected layers and dropout of a column (3.5, 4.2).

Maps are [B, H, W, C], where C is the number of kernel maps of this column.
Response norms are in response_norm.py, pooling is in pooling.py.
"""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from alexnet_jax.network.initial import gaussian
from alexnet_jax.network.pooling import units_by_offset


class FullyConnected(nn.Dense):
  """Fully connected: [B, ...] -> [B, neurons], inputs in (H, W, C) order."""

  def __call__(self, inputs: jax.Array) -> jax.Array:
    return super().__call__(inputs.reshape(inputs.shape[0], -1))


class LocallyConnected(nn.Module):
  """A convolution without weight sharing: each position has separate kernels.

  [B, H, W, C] -> [B, H, W, maps], with stride 1 and zero padding. The kernel is
  [H, W, size*size*C, maps], with the inputs of a position in the order of a
  convolution kernel; the bias is [H, W, maps]. `nn.ConvLocal` computes the same
  fifteen times slower on a CPU.
  """

  maps: int
  size: int
  kernel_init: Callable
  bias_init: Callable

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    below = (self.size - 1) // 2
    reach = (below, self.size - 1 - below)
    # One product for each position: with positions in front, the maps are laid
    # out once for it and both its gradients.
    x = jnp.moveaxis(x, 0, 2)  # [H, W, B, C]
    padded = jnp.pad(x, (reach, reach, (0, 0), (0, 0)))
    reads = jnp.concatenate([
        unit for rows in units_by_offset(padded, self.size, 1, 0)
        for unit in units_by_offset(rows, self.size, 1, 1)], axis=-1)
    places = x.shape[:2]
    kernel = self.param('kernel', self.kernel_init,
                        (*places, reads.shape[-1], self.maps))
    bias = self.param('bias', self.bias_init, (*places, self.maps))
    y = jnp.einsum('hwbr,hwrm->hwbm', reads, kernel) + bias[:, :, None]
    return jnp.moveaxis(y, 2, 0)


def conv(
    maps: int,
    size: int,
    *,
    stddev: float,
    bias: float,
    stride: int = 1,
    padding: int | str | Sequence[tuple[int, int]] = 'SAME',
) -> nn.Conv:
  """Returns a convolution with Gaussian weights and constant biases (5).

  Args:
    maps: number of kernels.
    size: side of the square kernels.
    stddev: standard deviation of the initial weights.
    bias: initial value of all biases.
    stride: distance between adjacent positions.
    padding: padding as `nn.Conv` takes it.
  """
  return nn.Conv(
      maps,
      (size, size),
      stride,
      padding,
      kernel_init=gaussian(stddev),
      bias_init=nn.initializers.constant(bias),
  )


def fully_connected(
  neurons: int, *, stddev: float, bias: float
) -> FullyConnected:
  """Returns a fully connected layer with the same initialization (5).

  Args:
    neurons: number of outputs.
    stddev: standard deviation of the initial weights.
    bias: initial value of all biases.
  """
  return FullyConnected(
      neurons,
      kernel_init=gaussian(stddev),
      bias_init=nn.initializers.constant(bias),
  )


def locally_connected(
  maps: int, size: int, *, stddev: float, bias: float
) -> LocallyConnected:
  """Returns a locally connected layer with the same initialization.

  The four-layer CIFAR-10 net of section 3.3 has two such layers below the
  softmax layer.

  Args:
    maps: number of kernels at every position.
    size: side of the square kernels.
    stddev: standard deviation of the initial weights.
    bias: initial value of all biases.
  """
  return LocallyConnected(
      maps,
      size,
      kernel_init=gaussian(stddev),
      bias_init=nn.initializers.constant(bias),
  )


def flatten(x: jax.Array) -> jax.Array:
  """Flattens maps to features: [B, H, W, C] -> [B, H*W*C]."""
  return x.reshape(x.shape[0], -1)


# --- Dropout (4.2) ------------------------------------------------------------


def dropout(x: jax.Array, keys: jax.Array | None,
            inverted: bool = False) -> jax.Array:
  """Dropout (4.2): zeroes half the neurons in training, halves all at test.

  As in the paper, outputs are not scaled in training. One random bit decides
  for each neuron, which is exact for a probability of one half and is cheap.

  Args:
    x: activations [B, neurons], or maps [B, H, W, C].
    keys: one key per example [B], or None at test time.
    inverted: double the others in training and leave all as they are at test,
      as Caffe and PyTorch do.
  """
  if keys is None:
    return x if inverted else 0.5 * x
  neurons = math.prod(x.shape[1:])

  def coins(key):
    words = jax.random.bits(key, (-(-neurons // 32), 1), jnp.uint32)
    places = jnp.arange(32, dtype=jnp.uint32)[None]
    return (words >> places).reshape(-1)[:neurons] & jnp.uint32(1)

  heads = jax.vmap(coins)(keys).astype(bool).reshape(x.shape)
  return jnp.where(heads, 2 * x if inverted else x, jnp.zeros((), x.dtype))


def dropout_at(x: jax.Array, keys: jax.Array | None, rate: float) -> jax.Array:
  """Dropout that scales what it keeps, and leaves all as it is at test.

  Args:
    x: activations [B, neurons], or maps [B, H, W, C].
    keys: one key per example [B], or None at test time.
    rate: the probability of zero, such as 0.4.
  """
  if keys is None:
    return x
  kept = jax.vmap(lambda key: jax.random.bernoulli(
      key, 1 - rate, x.shape[1:]))(keys)
  return jnp.where(kept, x / (1 - rate), jnp.zeros((), x.dtype))
