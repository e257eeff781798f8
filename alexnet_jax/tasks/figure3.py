"""--task=figure3: first-layer kernels and how columns specialize (6.1)."""

import os
from typing import Any

import numpy as np
from absl import flags

from alexnet_jax import command_line, tables
from alexnet_jax.analysis import kernel_file, specialization
from alexnet_jax.command_line import Invocation
from alexnet_jax.errors import InputError, printable
from alexnet_jax.figures import figure3 as figure3_picture
from alexnet_jax.figures import style
from alexnet_jax.network import classifier
from alexnet_jax.run import trained

CONFIG = 'unused'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'checkpoint', 'latest', 'latest, best or a step.', flag_values=values)
  flags.DEFINE_string(
    'kernels',
    '',
    'An .npz, .npy, .safetensors or .caffemodel file instead of a run; an array'
    ' in it behind a colon.',
    flag_values=values,
  )
  flags.DEFINE_enum(
      'layout', '', ('', *kernel_file.LAYOUT_NAMES), 'Axes of the array of'
      ' --kernels; told from its shape unless given.', flag_values=values)
  flags.DEFINE_enum(
      'order', '', ('', *kernel_file.ORDERS), 'Colors of --kernels; bgr for a'
      ' .caffemodel and rgb for others unless given.', flag_values=values)
  flags.DEFINE_integer(
      'columns', 0, 'Columns that one array of kernels consists of; those of'
      ' the file or run unless given.', flag_values=values, lower_bound=0,
      upper_bound=64)
  flags.DEFINE_string(
    'out',
    '',
    'The picture; figure3.png in the workdir unless given.',
    flag_values=values,
  )
  flags.DEFINE_bool(
      'per_kernel', False,
      'Stretch the contrast of each kernel alone.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Draws the kernels and prints the table."""
  values = invocation.flags
  workdir = '' if values.kernels else command_line.require_workdir(invocation)
  figure3(workdir, values.checkpoint, values.kernels, values.out,
          values.per_kernel, layout=values.layout, order=values.order,
          columns=values.columns)


def figure3(workdir: str, checkpoint: str = 'latest', kernels: str = '',
            out: str = '', per_kernel: bool = False, *, layout: str = '',
            order: str = '', columns: int = 0) -> dict[str, Any]:
  """Draws the kernels of conv1, one column above the other, and measures them.

  Args:
    workdir: the workdir of the run; ignored if `kernels` is given.
    checkpoint: 'latest', 'best' or a step.
    kernels: 'FILE' or 'FILE:NAME', arrays of any network; see `kernel_file`.
    out: the picture file, .png, .pdf or .svg; '' is figure3.png in the workdir
      or beside the kernel file. Its numbers are in the .json file of the same
      name.
    per_kernel: scale the contrast of each kernel separately, not per layer.
    layout: axes of the array in `kernels`; see `kernel_file.read`.
    order: colors of the array in `kernels`.
    columns: columns that one array consists of; see `kernel_file.in_columns`.

  Returns:
    The numbers.

  Raises:
    InputError: the checkpoint or the kernels do not exist, or `out` is not a
      valid name for a picture.
  """
  folder = workdir
  if kernels:
    folder = os.path.dirname(kernel_file.split(kernels)[0])
  out = os.path.expanduser(out) or os.path.join(folder, 'figure3.png')
  style.check_picture_path('out', out)
  if (layout or order) and not kernels:
    raise InputError('--layout and --order describe a file: add --kernels=FILE,'
                     ' or leave them out.')
  source, weights = _open(workdir, checkpoint, kernels, layout, order)
  weights = kernel_file.in_columns(weights, columns, source)
  if not np.isfinite(weights).all():
    raise InputError(f'the kernels of {source} are not all finite numbers:'
                     ' give an earlier checkpoint or another array.')
  weights = np.moveaxis(np.asarray(weights, np.float64), -1, 1)
  numbers = {'source': source, 'stretched': 'kernel' if per_kernel else 'layer',
             **specialization.measure(weights)}
  figure3_picture.draw(weights, numbers, per_kernel, out)
  print(as_text(numbers))
  print(style.drawn(out))
  return numbers


def _open(workdir, checkpoint, kernels, layout, order):
  """Returns (name of the kernels, array [K, h, w, 3, C])."""
  if kernels:
    file = kernel_file.read(kernels, layout, order)
    name = f':{file.name}' if file.name else ''
    return file.path + name, file.kernels
  network = trained.open_trained(workdir, checkpoint)
  array = classifier.first_kernels(network.model, network.params)
  if array is None:
    raise InputError(f'the first layer of {printable(workdir)} reads no image,'
                     ' so it has no kernels to draw: give another run.')
  return f'{network.workdir}, step {network.step}', np.asarray(array)


def as_text(numbers: dict[str, Any]) -> str:
  """Formats the table of the columns and the test between them."""
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
  source = printable(numbers['source'])
  lines = [f'{source}: kernels of {size[0]} x {size[1]} x 3',
           *tables.aligned(rows)]
  lines.append(
      f'Random kernels have a colorfulness of {noise["colorfulness"]:.3f}'
      f' (± {noise["stddev"]:.3f} from one to the next).')
  difference = numbers['difference']
  if difference:
    lines.append(
        f'The means of the columns are {difference["value"]:.3f} apart: p ='
        f' {difference["p_value"]:.2g} ({difference["permutations"]:,}'
        ' permutations).')
  return '\n'.join(lines)
