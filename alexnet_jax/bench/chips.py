"""Chips by name: their data sheets, and devices that stand for them.

XLA compiles for a chip that is not there if it is told what the chip is: by its
name for a TPU, whose package brings the compiler, and by a description in text
for a GPU. Such devices compile programs and cannot run them.
"""

import importlib.util
import os
import re
from collections.abc import Sequence
from typing import NamedTuple

import jax
from jax.experimental import topologies

from alexnet_jax.errors import InputError, printable

# XLA gives a product of float32 six passes of bfloat16 on a TPU, and one of
# tf32 three (`jax.lax.Precision`).
_PASSES = {'bfloat16': 1, 'tf32': 3, 'float32': 6}


class Chip(NamedTuple):
  """The peak rates of one chip, dense."""

  platform: str  # 'tpu' or 'cuda'
  bytes_per_second: float  # of its memory
  flops_per_second: dict[str, float]  # by `config.precision`
  link_bytes_per_second: float  # to one neighbor, one way
  memory_bytes: float
  source: str


def _tpu(terabytes, bfloat16, link, gib, generation) -> Chip:
  return Chip(
      'tpu', terabytes * 1e12,
      {name: bfloat16 * 1e12 / passes for name, passes in _PASSES.items()},
      link * 1e9, gib * 2**30,
      f'cloud.google.com/tpu/docs/{generation}; the link of jax-ml.github.io/'
      'scaling-book/tpus')


_HOPPER = {'float32': 66.9e12, 'tf32': 494.7e12, 'bfloat16': 989.4e12}
CHIPS = {
    'v5e': _tpu(0.819, 197, 45, 16, 'v5e'),
    'v5p': _tpu(2.765, 459, 90, 95, 'v5p'),
    'v6e': _tpu(1.640, 918, 90, 32, 'v6e'),
    'h100': Chip('cuda', 3.35e12, _HOPPER, 450e9, 80e9,
                 'NVIDIA H100 data sheet, SXM; NVLink'),
    'h200': Chip('cuda', 4.8e12, _HOPPER, 450e9, 141e9,
                 'NVIDIA H200 data sheet, SXM; NVLink'),
}
TPU_TOPOLOGIES = {'v5e': '2x2', 'v5p': '2x2x1', 'v6e': '2x2'}
# The package that brings the compiler of a platform, and its pip line.
PACKAGES = {'tpu': (('libtpu',), 'jax[tpu]'),
            'cuda': (('jax_cuda12_plugin', 'jax_cuda13_plugin'),
                     'jax[cuda12]')}

# What XLA asks of a GPU to compile for it, as it describes a real one.
_HOPPER_TARGET = '''
gpu_device_info {{
  threads_per_block_limit: 1024 threads_per_warp: 32
  shared_memory_per_block: 49152 shared_memory_per_core: 233472
  threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535
  block_dim_limit_z: 65535 registers_per_core_limit: 65536
  registers_per_block_limit: 65536 l2_cache_size: 52428800
  memory_bandwidth: {bandwidth:.0f} clock_rate_ghz: 1.98
  device_memory_size: {memory:.0f} shared_memory_per_block_optin: 232448
  cuda_compute_capability {{ major: 9 }}
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 8 }}
device_description_str: "NVIDIA {name}"
'''


class Target(NamedTuple):
  """What `--compile_for` names."""

  name: str  # of CHIPS
  topology: str  # of TPUs, such as '2x2'; the number of GPUs; '' if not given

  @property
  def chip(self) -> Chip:
    return CHIPS[self.name]


def parse(text: str) -> Target:
  """Reads 'v5e', 'v5e:4x4', 'h100' or 'h100x2'.

  Raises:
    InputError: there is no such chip, or the rest is not a topology.
  """
  name, colon, topology = text.partition(':')
  if name in TPU_TOPOLOGIES:
    topology = topology or TPU_TOPOLOGIES[name]
    dimensions = TPU_TOPOLOGIES[name].count('x')
    if re.fullmatch(rf'[1-9]\d?(x[1-9]\d?){{{dimensions}}}', topology):
      return Target(name, topology)
  elif not colon and (match := re.fullmatch(
      r'(h100|h200)(?:x([1-8]))?', name)):
    return Target(match[1], match[2] or '')
  raise InputError(
      f'--compile_for={printable(text)} is not known: give one of'
      f' {", ".join(CHIPS)}, a TPU with a topology such as v5e:2x2, or several'
      ' GPUs of one machine such as h100x2.')


def devices(target: Target, count: int = 1) -> Sequence[jax.Device]:
  """Returns devices that programs can be compiled for.

  Args:
    target: the chip.
    count: number of GPUs if the target does not say.

  Raises:
    InputError: the compiler of the platform is not installed, or does not know
      the topology.
  """
  platform = target.chip.platform
  packages, line = PACKAGES[platform]
  if not any(map(importlib.util.find_spec, packages)):
    raise InputError(
        f'--compile_for={target.name} needs the compiler of that platform:'
        f' pip install "{line}=={jax.__version__}".')
  try:
    if platform == 'tpu':
      # There is no host to ask, and compiling takes no chip from others.
      os.environ.setdefault('TPU_SKIP_MDS_QUERY', '1')
      os.environ.setdefault('ALLOW_MULTIPLE_LIBTPU_LOAD', '1')
      return topologies.get_topology_desc(
          f'{target.name}:{target.topology}', 'tpu').devices
    described = _HOPPER_TARGET.format(
        bandwidth=target.chip.bytes_per_second,
        memory=target.chip.memory_bytes, name=target.name.upper())
    return topologies.get_topology_desc(
        target.name, 'cuda', target_config=described,
        topology=f'1x1x{target.topology or count}').devices
  except Exception as error:  # each platform has its own kinds
    reason = printable(' '.join(str(error).split())[:200])
    raise InputError(
        f'--compile_for={target.name} with {target.topology} does not start'
        f' ({reason}): give another topology.') from error
