"""What the machine must be told before JAX starts. Imports nothing of JAX."""

import importlib.metadata
import os
import sys

# Sends convolutions to the library that is faster for this network, measured
# with this jaxlib. A jaxlib that does not know a flag aborts the process.
FAST_CONVOLUTIONS = {
    '0.10.2': '--xla_cpu_experimental_ynn_fusion_type=-individual_convolution'
}

# A step takes and returns a gigabyte or two. With huge pages the kernel hands
# it over in a few hundred pieces, not half a million: a tenth of a CPU step.
HUGE_PAGES = ('GLIBC_TUNABLES', 'glibc.malloc.hugetlb=1')


def set_flags() -> None:
  """Adds the fast CPU convolutions to XLA_FLAGS, keeping what is there."""
  flag = FAST_CONVOLUTIONS.get(importlib.metadata.version('jaxlib'))
  given = os.environ.get('XLA_FLAGS', '')
  if flag and flag.split('=')[0] not in given:
    os.environ['XLA_FLAGS'] = f'{given} {flag}'.strip()


def use_huge_pages() -> None:
  """Starts the program over with huge pages, unless GLIBC_TUNABLES is set.

  The C library reads the setting when a process starts, so it cannot be
  changed later. Does nothing outside Linux.
  """
  name, value = HUGE_PAGES
  if sys.platform == 'linux' and name not in os.environ:
    os.environ[name] = value
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
