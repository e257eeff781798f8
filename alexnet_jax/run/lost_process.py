"""Ends a process with one sentence when another one of its run is lost."""

import contextlib
import ctypes
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Generator
from typing import Any, NoReturn

from alexnet_jax import signals
from alexnet_jax.run import compiling

# What JAX's coordination service writes when a process is lost, and its
# handler of SIGTERM, which is part of an orderly stop.
OF_LOSS = re.compile(r'[EF]\d{4} .*(coordination|client\.h|preemption)'
                     r'|Additional GRPC error|:UNKNOWN:Error received')
OF_STOP = re.compile(r'W\d{4} .*preemption')
# What Gloo, which connects CPUs, says on standard output when all is well.
OF_GLOO = re.compile(r'\[Gloo\] Rank \d+ is connected')
# The end of another process, in the errors of a step or of a checkpoint.
LOST = re.compile(r'Gloo|NCCL|coordination|heartbeat|barrier|UNAVAILABLE'
                  r'|DEADLINE_EXCEEDED|Connection (closed|reset)|Socket closed',
                  re.IGNORECASE)
ABORT_SECONDS = 0.3  # to read what was written before an abort


@contextlib.contextmanager
def end_without_waiting() -> Generator[None]:
  """Ends a process at once if its block fails.

  JAX would wait for the other processes of a run, and Python for a thread that
  compiles. Otherwise the process ends as usual, and a notebook always does.
  """
  try:
    yield
  except SystemExit as leaving:
    if leaving.code and (
        _joined() or (signals.watching() and compiling.in_progress())):
      sys.stdout.flush()
      signals.end(leaving.code if isinstance(leaving.code, int) else 1, '')
    raise
  except BrokenPipeError:
    raise
  except Exception as error:
    if not _joined():
      raise
    if is_lost(error):
      _end_lost(str(error))
    traceback.print_exc()
    signals.end(1, '')


def is_lost(error: BaseException | None) -> bool:
  """Returns whether an error says that another process has ended."""
  while error is not None:
    if LOST.search(str(error)):
      return True
    error = error.__cause__ or error.__context__
  return False


def _joined():
  distributed = sys.modules.get('jax._src.distributed')
  return distributed is not None and distributed.global_state.client is not None


_end = threading.Lock()  # of the first thread that ends the process


def _end_lost(said: str) -> NoReturn:
  """Ends the process with a sentence that names the lost one if it is known."""
  _end.acquire()  # never released: one sentence is enough
  numbers = re.search(r'stopped sending heartbeats\):\s*(\d+(?:\s*\n\d+)*)',
                      said)
  who = 'another process'
  if numbers:
    who = 'process ' + ', '.join(numbers.group(1).split())
  elif 'Failed to send RPC to coordination' in said:
    who = 'process 0'
  signals.end(1, f'{who} of this run has ended or does not answer: start all'
              ' processes again with the same commands; the run goes on from'
              ' its last checkpoint.')


def watch_for_aborts() -> None:
  """Replaces the stack dump of JAX's coordination service by a sentence.

  The service ends the process with abort() when another one is lost, which
  cannot be changed from Python. The handler of that signal ends the process
  first. What C++ code writes goes through a pipe, so that the service's own
  lines can be left out, and those of Gloo, which are not for the standard
  output of a program.
  """
  reader, writer = os.pipe()
  for number, name in ((1, 'stdout'), (2, 'stderr')):
    getattr(sys, name).flush()
    setattr(sys, name, os.fdopen(os.dup(number), 'w', buffering=1,
                                 errors='backslashreplace'))
    os.dup2(writer, number)
  os.close(writer)
  said: list[str] = []

  def forward():
    with os.fdopen(reader, encoding='utf-8', errors='replace') as lines:
      for line in lines:
        if said or OF_LOSS.match(line):
          said.append(line)
        elif not OF_STOP.match(line) and not OF_GLOO.match(line):
          sys.stderr.write(line)

  def on_abort(number):
    time.sleep(ABORT_SECONDS)  # while `forward` reads the rest
    if said:
      _end_lost(''.join(said))
    libc.signal(number, 0)  # the default: it was not the service

  libc = ctypes.CDLL(None)
  handler = ctypes.CFUNCTYPE(None, ctypes.c_int)(on_abort)
  _kept.append(handler)
  libc.signal(signal.SIGABRT, handler)
  threading.Thread(target=forward, daemon=True).start()


_kept: list[Any] = []  # C code has the address of the handler
