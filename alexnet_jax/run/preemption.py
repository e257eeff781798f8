"""SIGTERM and Ctrl-C ask a run to save and leave."""

import signal
import sys
import threading

import jax
import orbax.checkpoint as ocp


class StopRequest:
  """True once a signal has arrived; installs itself as the handler.

  Several processes must stop at the same step. There JAX's own coordinator
  listens for SIGTERM, and Orbax knows the step at which all of them agree.
  """

  def __init__(self, manager: ocp.CheckpointManager | None):
    """Installs the handlers; `manager` is asked where processes must agree."""
    self._event = threading.Event()
    self._manager = manager
    self._several_processes = jax.process_count() > 1
    self._previous = {}
    if threading.current_thread() is threading.main_thread():
      names = [signal.SIGINT] if self._several_processes else [
          signal.SIGINT, signal.SIGTERM]
      self._previous = {
          name: signal.signal(name, self._handle) for name in names}

  def requested(self, step: int) -> bool:
    """Whether to save at `step` and leave."""
    if self._several_processes and self._manager is not None:
      return self._manager.reached_preemption(step)
    return self._event.is_set()

  def exit_on_signal(self) -> None:
    """Everything is saved: from here a signal ends the program, status 0."""
    for name in self._previous:
      signal.signal(name, lambda number, frame: sys.exit(0))
    if self._event.is_set():
      sys.exit(0)

  def uninstall(self) -> None:
    """Restores the previous handlers."""
    for name, handler in self._previous.items():
      signal.signal(name, handler)

  def _handle(self, number, frame):
    del frame
    self._event.set()
    if number == signal.SIGINT:  # a second Ctrl-C must end the program
      signal.signal(signal.SIGINT, signal.default_int_handler)
