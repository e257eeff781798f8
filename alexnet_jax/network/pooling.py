"""Overlapping pooling (3.4): the largest or the mean of a window.

Maps are [B, H, W, C], where C is the number of kernel maps of this column.
Max-pooling has a custom gradient, and where the best form of an operation
depends on the platform, `lax.platform_dependent` chooses.
"""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from alexnet_jax.network import on_tpu


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
    x = functools.reduce(jnp.maximum, units_by_offset(
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
    wide = _overhang(x, size, stride, axis, 0.0)
    sums = sum(units_by_offset(wide, size, stride, axis))
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


def units_by_offset(x, size, stride, axis):
  """Returns the units at offset 0, 1, ... of every window along one axis."""
  last = x.shape[axis] - size
  return [
      lax.slice_in_dim(x, tap, tap + last + 1, stride, axis)
      for tap in range(size)
  ]
