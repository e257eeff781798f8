"""The operations of one column (sections 3.1-4.2).

Maps are [B, H, W, C], where C is the number of kernel maps of this column. The
two response norms and max-pooling have custom gradients. These are exact and
several times cheaper than those of automatic differentiation. Where the best
form of an operation depends on the platform, `lax.platform_dependent` chooses.
"""

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from alexnet_jax.network import on_tpu
from alexnet_jax.network.initial import gaussian


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
        unit for rows in _taps(padded, self.size, 1, 0)
        for unit in _taps(rows, self.size, 1, 1)], axis=-1)
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


# --- Response normalization (3.3) ---------------------------------------------

# A window is (axis, extent below the unit, extent above the unit).
Window = tuple[int, int, int]


def local_response_norm(
    x: jax.Array,
    k: float = 2.0,
    n: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
) -> jax.Array:
  """Normalizes each unit over n adjacent maps at the same position (3.3).

  The window is truncated at the first and last map of the column. `alpha` is
  per squared term, as in the paper's formula; the 2012 program divides its 1e-4
  by n, which corresponds to 2e-5 here. For an even n the window extends one map
  further down than up.

  Args:
    x: maps [B, H, W, C].
    k: additive constant of the divisor.
    n: number of maps in the window.
    alpha: factor of the sum of squares.
    beta: exponent of the divisor.
  """
  return _divide(x, ((-1, n // 2, n - 1 - n // 2),), k, alpha, beta)


def within_map_norm(
    x: jax.Array, size: int = 5, alpha: float = 4e-5, beta: float = 0.75
) -> jax.Array:
  """Normalizes each unit over a size x size window of the same map.

  This is the second norm in layer 2 of the program; it is not in the paper.
  `alpha` is per squared term (the program's 0.001 / 25). The window is
  truncated at the edges of the map, and the additive constant is 1.

  Args:
    x: maps [B, H, W, C].
    size: side of the square window.
    alpha: factor of the sum of squares.
    beta: exponent of the divisor.
  """
  reach = (size // 2, size - 1 - size // 2)
  return _divide(x, ((-3, *reach), (-2, *reach)), 1.0, alpha, beta)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def _divide(x, windows: tuple[Window, ...], k, alpha, beta):
  """X / (k + alpha * (sum of squares over the windows)) ** beta."""
  return divide_forward(x, windows, k, alpha, beta)[0]


def divide_forward(x: jax.Array, windows: tuple[Window, ...], k: float,
                   alpha: float, beta: float) -> tuple[jax.Array, Any]:
  """Returns the normalized maps, and (x, root) for `divide_backward`."""
  # Every power of the divisor is a power of its fourth root. Storing only this
  # root for the gradient saves both memory and the recomputation of roots.
  root = _root(_wide(x), windows, k, alpha)
  return divided(x, root, beta), (x, root)


def divided(x: jax.Array, root: jax.Array, beta: float) -> jax.Array:
  """Returns the normalized maps; `root` is the divisor to the power of -1/4."""
  return _narrow(_wide(x) * _power(root, 4 * beta), x)


def _root(wide, windows, k, alpha):
  return lax.rsqrt(lax.sqrt(k + alpha * _window_sum(wide * wide, windows)))


def divide_backward(windows: tuple[Window, ...], k: float, alpha: float,
                    beta: float, residuals: Any,
                    g: jax.Array) -> tuple[jax.Array]:
  """Returns the gradient of the maps from that of the normalized ones."""
  x, root = residuals

  def stored(x, root):
    del x
    return lax.optimization_barrier(root)  # or XLA stores the forward powers

  def computed_again(x, root):
    del root
    return _root(_wide(lax.optimization_barrier(x)), windows, k, alpha)

  root = lax.platform_dependent(
      x, root, default=stored, tpu=computed_again)
  wide = _wide(x)
  scaled = _wide(g) * _power(root, 4 * beta)
  # A unit affects the units whose windows contain it: a mirrored window.
  mirrored = tuple((axis, above, below) for axis, below, above in windows)
  disturbed = _window_sum(scaled * wide * _power(root, 4), mirrored)
  return ((scaled - (2 * alpha * beta) * wide * disturbed).astype(x.dtype),)


_divide.defvjp(divide_forward, divide_backward)


def _wide(x):
  """Converts bfloat16 to float32, since the divisor is only just above k."""
  return x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x


def _narrow(wide, x):
  """Converts back to the type of `x`; XLA cannot optimize the rounding away.

  Max-pooling compares these numbers with their maximum, and XLA may recompute
  either of them.
  """
  if x.dtype == jnp.bfloat16:
    wide = lax.reduce_precision(wide, exponent_bits=8, mantissa_bits=7)
  return wide.astype(x.dtype)


def _window_sum(x: Any, windows):
  for axis, below, above in windows:
    shifted = functools.partial(
        _sum_of_shifted, axis=axis, below=below, above=above)
    if axis == -1:
      x = lax.platform_dependent(x, default=shifted, tpu=functools.partial(
          on_tpu.sum_over_maps, below=below, above=above))
    else:
      x = shifted(x)
  return x


def _sum_of_shifted(x: Any, axis, below, above):
  ends = [(0, 0)] * x.ndim
  ends[axis] = (below, above)
  padded = jnp.pad(x, ends)
  size = x.shape[axis]
  return sum(
      lax.slice_in_dim(padded, shift, shift + size, axis=axis % x.ndim)
      for shift in range(below + above + 1))


def _power(root, exponent):
  rounded = round(exponent)  # 3 in the paper; ten times faster than `pow`
  return root ** (rounded if rounded == exponent else exponent)


# --- Pooling (3.4) ------------------------------------------------------------


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def max_pool(x: jax.Array, size: int = 3, stride: int = 2) -> jax.Array:
  """Max-pooling (3.4): the maximum of size x size units, every `stride` units.

  The number of windows is rounded up, as in the 2012 program: the last window
  may extend past the edge, where no units are counted. The gradient is also
  that of the program: every unit that equals the maximum gets the whole
  gradient of the window. On a TPU only the first of these units gets it.

  Args:
    x: maps [B, H, W, C].
    size: side of the square windows.
    stride: distance between adjacent windows.
  """
  return lax.platform_dependent(
      x, default=functools.partial(_largest, size=size, stride=stride),
      tpu=functools.partial(on_tpu.max_pool, size=size, stride=stride))


def _largest(x, size, stride):
  for axis in (1, 2):
    x = functools.reduce(jnp.maximum, _taps(
        _overhang(x, size, stride, axis, -jnp.inf), size, stride, axis))
  return x


def _max_pool_forward(x, size, stride):
  y = max_pool(x, size, stride)
  return y, (x, y)


def max_pool_backward(size: int, stride: int, residuals: Any,
                      g: jax.Array) -> tuple[jax.Array]:
  """Returns the gradient of maps x from that of pooled ones y; (x, y) given."""
  x, y = residuals
  return (lax.platform_dependent(
      x, y, g, default=functools.partial(
          _to_every_maximum, size=size, stride=stride),
      tpu=lambda x, y, g: on_tpu.max_pool_gradient(x, g, size, stride)),)


def _to_every_maximum(x, y, g, size, stride):
  units = x.shape[1:3]
  most = -(-size // stride)  # windows that contain one row or column
  y, g = _around(y, units, most, stride), _around(g, units, most, stride)
  dx = jnp.zeros_like(x)
  # Each unit gathers from its windows; scattering from the windows is slower.
  for back in itertools.product(range(most), repeat=2):
    hit = x == _window_of_each(y, units, most, stride, back)
    for axis, windows_back in zip((1, 2), back, strict=True):
      place = lax.broadcasted_iota(jnp.int32, x.shape, axis) % stride
      hit &= place + windows_back * stride < size
    share = _window_of_each(g, units, most, stride, back)
    dx += jnp.where(hit, share, jnp.zeros((), g.dtype))
  return dx


max_pool.defvjp(_max_pool_forward, max_pool_backward)


def avg_pool(x: jax.Array, size: int = 3, stride: int = 2) -> jax.Array:
  """Average pooling: the mean of size x size units, every `stride` units.

  The paper's network does not use it, but the program's CIFAR-10 nets do. There
  are as many windows as in `max_pool`; a window that extends past the edge
  gives the mean of the units inside the map.

  Args:
    x: maps [B, H, W, C].
    size: side of the square windows.
    stride: distance between adjacent windows.
  """
  for axis in (1, 2):
    sums = sum(_taps(_overhang(x, size, stride, axis, 0.0), size, stride, axis))
    first = stride * np.arange(sums.shape[axis])
    counts = np.minimum(size, x.shape[axis] - first).astype(x.dtype)
    x = sums / counts.reshape(1, *((-1, 1) if axis == 1 else (1, -1)), 1)
  return x


def _around(y, units, most, stride):
  """Pads with zeros for windows before the first and after the last."""
  ends = [(most - 1, max(0, -(-n // stride) - windows))
          for n, windows in zip(units, y.shape[1:3], strict=True)]
  return jnp.pad(y, ((0, 0), *ends, (0, 0)))


def _window_of_each(y, units, most, stride, back):
  """Gives each unit the value of the last window starting at or before it.

  `back` counts how many windows earlier to take it from, along each axis.
  """
  begun = [-(-n // stride) for n in units]
  first = [most - 1 - b for b in back]
  y = y[:, first[0]:first[0] + begun[0], first[1]:first[1] + begun[1]]
  y = jnp.broadcast_to(
      y[:, :, None, :, None],
      (len(y), begun[0], stride, begun[1], stride, y.shape[-1]))
  y = y.reshape(len(y), begun[0] * stride, begun[1] * stride, y.shape[-1])
  return y[:, :units[0], :units[1]]


def _overhang(x, size, stride, axis, nothing):
  windows = 1 + max(0, -(-(x.shape[axis] - size) // stride))
  missing = (windows - 1) * stride + size - x.shape[axis]
  if missing <= 0:  # no window extends past the edge; some units may be unread
    return x
  ends = [(0, 0)] * x.ndim
  ends[axis] = (0, missing)
  return jnp.pad(x, ends, constant_values=nothing)


def _taps(x, size, stride, axis):
  """Returns the units at offset 0, 1, ... of every window along one axis."""
  last = x.shape[axis] - size
  return [
      lax.slice_in_dim(x, tap, tap + last + 1, stride, axis)
      for tap in range(size)
  ]


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
