"""A response norm (3.3) and the max-pooling after it (3.4) as one operation.

Max-pooling needs the normalized maps for its gradient. On a CPU they are worked
out again there, as one product of what the norm stores anyway. So they are not
stored until then, which saves a tenth of the memory of a step with jaxlib
0.10.2; with 0.11.2 XLA stores them all the same.
"""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax import lax

from alexnet_jax.network import pooling, response_norm

Operation = Callable[[jax.Array], jax.Array]


def join(post_ops: Sequence[Operation]) -> list[Operation]:
  """Makes one operation of each `local_response_norm` and `max_pool` after it.

  The results are the same to the last bit.
  """
  joined = list(post_ops)
  for place in reversed(range(len(joined) - 1)):
    arguments = arguments_of_both(*joined[place:place + 2])
    if arguments:
      joined[place:place + 2] = [functools.partial(_pooled_norm, **arguments)]
  return joined


def arguments_of_both(first: Operation,
                      second: Operation) -> dict[str, Any] | None:
  """Returns the arguments of a response norm and of the max-pooling after it.

  None: the two operations are not these.
  """
  if (_function(first) is not response_norm.local_response_norm
      or _function(second) is not pooling.max_pool):
    return None
  return _arguments(first) | _arguments(second)


def _function(f):
  return getattr(f, 'func', f)


def _arguments(f):
  """Returns the given and the default arguments of an operation on maps."""
  _, *others = inspect.signature(_function(f)).parameters.values()
  return ({other.name: other.default for other in others}
          | getattr(f, 'keywords', {}))


def _pooled_norm(x, k, n, alpha, beta, size, stride):
  window = (-1, n // 2, n - 1 - n // 2)
  return _pooled(x, (window,), k, alpha, beta, size, stride)


@functools.partial(jax.custom_vjp, nondiff_argnums=(1, 2, 3, 4, 5, 6))
def _pooled(x, windows, k, alpha, beta, size, stride):
  return _forward(x, windows, k, alpha, beta, size, stride)[0]


def _forward(x, windows, k, alpha, beta, size, stride):
  maps, (x, root) = response_norm.divide_forward(x, windows, k, alpha, beta)
  y = pooling.max_pool(maps, size, stride)
  return y, (x, root, maps, y)


def _backward(windows, k, alpha, beta, size, stride, residuals, g):
  x, root, maps, y = residuals

  def stored(x, root, maps):
    del x, root
    return maps

  def computed_again(x, root, maps):
    del maps
    x, root = lax.optimization_barrier((x, root))  # or XLA stores the maps
    return response_norm.divided(x, root, beta)

  maps = lax.platform_dependent(
      x, root, maps, default=stored, cpu=computed_again)
  g, = pooling.max_pool_backward(size, stride, (maps, y), g)
  return response_norm.divide_backward(windows, k, alpha, beta, (x, root), g)


_pooled.defvjp(_forward, _backward)
