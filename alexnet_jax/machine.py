"""What the machine must be told before JAX starts. Imports nothing of JAX."""

import importlib.metadata
import os
import platform
import sys
import zlib

# What is faster for this network on a CPU, or smaller and no slower, measured
# with this jaxlib. A jaxlib that does not know a flag aborts the process.
FLAGS = {
    '0.10.2': (
        # Convolutions by the other of two libraries.
        '--xla_cpu_experimental_ynn_fusion_type=-individual_convolution',
        # An order of work that keeps fewer arrays at a time.
        '--xla_cpu_scheduler_type=CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED',
    ),
}

# A step takes and returns a gigabyte or two. With huge pages the kernel hands
# it over in a few hundred pieces, not half a million: a tenth of a CPU step.
HUGE_PAGES = ('GLIBC_TUNABLES', 'glibc.malloc.hugetlb=1')


def set_flags() -> None:
  """Adds the flags for a CPU to XLA_FLAGS, keeping what is there."""
  given = os.environ.get('XLA_FLAGS', '')
  flags = [flag for flag in FLAGS.get(importlib.metadata.version('jaxlib'), ())
           if flag.split('=')[0] not in given]
  if flags:
    os.environ['XLA_FLAGS'] = ' '.join([given, *flags]).strip()


def keep_compiled() -> None:
  """Keeps what was compiled for the next start, which is then much sooner.

  In JAX's own persistent cache, below XDG_CACHE_HOME or ~/.cache, unless
  JAX_COMPILATION_CACHE_DIR says where (or, if empty, that it is not wanted).
  Each kind of processor has a folder of its own: what was compiled for one may
  hold instructions that another lacks, where homes are shared.
  """
  base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  os.environ.setdefault(
      'JAX_COMPILATION_CACHE_DIR',
      os.path.join(base, 'alexnet_jax', f'compiled-{_processor_number():08x}'))


def cores() -> int:
  """How many cores this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def processor_name() -> str:
  """The model name of the processor, or its kind."""
  names = _cpuinfo('model name')
  return (names[0].partition(':')[2].strip() if names
          else platform.processor() or platform.machine())


def _processor_number() -> int:
  """A number that tells processors with other instructions apart."""
  lines = _cpuinfo('flags', 'Features', 'model name')
  return zlib.crc32(''.join([platform.machine(), *sorted(set(lines))]).encode())


def _cpuinfo(*starts: str) -> list[str]:
  """The lines of /proc/cpuinfo that start so; none outside Linux."""
  try:
    with open('/proc/cpuinfo', encoding='utf-8') as file:
      return [line for line in file if line.startswith(starts)]
  except OSError:
    return []


def use_huge_pages() -> None:
  """Starts the program over with huge pages, unless GLIBC_TUNABLES is set.

  The C library reads the setting when a process starts, so it cannot be
  changed later. Does nothing outside Linux.
  """
  name, value = HUGE_PAGES
  if sys.platform == 'linux' and name not in os.environ:
    os.environ[name] = value
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
