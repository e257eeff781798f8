"""SIGTERM and Ctrl-C ask a run to save and leave."""

import signal
import sys
import threading

import jax
import orbax.checkpoint as ocp


class Stop:
  """True once somebody asked; installs itself as the handler.

  Several processes must stop at the same step. There JAX's own coordinator
  listens for SIGTERM and Orbax tells at which step all of them agree.
  """

  def __init__(self, manager: ocp.CheckpointManager):
    self._asked = threading.Event()
    self._manager = manager
    self._together = jax.process_count() > 1
    self._before = {}
    if threading.current_thread() is threading.main_thread():
      names = [signal.SIGINT] if self._together else [
          signal.SIGINT, signal.SIGTERM]
      self._before = {name: signal.signal(name, self._ask) for name in names}

  def asked(self, step: int) -> bool:
    """Whether to save at `step` and leave."""
    if self._together:
      return self._manager.reached_preemption(step)
    return self._asked.is_set()

  def exit_when_asked(self) -> None:
    """From here on all is saved: a signal ends the program, with status 0."""
    for name in self._before:
      signal.signal(name, lambda number, frame: sys.exit(0))
    if self._asked.is_set():
      sys.exit(0)

  def uninstall(self) -> None:
    """Gives the signals back."""
    for name, handler in self._before.items():
      signal.signal(name, handler)

  def _ask(self, number, frame):
    del frame
    self._asked.set()
    if number == signal.SIGINT:  # a second Ctrl-C must not be swallowed
      signal.signal(signal.SIGINT, signal.default_int_handler)
