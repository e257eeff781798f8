"""Response normalization (3.3), and the program's second norm.

Maps are [B, H, W, C], where C is the number of kernel maps of this column. The
gradients are custom: exact, and several times cheaper than those of automatic
differentiation. Where the best form of an operation depends on the platform,
`lax.platform_dependent` chooses.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from alexnet_jax.network import on_tpu

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
