"""A response norm (3.3) and the max-pooling after it (3.4) as one operation.

Max-pooling needs the normalized maps for its gradient. On a CPU they are worked
out again there, as one product of what the norm stores anyway. So they are not
stored until then, which saves a tenth of the memory of a step.
"""

import functools
from collections.abc import Callable, Sequence

import jax
from jax import lax

from alexnet_jax.network import layers as L

Operation = Callable[[jax.Array], jax.Array]


def join(post_ops: Sequence[Operation]) -> list[Operation]:
  """Makes one operation of each `local_response_norm` and `max_pool` after it.

  The results are the same to the last bit.
  """
  joined = list(post_ops)
  for place in reversed(range(len(joined) - 1)):
    norm, pool = joined[place:place + 2]
    if (_function(norm) is L.local_response_norm
        and _function(pool) is L.max_pool):
      joined[place:place + 2] = [functools.partial(
          _pooled_norm, **_keywords(norm), **_keywords(pool))]
  return joined


def _function(f):
  return getattr(f, 'func', f)


def _keywords(f):
  return getattr(f, 'keywords', {})


def _pooled_norm(x, k=2.0, n=5, alpha=1e-4, beta=0.75, size=3, stride=2):
  window = (-1, n // 2, n - 1 - n // 2)
  return _pooled(x, (window,), k, alpha, beta, size, stride)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4, 5, 6))
def _pooled(x, windows, k, alpha, beta, size, stride):
  return _forward(x, windows, k, alpha, beta, size, stride)[0]


def _forward(x, windows, k, alpha, beta, size, stride):
  maps, (x, root) = L._divide_forward(x, windows, k, alpha, beta)
  y = L.max_pool(maps, size, stride)
  return y, (x, root, maps, y)


def _backward(windows, k, alpha, beta, size, stride, residuals, g):
  x, root, maps, y = residuals

  def stored(x, root, maps):
    del x, root
    return maps

  def computed_again(x, root, maps):
    del maps
    x, root = lax.optimization_barrier((x, root))  # or XLA stores the maps
    return L._narrow(L._wide(x) * L._power(root, 4 * beta), x)

  maps = lax.platform_dependent(
      x, root, maps, default=stored, cpu=computed_again)
  g, = L._max_pool_backward(size, stride, (maps, y), g)
  return L._divide_backward(windows, k, alpha, beta, (x, root), g)


_pooled.defvjp(_forward, _backward)
