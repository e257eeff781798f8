"""Prepares a session of Google Colab: the pinned packages and its accelerator.

The first cell of each notebook calls `prepare`. Anywhere else it installs
nothing, because whoever has the repository has installed its requirements.
"""

import importlib
import importlib.metadata
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import NamedTuple

REQUIREMENTS = 'requirements.txt'
# The CUDA 12 libraries run with the drivers of CUDA 12 and of CUDA 13.
NVIDIA, TPU = 'cuda12', 'tpu'
# Colab has its own versions of these; of a plugin for other libraries than the
# new JAX, JAX would complain at every start.
PLUGIN = re.compile(r'jax-(cuda\d+)-(plugin|pjrt)')


class Accelerator(NamedTuple):
  """What a machine computes on."""

  extra: str  # of the package jax: NVIDIA, TPU, or '' for a CPU
  count: int  # devices that JAX will see


def prepare() -> None:
  """Installs what Colab lacks and says what it found; before JAX is imported.

  Raises:
    RuntimeError: a package cannot be installed, or the session has imported
      an older version of one; the message says what to do.
  """
  # Jupyter shows standard error on red ground, also if it is only progress.
  sys.stderr = sys.stdout
  if 'COLAB_RELEASE_TAG' not in os.environ:
    print('This is not Colab: nothing is installed.')
    return
  extra, pins = find_accelerator().extra, read_pins(REQUIREMENTS)
  before = _versions()
  package = f'jax[{extra}]' if extra else 'jax'
  print(f'Installing {package} {pins["jax"]} and the other requirements ...')
  for arguments in pip_commands(extra, pins['jax'], before):
    done = subprocess.run([sys.executable, '-m', 'pip', *arguments],
                          capture_output=True, text=True)
    if done.returncode:
      raise RuntimeError(
          f'pip {" ".join(arguments)} failed: {done.stderr.strip()[-500:]}\n'
          'Choose a new session (Runtime > Disconnect and delete runtime), then'
          ' run all cells again.')
  importlib.invalidate_caches()
  old = imported_before(pins, before, _versions())
  if old:
    raise RuntimeError(
        f'this session has imported older versions of {", ".join(old)}: restart'
        ' it (Runtime > Restart session), then run all cells again.')
  print('Installed.')


def find_accelerator() -> Accelerator:
  """Finds a TPU or NVIDIA GPUs without JAX, which may not be installed yet."""
  tpu = os.environ.get('TPU_ACCELERATOR_TYPE', '')  # such as v5e-1
  if tpu or os.environ.get('COLAB_TPU_1VM'):
    count = tpu.rpartition('-')[2]
    return Accelerator(TPU, int(count) if count.isdigit() else 1)
  try:
    listed = subprocess.run(['nvidia-smi', '--list-gpus'], check=True,
                            capture_output=True, text=True).stdout
  except (OSError, subprocess.CalledProcessError):
    listed = ''
  count = sum(line.startswith('GPU ') for line in listed.splitlines())
  return Accelerator(NVIDIA if count else '', count)


def pretend_devices(count: int) -> None:
  """Lets JAX see `count` devices: accelerators, or parts of the CPU.

  Call it before JAX is imported. With fewer accelerators than that, JAX uses
  the CPU.
  """
  if find_accelerator().count < count:
    os.environ['JAX_PLATFORMS'] = 'cpu'
    os.environ['JAX_NUM_CPU_DEVICES'] = str(count)


def pip_commands(extra: str, version: str,
                 installed: Mapping[str, str]) -> list[list[str]]:
  """Returns the arguments of pip that install the requirements.

  Args:
    extra: of the package jax; '' for none.
    version: version of jax.
    installed: version of each package that is there.
  """
  others = [name for name in installed
            if (plugin := PLUGIN.fullmatch(name)) and plugin[1] != extra]
  install = ['install', '--quiet', '-r', REQUIREMENTS]
  if extra:
    install.append(f'jax[{extra}]=={version}')
  return [*([['uninstall', '--yes', *others]] if others else []), install]


def read_pins(path: str) -> dict[str, str]:
  """Returns {package: version} of a file of requirements."""
  with open(path, encoding='utf-8') as file:
    found = re.findall(r'^([\w.-]+)==([\w.]+)', file.read(), re.MULTILINE)
  return {_normal(package): version for package, version in found}


def imported_before(names: Iterable[str], before: Mapping[str, str],
                    after: Mapping[str, str]) -> list[str]:
  """Returns the packages that are imported in a version that was replaced.

  Args:
    names: the packages to look at.
    before: version of each package when the session began.
    after: version of each package now.
  """
  replaced = {name for name in names
              if name in before and before[name] != after.get(name)}
  if not replaced:
    return []
  modules = importlib.metadata.packages_distributions()
  return sorted({package for module in sys.modules
                 for package in map(_normal, modules.get(module, ()))
                 if package in replaced})


def _versions():
  return {_normal(found.name): found.version
          for found in importlib.metadata.distributions()}


def _normal(package):
  """Returns the one spelling of a package's name."""
  return re.sub('[-_.]+', '-', package).lower()
