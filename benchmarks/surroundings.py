"""On which machine a benchmark ran."""

import os
import platform
from typing import Any

from alexnet_jax import machine as settings


def machine() -> dict[str, Any]:
  """What names a machine, and how busy it was."""
  name, value = settings.HUGE_PAGES
  return {
      'processor': _processor(), 'cores': cores(),
      'memory_bytes': os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES'),
      'load_before': os.getloadavg()[0], 'system': platform.platform(),
      'python': platform.python_version(),
      name: os.environ.get(name, value)}


def in_words(found: dict[str, Any]) -> str:
  """One line about it."""
  return (f'{found["processor"]}, {found["cores"]} cores,'
          f' {found["memory_bytes"] / 2**30:.0f} GiB; load before the run'
          f' {found["load_before"]:.1f}')


def cores() -> int:
  """How many this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def _processor():
  try:
    with open('/proc/cpuinfo') as file:
      for line in file:
        if line.startswith('model name'):
          return line.partition(':')[2].strip()
  except OSError:
    pass  # not Linux
  return platform.processor() or platform.machine()
