"""Starts the several processes of one run."""

import collections
import hashlib
import os
import pathlib
import re
import warnings
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from alexnet_jax import config_files
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.errors import InputError
from alexnet_jax.run import lost_process, roll_call

# Fields that may differ between the processes of a run.
OWN_FIELDS = ('data.path', 'run.threads', 'run.workers')


class Flags(NamedTuple):
  """The flags about the processes of a run."""

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


def flags_of(invocation: Invocation) -> Flags:
  """Returns the flags that say which processes there are."""
  values: Any = {name: invocation.flags[name].value for name in Flags._fields}
  return Flags(**values)


def shared_settings(invocation: Invocation) -> dict[str, str]:
  """Returns what the processes of a run must have in common, by name."""
  settings = {f'config.{name}': repr(value)
              for name, value in config_files.fields(invocation.config)
              if name not in OWN_FIELDS}
  for name in invocation.flags:
    flag = invocation.flags[name]
    if (flag.present and name not in Flags._fields
        and not name.startswith('config')):
      settings[f'--{name}'] = str(flag.value)
  return settings


def start(flags: Flags, settings: Mapping[str, str]) -> None:
  """Connects the processes of a run, if there are several.

  Args:
    flags: the flags of this process.
    settings: what all processes must have in common, by name.

  Raises:
    InputError: the flags are wrong, or the processes do not find each other.
  """
  address = _address(flags)
  if address is None or address.num_processes == 1:
    return
  roll_call.wait_for_all(
      roll_call.Member(
          address.process, address.num_processes, address.host, address.port,
          {**settings, 'the code of version': code_version()}),
      flags.start_timeout)
  import jax
  lost_process.watch_for_aborts()
  jax.distributed.initialize(
      f'{address.host}:{address.port}', address.num_processes, address.process,
      local_device_ids=address.local_devices,
      initialization_timeout=flags.start_timeout,
      heartbeat_timeout_seconds=flags.peer_timeout,
      shutdown_timeout_seconds=flags.peer_timeout)


def _address(flags: Flags) -> Address | None:
  """Checks the flags; None for a run of one process."""
  if flags.distributed:
    if flags.coordinator or flags.num_processes > 1 or flags.process:
      raise InputError(
          '--distributed asks the cluster for the other processes: leave out'
          ' --coordinator, --num_processes and --process, or --distributed.')
    return from_cluster(flags.start_timeout)
  if not flags.coordinator:
    if flags.num_processes != 1 or flags.process:
      raise InputError(
          '--num_processes and --process need --coordinator=HOST:PORT, where'
          ' the first of the processes can be reached: add it, or leave them'
          ' out.')
    return None
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


def from_cluster(timeout: int) -> Address:
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
  return Address(host, int(port), count, process,
                 None if _owns_what_it_sees() else devices)


def _owns_what_it_sees() -> bool:
  """Returns whether this process may take all devices that it sees.

  JAX gives each process of a machine one device, by its number there. That
  would leave devices idle where the process is the only one of the machine, and
  take one that is not there where each process sees a GPU of its own, which is
  always number 0 (`srun --gpus-per-task=1`).
  """
  value = os.environ.get
  alone = (value('OMPI_COMM_WORLD_LOCAL_SIZE') == '1' or re.fullmatch(
      r'1(\(x\d+\))?', value('SLURM_STEP_TASKS_PER_NODE', '')))
  return bool(alone) or len(
      value('CUDA_VISIBLE_DEVICES', 'all, unless told').split(',')) == 1


def code_version() -> str:
  """Returns a digest of the source files of the package."""
  folder = pathlib.Path(__file__).parent.parent
  digest = hashlib.sha256()
  for file in sorted(folder.rglob('*.py')):
    digest.update(file.read_bytes())
  return digest.hexdigest()[:12]


def check_mesh(mesh: Any) -> None:
  """Checks that every process loads one part of each batch.

  Args:
    mesh: jax.sharding.Mesh of the devices of all processes.

  Raises:
    InputError: the processes have unlike parts of the mesh, or some have none.
  """
  import jax
  data, column = mesh.devices.shape
  counts = collections.Counter(
      device.process_index for device in mesh.devices.flat)
  first, available = counts[0], len(jax.devices())
  for process in range(jax.process_count()):
    if counts[process] != first:
      such = ('' if available % column
              else f' (config.mesh.data={available // column})')
      raise InputError(
          f'config.mesh.data={data} times config.mesh.column={column} takes'
          f' {first} of the devices of process 0 and {counts[process]} of'
          f' those of process {process}: give a mesh of all {available}'
          f' devices{such}, or start fewer processes.')
  if first % column and column % first:
    raise InputError(
        f'config.mesh.column={column} does not fit processes with {first}'
        ' devices each: give a divisor or a multiple of that number, such as'
        ' config.mesh.column=1.')


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
    checksum = zlib.crc32(example['image'].tobytes(), checksum)
    checksum = zlib.crc32(b'%d' % example['label'], checksum)
  every = multihost_utils.process_allgather(np.uint32(checksum))
  for process, other in enumerate(np.ravel(every)):
    if other != np.ravel(every)[0]:
      raise InputError(
          f'process {process} reads other training data than process 0: give'
          ' all processes the same files in --config.data.path.')
