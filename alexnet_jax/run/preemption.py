"""Makes a run save and stop on SIGTERM, SIGHUP and Ctrl-C."""

import signal
import sys
import threading

import jax
import orbax.checkpoint as ocp

from alexnet_jax import signals


class StopRequest:
  """Records requests to stop.

  In the program they come from the thread that waits for signals, elsewhere
  from signal handlers. Several processes must stop at the same step: JAX's
  coordinator has a handler of SIGTERM, and Orbax reports the step on which all
  processes agree.
  """

  def __init__(self, manager: ocp.CheckpointManager | None):
    """Starts to record; `manager` is used with several processes."""
    self._event = threading.Event()
    self._manager = manager
    self._several_processes = jax.process_count() > 1
    self._previous = {}
    if signals.watching():
      signals.on_first(self._request)
    elif threading.current_thread() is threading.main_thread():
      names = [signal.SIGINT] if self._several_processes else [
          signal.SIGINT, signal.SIGTERM]
      self._previous = {
          name: signal.signal(name, self._handle) for name in names}

  def requested(self, step: int) -> bool:
    """Returns whether to save at `step` and stop."""
    if self._several_processes and self._manager is not None:
      return self._manager.reached_preemption(step)
    return self._event.is_set()

  def exit_on_signal(self) -> None:
    """Ends the program with status 0 on a signal; call it after saving."""
    if signals.watching():
      signals.on_first(lambda: signals.end(
          0, 'stopped after the last step, which is saved; the same command'
          ' makes the final test.'))
    for name in self._previous:
      signal.signal(name, lambda number, frame: sys.exit(0))
    if self._event.is_set():
      sys.exit(0)

  def uninstall(self) -> None:
    """Ends the recording and restores the previous handlers."""
    if signals.watching():
      signals.on_first(None)
    for name, handler in self._previous.items():
      signal.signal(name, handler)

  def _request(self):
    if self._several_processes:
      signals.deliver(signal.SIGTERM)
    else:
      self._event.set()

  def _handle(self, number, frame):
    del frame
    self._event.set()
    if number == signal.SIGINT:  # a second Ctrl-C ends the program
      signal.signal(signal.SIGINT, signal.default_int_handler)
