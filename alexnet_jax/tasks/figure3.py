"""--task=figure3: first-layer kernels and how columns specialize (6.1)."""

import os
from typing import Any

import numpy as np
from absl import flags

from alexnet_jax import command_line, tables
from alexnet_jax.analysis import kernel_file, specialization
from alexnet_jax.command_line import Invocation
from alexnet_jax.errors import InputError
from alexnet_jax.figures import figure3 as figure3_picture
from alexnet_jax.figures import style
from alexnet_jax.run import trained

PERMUTATIONS = 10_000


CONFIG = 'unused'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'checkpoint', 'latest', 'latest, best or a step.', flag_values=values)
  flags.DEFINE_string(
    'kernels',
    '',
    'An .npz, .npy or .safetensors file instead of a run; an array in it'
    ' behind a colon.',
    flag_values=values,
  )
  flags.DEFINE_string(
    'out',
    '',
    'The picture; figure3.png in the workdir unless given.',
    flag_values=values,
  )
  flags.DEFINE_bool(
      'per_kernel', False,
      'Stretch the contrast of each kernel alone.', flag_values=values)


def run(given: Invocation) -> None:
  """Draws the kernels and prints the table."""
  values = given.flags
  workdir = '' if values.kernels else command_line.require_workdir(given)
  figure3(workdir, values.checkpoint, values.kernels, values.out,
          values.per_kernel)


def figure3(workdir: str, which: str = 'latest', kernels: str = '',
            out: str = '', per_kernel: bool = False) -> dict[str, Any]:
  """Draws the kernels of conv1, column above column; measures each of them.

  Args:
    workdir: of the run; not looked at when `kernels` are given.
    which: checkpoint: 'latest', 'best' or a step.
    kernels: 'FILE' or 'FILE:NAME', arrays of any network: `kernel_file`.
    out: the picture, .png, .pdf or .svg; '' is figure3.png in the workdir or
      beside the file. Its numbers are in the .json of the same name.
    per_kernel: stretch the contrast of each kernel alone, not of the layer.

  Returns:
    The numbers.

  Raises:
    InputError: no such checkpoint or kernels, or no picture's name.
  """
  folder = workdir
  if kernels:
    folder = os.path.dirname(kernel_file.split(kernels)[0])
  out = os.path.expanduser(out) or os.path.join(folder, 'figure3.png')
  style.check_picture_path('out', out)
  source, held = _open(workdir, which, kernels)
  if not np.isfinite(held).all():
    raise InputError(f'the kernels of {source} are not all finite numbers:'
                     ' give an earlier checkpoint or another array.')
  held = np.moveaxis(np.asarray(held, np.float64), -1, 1)
  numbers = {'source': source, 'stretched': 'kernel' if per_kernel else 'layer',
             **measure(held)}
  figure3_picture.draw(held, numbers, per_kernel, out)
  print(as_text(numbers))
  print(f'Drawn in {out}; the numbers are in {style.numbers_path(out)}.')
  return numbers


def _open(workdir, which, kernels):
  """(what they are called, [K, h, w, 3, C])."""
  if kernels:
    found = kernel_file.read(kernels)
    name = f':{found.name}' if found.name else ''
    return found.path + name, found.kernels
  found = trained.open_trained(workdir, which)
  return (f'{found.workdir}, step {found.step}',
          np.asarray(found.params['columns']['conv1']['kernel']))


def measure(kernels: np.ndarray) -> dict[str, Any]:
  """All that is said of kernels [K, C, h, w, 3], ready for JSON.

  Of each kernel what `specialization` measures; 'learned' are those that differ
  from random numbers, 'oriented' those that also have an orientation. Of each
  column the mean colorfulness, the shares of both, and the mean frequency of
  its oriented kernels.
  """
  noise = specialization.of_noise(*kernels.shape[2:4])
  wave = specialization.preferred_wave(kernels)
  learned = specialization.has_learned(kernels)
  each = {
      'colorfulness': specialization.colorfulness(kernels),
      'orientation_degrees': wave.orientation,
      'cycles_per_pixel': wave.frequency,
      'orientedness': wave.orientedness,
      'structure': specialization.structure(kernels),
      'energy': specialization.energy(kernels),
      'learned': learned,
      'oriented': learned & (wave.orientedness > specialization.ORIENTED),
  }
  difference = specialization.permutation_test(
      each['colorfulness'], PERMUTATIONS)
  return {
      'size': list(kernels.shape[2:4]),
      'random_kernels': {'colorfulness': noise.colorfulness,
                         'stddev': noise.colorfulness_stddev},
      'difference': difference and {**difference._asdict(),
                                    'permutations': PERMUTATIONS},
      'columns': [_column({name: values[k] for name, values in each.items()})
                  for k in range(len(kernels))],
      'kernels': [{'column': k + 1, 'kernel': c + 1,
                   **{name: values[k, c].item()
                      for name, values in each.items()}}
                  for k in range(kernels.shape[0])
                  for c in range(kernels.shape[1])],
  }


def _column(each):
  oriented = each['oriented']
  frequencies = each['cycles_per_pixel'][oriented]
  return {
      'kernels': len(oriented),
      'mean_colorfulness': float(each['colorfulness'].mean()),
      'learned': float(each['learned'].mean()),
      'oriented': float(oriented.mean()),
      'mean_cycles_per_pixel': (
          float(frequencies.mean()) if oriented.any() else None),
  }


def as_text(numbers: dict[str, Any]) -> str:
  """A table of the columns and the test between them."""
  size, noise = numbers['size'], numbers['random_kernels']
  rows = [('column', 'kernels', 'learned', 'colorfulness', 'oriented',
           'cycles/pixel')]
  for k, column in enumerate(numbers['columns'], 1):
    frequency = column['mean_cycles_per_pixel']
    rows.append((
        str(k), str(column['kernels']), f'{100 * column["learned"]:.0f} %',
        f'{column["mean_colorfulness"]:.3f}',
        f'{100 * column["oriented"]:.0f} %',
        '-' if frequency is None else f'{frequency:.3f}'))
  lines = [f'{numbers["source"]}: kernels of {size[0]} x {size[1]} x 3',
           *tables.aligned(rows)]
  lines.append(
      f'Random kernels have a colorfulness of {noise["colorfulness"]:.3f}'
      f' (± {noise["stddev"]:.3f} from one to the next).')
  found = numbers['difference']
  if found:
    lines.append(
        f'The means of the columns are {found["value"]:.3f} apart: p ='
        f' {found["p_value"]:.2g} ({found["permutations"]:,} permutations).')
  return '\n'.join(lines)
