"""The parts that a column is made of, as one GPU sees them (sections 3.1-4.2).

Maps are [B, H, W, C] with C the kernel maps of this column. The two response
norms and max-pooling carry gradients of their own: the derivatives are the
exact ones, only several times cheaper than what differentiation would write.
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


class FullyConnected(nn.Dense):
  """Fully connected: [B, ...] -> [B, neurons], its rows in (H, W, C) order."""

  def __call__(self, inputs: jax.Array) -> jax.Array:
    return super().__call__(inputs.reshape(len(inputs), -1))


class LocallyConnected(nn.Module):
  """A convolution that shares no weights: each position has kernels of its own.

  [B, H, W, C] -> [B, H, W, maps], stride 1, zeros around the edge. The kernel
  is [H, W, size*size*C, maps], what a position reads in the order of a
  convolution; the bias is [H, W, maps]. `nn.ConvLocal` does the same fifteen
  times slower on a CPU.
  """

  maps: int
  size: int
  kernel_init: Callable
  bias_init: Callable

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    below = (self.size - 1) // 2
    reach = (below, self.size - 1 - below)
    padded = jnp.pad(x, ((0, 0), reach, reach, (0, 0)))
    reads = jnp.concatenate([
        unit for rows in _taps(padded, self.size, 1, 1)
        for unit in _taps(rows, self.size, 1, 2)], axis=-1)
    places = x.shape[1:3]
    kernel = self.param('kernel', self.kernel_init,
                        (*places, reads.shape[-1], self.maps))
    bias = self.param('bias', self.bias_init, (*places, self.maps))
    return jnp.einsum('bhwr,hwrm->bhwm', reads, kernel) + bias[None]


def conv(
    maps: int,
    size: int,
    *,
    stddev: float,
    bias: float,
    stride: int = 1,
    padding: int | str | Sequence[tuple[int, int]] = 'SAME',
) -> nn.Conv:
  """`maps` kernels of size x size, Gaussian weights, constant biases (5)."""
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
  """A fully-connected layer with the same initialization (5)."""
  return FullyConnected(
      neurons,
      kernel_init=gaussian(stddev),
      bias_init=nn.initializers.constant(bias),
  )


def locally_connected(
  maps: int, size: int, *, stddev: float, bias: float
) -> LocallyConnected:
  """`maps` kernels of size x size at every position; the same initialization.

  The four-layer CIFAR-10 net of section 3.3 ends with two such layers.
  """
  return LocallyConnected(
      maps,
      size,
      kernel_init=gaussian(stddev),
      bias_init=nn.initializers.constant(bias),
  )


def flatten(x: jax.Array) -> jax.Array:
  """Maps as features: [B, H, W, C] -> [B, H*W*C]."""
  return x.reshape(len(x), -1)


def gaussian(stddev: float):
  """Initial weights: zero-mean Gaussian numbers of that deviation (5)."""

  def draw(key, shape, dtype=jnp.float32):
    # In a row: XLA takes a second or two to compile the same draw with axes.
    row = jax.random.normal(key, (math.prod(shape),), dtype)
    return stddev * row.reshape(shape)

  return draw


# --- Response normalization (3.3) ---------------------------------------------

# A window is (axis, how far it reaches below, how far above).
Window = tuple[int, int, int]


def local_response_norm(
    x: jax.Array,
    k: float = 2.0,
    n: int = 5,
    alpha: float = 1e-4,
    beta: float = 0.75,
) -> jax.Array:
  """Section 3.3: divides by n adjacent kernel maps at the same position.

  The window is cut at the column's edge. `alpha` is per squared term, as in the
  printed formula; the 2012 program divided its 1e-4 by n, which is 2e-5 here.
  An even n reaches one map further down than up.
  """
  return _divide(x, ((-1, n // 2, n - 1 - n // 2),), k, alpha, beta)


def within_map_norm(
    x: jax.Array, size: int = 5, alpha: float = 4e-5, beta: float = 0.75
) -> jax.Array:
  """The program's second norm in layer 2: a size x size square of one map.

  Not in the paper. `alpha` is per squared term (the program's 0.001 / 25); the
  square is clipped at the map's border and the constant is 1.
  """
  reach = (size // 2, size - 1 - size // 2)
  return _divide(x, ((-3, *reach), (-2, *reach)), 1.0, alpha, beta)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4))
def _divide(x, windows: tuple[Window, ...], k, alpha, beta):
  """X / (k + alpha * (sum of squares over the windows)) ** beta."""
  return _divide_forward(x, windows, k, alpha, beta)[0]


def _divide_forward(x, windows, k, alpha, beta):
  wide = _wide(x)
  # Every power of the divisor is a power of its fourth root: of all that could
  # be kept for the gradient only this one saves both roots and memory.
  root = lax.rsqrt(lax.sqrt(k + alpha * _window_sum(wide * wide, windows)))
  return _narrow(wide * _power(root, 4 * beta), x), (x, root)


def _divide_backward(windows, k, alpha, beta, residuals, g):
  del k
  x, root = residuals
  root = lax.optimization_barrier(root)  # or XLA keeps its powers from before
  wide = _wide(x)
  scaled = _wide(g) * _power(root, 4 * beta)
  # Whom a unit disturbs: the units whose window holds it, so the window turns.
  mirrored = tuple((axis, above, below) for axis, below, above in windows)
  disturbed = _window_sum(scaled * wide * _power(root, 4), mirrored)
  return ((scaled - (2 * alpha * beta) * wide * disturbed).astype(x.dtype),)


_divide.defvjp(_divide_forward, _divide_backward)


def _wide(x):
  """float32 of bfloat16, since the divisor is k and a little."""
  return x.astype(jnp.float32) if x.dtype == jnp.bfloat16 else x


def _narrow(wide, x):
  """The type of `x` again, rounded even where XLA would rather leave it out.

  Max-pooling compares these numbers with a largest one among them, and both
  may be computed anew.
  """
  if x.dtype == jnp.bfloat16:
    wide = lax.reduce_precision(wide, exponent_bits=8, mantissa_bits=7)
  return wide.astype(x.dtype)


def _window_sum(x: Any, windows):
  for axis, below, above in windows:
    ends = [(0, 0)] * x.ndim
    ends[axis] = (below, above)
    padded = jnp.pad(x, ends)
    size = x.shape[axis]
    summed: Any = sum(
        lax.slice_in_dim(padded, shift, shift + size, axis=axis % x.ndim)
        for shift in range(below + above + 1)
    )
    x = summed
  return x


def _power(root, exponent):
  whole = round(exponent)  # the paper's is: a product is a tenth of a `pow`
  return root ** (whole if whole == exponent else exponent)


# --- Pooling (3.4) ------------------------------------------------------------


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def max_pool(x: jax.Array, size: int = 3, stride: int = 2) -> jax.Array:
  """Section 3.4: the largest of size x size units, every `stride` units.

  The number of windows is rounded up, as in the 2012 program: a last window may
  hang over the edge, where nothing counts. Its gradient is the program's too:
  every unit that equals the maximum gets the whole of it.
  """
  for axis in (1, 2):
    x = functools.reduce(jnp.maximum, _taps(
        _overhang(x, size, stride, axis, -jnp.inf), size, stride, axis))
  return x


def _max_pool_forward(x, size, stride):
  y = max_pool(x, size, stride)
  return y, (x, y)


def _max_pool_backward(size, stride, residuals, g):
  x, y = residuals
  units = x.shape[1:3]
  most = -(-size // stride)  # windows that one row or column of units is in
  y, g = _around(y, units, most, stride), _around(g, units, most, stride)
  dx = jnp.zeros_like(x)
  # A unit looks at its windows; to scatter what windows send is slower.
  for back in itertools.product(range(most), repeat=2):
    hit = x == _window_of_each(y, units, most, stride, back)
    for axis, windows_back in zip((1, 2), back, strict=True):
      place = lax.broadcasted_iota(jnp.int32, x.shape, axis) % stride
      hit &= place + windows_back * stride < size
    share = _window_of_each(g, units, most, stride, back)
    dx += jnp.where(hit, share, jnp.zeros((), g.dtype))
  return (dx,)


max_pool.defvjp(_max_pool_forward, _max_pool_backward)


def avg_pool(x: jax.Array, size: int = 3, stride: int = 2) -> jax.Array:
  """The mean of size x size units, every `stride` units.

  Not in the paper's network but in the program's CIFAR-10 nets. As many windows
  as `max_pool` has; one that hangs over the edge is the mean of what it holds.
  """
  for axis in (1, 2):
    sums = sum(_taps(_overhang(x, size, stride, axis, 0.0), size, stride, axis))
    first = stride * np.arange(sums.shape[axis])
    held = np.minimum(size, x.shape[axis] - first).astype(x.dtype)
    x = sums / held.reshape(1, *((-1, 1) if axis == 1 else (1, -1)), 1)
  return x


def _around(y, units, most, stride):
  """Zeros for the windows before the first and after the last."""
  ends = [(most - 1, max(0, -(-n // stride) - windows))
          for n, windows in zip(units, y.shape[1:3], strict=True)]
  return jnp.pad(y, ((0, 0), *ends, (0, 0)))


def _window_of_each(y, units, most, stride, back):
  """What the window has that begins last before a unit, or `back` before."""
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
  if missing <= 0:  # nothing hangs over; a stride may leave units unread
    return x
  ends = [(0, 0)] * x.ndim
  ends[axis] = (0, missing)
  return jnp.pad(x, ends, constant_values=nothing)


def _taps(x, size, stride, axis):
  """The units at place 0, 1, ... of every window along one axis."""
  last = x.shape[axis] - size
  return [
      lax.slice_in_dim(x, tap, tap + last + 1, stride, axis)
      for tap in range(size)
  ]


# --- Dropout (4.2) ------------------------------------------------------------


def dropout(x: jax.Array, keys: jax.Array | None) -> jax.Array:
  """Section 4.2: silences half the neurons in training, halves all at test.

  The paper's form: no scaling in training. One random bit decides each neuron,
  which for one half is exact and costs next to nothing.

  Args:
    x: [B, neurons].
    keys: one per example [B], or None at test time.
  """
  if keys is None:
    return 0.5 * x
  neurons = x.shape[-1]

  def coins(key):
    words = jax.random.bits(key, (-(-neurons // 32), 1), jnp.uint32)
    places = jnp.arange(32, dtype=jnp.uint32)[None]
    return (words >> places).reshape(-1)[:neurons] & jnp.uint32(1)

  heads = jax.vmap(coins)(keys).astype(bool)
  return jnp.where(heads, x, jnp.zeros((), x.dtype))
