"""Compiles a function while its arguments are still being made."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_THREAD = 'compile'  # begins the name of every thread that compiles


def in_progress() -> bool:
  """Returns whether something is being compiled; it cannot be interrupted."""
  return any(thread.name.startswith(_THREAD)
             for thread in threading.enumerate())


class CompiledAhead:
  """A jitted function that can be compiled before its first call.

  XLA does not hold Python's lock while it compiles, so the thread that begins
  can decode pictures meanwhile.

  Args:
    function: what `jax.jit` returns.
  """

  def __init__(self, function: Callable):
    self._function: Any = function
    self._compiled: Future | None = None

  def begin(self, *shapes: Any) -> None:
    """Starts to compile in another thread.

    Args:
      *shapes: ShapeDtypeStructs with shardings, one tree for each argument.
        With other arguments the first call compiles again.
    """
    pool = ThreadPoolExecutor(1, _THREAD)
    # JAX keeps what was compiled for these shapes, and a call finds it.
    self._compiled = pool.submit(
        lambda: self._function.lower(*shapes).compile())
    pool.shutdown(wait=False)

  def __call__(self, *arguments: Any) -> Any:
    """Calls the function, as soon as it is compiled."""
    if self._compiled is not None:
      self._compiled.result()
    return self._function(*arguments)
