"""Forms of the norm and of max-pooling for a TPU, which is bound by memory.

A TPU has operations of its own for windows, and its matrix unit is idle while
memory is read. The forms in other files make several arrays of the size of the
maps instead, which is cheap in the cache of a processor only. The forms here
compute the same, but for one thing: among units of a window that equal its
maximum, the first one gets the gradient, not each of them.
"""

import jax
import jax.numpy as jnp
from jax import lax


def sum_over_maps(x: jax.Array, below: int, above: int) -> jax.Array:
  """Sums over adjacent maps, as a product with a matrix of zeros and ones.

  Args:
    x: [..., C], float32 or wider.
    below: number of maps below that are added to each.
    above: number of maps above.

  Returns:
    The sums, [..., C].
  """
  maps = jnp.arange(x.shape[-1])
  distance = maps[:, None] - maps[None]
  window = (-below <= distance) & (distance <= above)
  return jnp.dot(x, window.astype(x.dtype), precision='highest')


def max_pool(x: jax.Array, size: int, stride: int) -> jax.Array:
  """Max-pooling as in `pooling.max_pool`: [B, H, W, C] -> [B, h, w, C]."""
  overhang = []
  for side in x.shape[1:3]:
    windows = 1 + max(0, -(-(side - size) // stride))
    overhang.append((0, max(0, (windows - 1) * stride + size - side)))
  return lax.reduce_window(
      x, -jnp.inf, lax.max, (1, size, size, 1), (1, stride, stride, 1),
      ((0, 0), *overhang, (0, 0)))


def max_pool_gradient(x: jax.Array, g: jax.Array, size: int,
                      stride: int) -> jax.Array:
  """Returns the gradient of `max_pool`, which the first maximum gets.

  Args:
    x: maps [B, H, W, C].
    g: gradient of the pooled maps, [B, h, w, C].
    size: side of the square windows.
    stride: distance between adjacent windows.
  """
  _, pull = jax.vjp(lambda x: max_pool(x, size, stride), x)
  return pull(g)[0]
