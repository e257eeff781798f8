"""Several processes of one run: their start, and the end of any of them."""

import contextlib
import ctypes
import hashlib
import os
import pathlib
import re
import signal
import sys
import threading
import time
import traceback
import warnings
import zlib
from collections.abc import Generator, Mapping
from typing import Any, NamedTuple, NoReturn

import numpy as np

import alexnet_jax
from alexnet_jax import signals
from alexnet_jax.errors import InputError
from alexnet_jax.run import roll_call

# Lines that the coordination service of JAX writes when a process is lost.
FROM_COORDINATION = re.compile(r'[EFW]\d{4} .*(coordination|client\.h)')
# The end of another process, in the errors of a step or of a checkpoint.
LOST = re.compile(r'Gloo|NCCL|coordination|heartbeat|barrier|UNAVAILABLE'
                  r'|DEADLINE_EXCEEDED|Connection (closed|reset)|Socket closed',
                  re.IGNORECASE)
ABORT_SECONDS = 0.3  # to read what was written before an abort


class Flags(NamedTuple):
  """The flags that say which processes there are."""

  distributed: bool  # whether the cluster knows
  coordinator: str
  num_processes: int
  process: int
  start_timeout: int  # seconds
  peer_timeout: int  # seconds


class Address(NamedTuple):
  """What JAX needs to know to connect the processes."""

  host: str
  port: int
  num_processes: int
  process: int
  local_devices: Any = None  # those of this process; None: all of the machine


# --- The start ----------------------------------------------------------------


def start(flags: Flags, settings: Mapping[str, str]) -> bool:
  """Connects the processes of a run, if there are several.

  Args:
    flags: the flags of this process.
    settings: what all processes must have in common, by name.

  Returns:
    Whether there are several.

  Raises:
    InputError: the flags are wrong, or the processes do not find each other.
  """
  address = _address(flags)
  if address is None or address.num_processes == 1:
    return False
  roll_call.hold(
      roll_call.Member(
          address.process, address.num_processes, address.host, address.port,
          {**settings, 'the code of version': code_version()}),
      flags.start_timeout)
  import jax
  _watch_for_aborts(flags.peer_timeout)
  jax.distributed.initialize(
      f'{address.host}:{address.port}', address.num_processes, address.process,
      local_device_ids=address.local_devices,
      initialization_timeout=flags.start_timeout,
      heartbeat_timeout_seconds=flags.peer_timeout,
      shutdown_timeout_seconds=flags.peer_timeout)
  return True


def _address(flags: Flags) -> Address | None:
  """Checks the flags; None for a run of one process."""
  for name in ('start_timeout', 'peer_timeout'):
    if getattr(flags, name) < 1:
      raise InputError(f'--{name}={getattr(flags, name)} is too short: give 1 or'
                       ' more seconds.')
  if flags.distributed:
    if flags.coordinator or flags.num_processes > 1 or flags.process:
      raise InputError(
          '--distributed asks the cluster for the other processes: leave out'
          ' --coordinator, --num_processes and --process, or --distributed.')
    return _found(flags.start_timeout)
  if not flags.coordinator:
    if flags.num_processes != 1 or flags.process:
      raise InputError(
          '--num_processes and --process need --coordinator=HOST:PORT, where'
          ' the first of the processes can be reached: add it, or leave them'
          ' out.')
    return None
  if flags.num_processes < 1:
    raise InputError(f'--num_processes={flags.num_processes} is too small: give'
                     ' the number of processes.')
  if not 0 <= flags.process < flags.num_processes:
    raise InputError(
        f'--process={flags.process} is not one of --num_processes='
        f'{flags.num_processes}: give a number from 0 to'
        f' {flags.num_processes - 1}, a different one to each process.')
  host, _, port = flags.coordinator.rpartition(':')
  if not host or not port.isdecimal() or not 0 < int(port) < 2**16:
    raise InputError(
        f'--coordinator={flags.coordinator} is no HOST:PORT: give the name of'
        ' the machine of process 0 and a free port, as in'
        ' --coordinator=node1:1234.')
  return Address(host, int(port), flags.num_processes, flags.process)


def _found(timeout: int) -> Address:
  """Asks the cluster: a TPU pod, Slurm, Open MPI or Kubernetes."""
  from jax._src.clusters import ClusterEnv
  reason = ''
  with warnings.catch_warnings(record=True) as warned:
    try:
      at, count, process, devices = (
          ClusterEnv.auto_detect_unset_distributed_params(
              None, None, None, None, None, timeout))
    except Exception as error:  # of a package or service of the cluster
      at = count = process = devices = None
      reason = f'{type(error).__name__}: {error}'
  if at is None or count is None or process is None:
    reason = reason or ''.join(str(warning.message) for warning in warned)
    reason = f' ({" ".join(reason.split())[:300]})' if reason else ''
    raise InputError(
        '--distributed finds no TPU pod, Slurm, Open MPI or Kubernetes job'
        f'{reason}: start the program with the cluster\'s own command, or give'
        ' --coordinator, --num_processes and --process.')
  host, _, port = at.rpartition(':')
  return Address(host, int(port), count, process, devices)


def code_version() -> str:
  """Returns a digest of the source files of the package."""
  folder = pathlib.Path(alexnet_jax.__file__).parent
  digest = hashlib.sha256()
  for file in sorted(folder.rglob('*.py')):
    digest.update(file.read_bytes())
  return digest.hexdigest()[:12]


def check_same_data(source: Any) -> None:
  """Checks that all processes read the same data.

  Args:
    source: the training data of this process.

  Raises:
    InputError: those of another process are different.
  """
  import jax
  if jax.process_count() == 1:
    return
  from jax.experimental import multihost_utils
  checksum = zlib.crc32(repr((tuple(source.class_names), len(source))).encode())
  for i in (0, len(source) // 2, len(source) - 1):
    example = source[i]
    checksum = zlib.crc32(np.ascontiguousarray(example['image']), checksum)
    checksum = zlib.crc32(b'%d' % example['label'], checksum)
  every = multihost_utils.process_allgather(np.uint32(checksum))
  for process, other in enumerate(np.ravel(every)):
    if other != np.ravel(every)[0]:
      raise InputError(
          f'process {process} reads other training data than process 0: give'
          ' all processes the same files in --config.data.path.')


# --- The end ------------------------------------------------------------------


@contextlib.contextmanager
def end_without_waiting() -> Generator[None]:
  """Ends a process at once if its block fails; JAX would wait for the others.

  The block may be that of a single process, which ends as usual.
  """
  try:
    yield
  except SystemExit as leaving:
    if leaving.code and _joined():
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


def _watch_for_aborts(peer_timeout: int) -> None:
  """Replaces the stack dump of JAX's coordination service by a sentence.

  The service ends the process with abort() when another one is lost, which
  cannot be changed from Python. The handler of that signal ends the process
  first. What C++ code writes goes through a pipe, so that the service's own
  lines can be left out.
  """
  del peer_timeout
  reader, writer = os.pipe()
  real = os.dup(2)
  sys.stderr.flush()
  sys.stderr = os.fdopen(real, 'w', buffering=1, errors='backslashreplace')
  os.dup2(writer, 2)
  os.close(writer)
  said: list[str] = []

  def forward():
    with os.fdopen(reader, encoding='utf-8', errors='replace') as lines:
      for line in lines:
        if said or FROM_COORDINATION.match(line):
          said.append(line)
        else:
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
