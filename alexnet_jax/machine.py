"""Process settings that must precede the import of JAX; does not import JAX."""

import importlib.metadata
import importlib.util
import math
import multiprocessing
import os
import platform
import sys
import threading
import time
import zlib

# XLA flags that make this network faster on a CPU, or reduce its memory at no
# loss of speed, as measured with this version of jaxlib. They are set per
# version because jaxlib aborts the process on an unknown flag.
_CPU_FLAGS = (
    # Do not use the YNN library for individual convolutions.
    '--xla_cpu_experimental_ynn_fusion_type=-individual_convolution',
    # Schedule operations so that fewer arrays are live at once.
    '--xla_cpu_scheduler_type=CPU_SCHEDULER_TYPE_MEMORY_OPTIMIZED',
)
FLAGS = {'0.10.2': _CPU_FLAGS, '0.11.2': _CPU_FLAGS}

# A step allocates and frees one or two gigabytes. With huge pages the kernel
# maps them in a few hundred page faults instead of half a million, which saves
# a tenth of the time of a step on a CPU.
HUGE_PAGES = ('GLIBC_TUNABLES', 'glibc.malloc.hugetlb=1')

# Where Linux gives the limit of a container, in both versions of its groups.
MEMORY_LIMITS = ('/sys/fs/cgroup/memory.max',
                 '/sys/fs/cgroup/memory/memory.limit_in_bytes')
MOST_THREADS = 16  # more decode no faster
# What the program imports before it can say anything.
PACKAGES = ('absl', 'cv2', 'flax', 'grain', 'jax', 'jaxlib', 'ml_collections',
            'numpy', 'optax', 'orbax', 'PIL', 'tqdm')
PARENT_SECONDS = 0.2  # between two checks that the parent still exists


def require_packages() -> None:
  """Ends the process with a sentence if packages are not installed."""
  missing = [name for name in PACKAGES if not importlib.util.find_spec(name)]
  if missing:
    sys.stderr.write(
        f'launch.py: {sys.executable} has no {", ".join(missing)}: run pip'
        ' install -r requirements.txt, or activate the environment that has'
        ' them.\n')
    sys.exit(2)


def set_flags() -> None:
  """Adds the CPU flags to XLA_FLAGS; flags that are already set are kept."""
  present = os.environ.get('XLA_FLAGS', '')
  flags = [flag for flag in FLAGS.get(importlib.metadata.version('jaxlib'), ())
           if flag.split('=')[0] not in present]
  if flags:
    os.environ['XLA_FLAGS'] = ' '.join([present, *flags]).strip()


def keep_compiled() -> None:
  """Enables JAX's persistent compilation cache, so that later starts are fast.

  The cache is in XDG_CACHE_HOME or ~/.cache, unless JAX_COMPILATION_CACHE_DIR
  gives another folder; if that variable is empty, the cache is disabled. Each
  type of processor has a separate folder because code compiled for one may
  contain instructions that another lacks, and home folders may be shared.
  """
  base = os.environ.get('XDG_CACHE_HOME') or os.path.expanduser('~/.cache')
  os.environ.setdefault(
      'JAX_COMPILATION_CACHE_DIR',
      os.path.join(base, 'alexnet_jax', f'compiled-{_processor_number():08x}'))


def cores() -> int:
  """Returns the number of cores that this process may use."""
  if hasattr(os, 'sched_getaffinity'):
    return len(os.sched_getaffinity(0))
  return os.cpu_count() or 1


def memory() -> float:
  """Returns the bytes of memory that this process may use; inf if unknown."""
  try:
    limits = [os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE')]
  except (AttributeError, OSError, ValueError):  # not on every system
    return math.inf
  for name in MEMORY_LIMITS:
    try:
      with open(name, encoding='utf-8') as file:
        limits.append(int(file.read()))
    except (OSError, ValueError):  # no such file, or 'max'
      continue
  return min(limits)


def end_with_parent() -> None:
  """Makes this process end when the process that started it does.

  A process that is killed cannot end the processes that it has started.
  """
  child = multiprocessing.parent_process()
  parent = child.pid if child else os.getppid()
  threading.Thread(target=_wait_for_end_of, args=(parent,),
                   daemon=True).start()


def _wait_for_end_of(parent):
  while os.getppid() == parent:  # afterwards it is another process
    time.sleep(PARENT_SECONDS)
  os._exit(1)


def decoding_threads(threads: int) -> int:
  """Returns the number of threads that decode; 0: one per core, at most 16."""
  return threads or min(cores(), MOST_THREADS)


def processor_name() -> str:
  """Returns the model name of the processor, or its architecture."""
  names = _cpuinfo('model name')
  return (names[0].partition(':')[2].strip() if names
          else platform.processor() or platform.machine())


def _processor_number() -> int:
  """Returns a hash that identifies the processor's instruction set."""
  lines = _cpuinfo('flags', 'Features', 'model name')
  return zlib.crc32(''.join([platform.machine(), *sorted(set(lines))]).encode())


def _cpuinfo(*starts: str) -> list[str]:
  """Lines of /proc/cpuinfo with one of these prefixes; none outside Linux."""
  try:
    with open('/proc/cpuinfo', encoding='utf-8') as file:
      return [line for line in file if line.startswith(starts)]
  except OSError:
    return []


def use_huge_pages() -> None:
  """Restarts the program with huge pages, unless GLIBC_TUNABLES is set.

  The C library reads the setting only when a process starts. Outside Linux
  this function does nothing.
  """
  name, value = HUGE_PAGES
  if sys.platform == 'linux' and name not in os.environ:
    os.environ[name] = value
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
