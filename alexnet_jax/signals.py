"""Ends the program on Ctrl-C, SIGTERM and SIGHUP, with one line of text.

The signals are blocked in every thread, and so in every process that the
program starts; one thread waits for them. It acts even while the main thread
imports or compiles, and it never raises an exception there: libraries would
print its traceback.
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Generator
from typing import NoReturn

# Paths that are removed if a signal ends the program, where they still exist.
unfinished: set[str] = set()

_thread: threading.Thread | None = None
_request: Callable[[], None] | None = None


def block() -> None:
  """Postpones the signals until `watch`, even if the program is restarted."""
  signal.pthread_sigmask(signal.SIG_BLOCK, _watched())


def watch() -> None:
  """Blocks the signals and starts the thread that waits for them."""
  global _thread
  block()
  _thread = threading.Thread(target=_wait, name='signals', daemon=True)
  _thread.start()


def watching() -> bool:
  """Returns whether a thread of this process waits for the signals."""
  # A fork, as of a worker process, has a copy of the variable but no thread.
  return _thread is not None and _thread.is_alive()


def on_first(request: Callable[[], None] | None) -> None:
  """Sets what the next signal does instead of ending the program.

  The signal after it ends the program in any case. `request` runs in the
  waiting thread; None restores that the first signal ends the program.
  """
  global _request
  _request = request


def deliver(number: int) -> None:
  """Runs the handler of a library for a signal that is blocked."""
  signal.pthread_sigmask(signal.SIG_UNBLOCK, [number])
  signal.raise_signal(number)
  signal.pthread_sigmask(signal.SIG_BLOCK, [number])


def end(code: int, line: str) -> NoReturn:
  """Ends the program at once, from any thread, after one line of text.

  Unfinished files are removed and worker processes killed. Exit handlers do
  not run, because they would wait for other threads.

  Args:
    code: the exit status.
    line: printed on standard error; '' for nothing.
  """
  error = _number_of(sys.stderr, 2)
  if line:
    start = '\n' if os.isatty(error) else ''  # after a progress bar
    with contextlib.suppress(OSError):
      os.write(error, f'{start}launch.py: {line}\n'.encode(errors='replace'))
  # Nothing that other threads print while they are stopped is of interest.
  nothing = os.open(os.devnull, os.O_WRONLY)
  for number in {1, 2, error}:
    os.dup2(nothing, number)
  if 'multiprocessing' in sys.modules:
    for child in sys.modules['multiprocessing'].active_children():
      child.kill()
  for path in list(unfinished):
    with contextlib.suppress(OSError):
      os.remove(path)
  os._exit(code)


@contextlib.contextmanager
def quiet_without_readers() -> Generator[None]:
  """Ends the program quietly if a pipe that it writes is closed: `| head`."""
  try:
    try:
      yield
    finally:
      if sys.stdout is not None:
        sys.stdout.flush()
  except BrokenPipeError:
    end(128 + signal.SIGPIPE, '')


def _watched():
  numbers = {signal.SIGINT, signal.SIGTERM}
  if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # set by `nohup`
    numbers.add(signal.SIGHUP)
  return numbers


def _wait():
  while True:
    number = signal.sigwait(_watched())
    request = _request
    on_first(None)
    if request is None:
      end(128 + number, f'stopped by {signal.Signals(number).name}; start the'
          ' same command again to go on or to repeat it.')
    request()


def _number_of(file, default):
  """The descriptor of a file; `default` if it has none."""
  try:
    return file.fileno()
  except (AttributeError, OSError, ValueError):
    return default
