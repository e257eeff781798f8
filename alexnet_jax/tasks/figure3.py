"""--task=figure3: first-layer kernels and how columns specialize (6.1).

    python launch.py --task=figure3 --workdir=RUN [--checkpoint=STEP ...]
    python launch.py --task=figure3 RUN RUN2 ...

Several checkpoints of a run, or several runs, are rows of one picture and of
one table. A RUN among several is a workdir, WORKDIR@STEP, a file that
--task=export wrote, or tiny_imagenet_small.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from absl import flags

from alexnet_jax.analysis import kernel_file, kernel_tables, specialization
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.errors import InputError, printable
from alexnet_jax.figures import figure3 as figure3_picture
from alexnet_jax.figures import style
from alexnet_jax.library import opening
from alexnet_jax.library.opening import load
from alexnet_jax.network import classifier
from alexnet_jax.run import checkpoint as checkpoints
from alexnet_jax.run import commands, damage, trained
from alexnet_jax.run.trained import Trained

CONFIG, POSITIONAL = 'unused', 'runs'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_multi_string(
      'checkpoint', ['latest'], 'latest, best or a step; 0 is the initial'
      ' kernels. Repeat it to see them change.', flag_values=values)
  flags.DEFINE_multi_string(
      'runs', [], 'Runs to compare; more may follow.', flag_values=values)
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
  values, steps = invocation.flags, invocation.flags.checkpoint
  runs = list(dict.fromkeys([
      *filter(None, [invocation.workdir]), *values.runs,
      *invocation.arguments]))
  if not runs and not values.kernels:
    runs = [invocation.require_workdir()]
  if len(runs) > 1 or len(steps) > 1:
    if values.kernels or values.layout or values.order or values.columns:
      raise InputError('--kernels, --layout, --order and --columns are for one'
                       ' network: leave them out, or give no more than one run'
                       ' and one --checkpoint.')
    compare(runs, steps, values.out, values.per_kernel)
    return
  figure3(''.join(runs), steps[0], values.kernels, values.out,
          values.per_kernel, layout=values.layout, order=values.order,
          columns=values.columns)


def figure3(workdir: str, checkpoint: str = 'latest', kernels: str = '',
            out: str = '', per_kernel: bool = False, *, layout: str = '',
            order: str = '', columns: int = 0) -> dict[str, Any]:
  """Draws the kernels of conv1, one column above the other, and measures them.

  Args:
    workdir: the workdir of the run; ignored if `kernels` is given.
    checkpoint: 'latest', 'best' or a step; see `open_step`.
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
  if kernels:
    file = kernel_file.read(kernels, layout, order)
    source = file.path + (f':{file.name}' if file.name else '')
    weights = kernel_file.in_columns(file.kernels, columns, source)
  else:
    network = open_step(workdir, checkpoint)
    source = _source(network)
    weights = kernel_file.in_columns(_array(network), columns, source)
  weights = _checked(weights, source)
  numbers = {'source': source, **_measured(weights, per_kernel)}
  figure3_picture.draw(weights, numbers, per_kernel, out)
  print(kernel_tables.table_of_columns(numbers))
  print(style.drawn(out))
  return numbers


def compare(runs: Sequence[str], steps: Sequence[str] = ('latest',),
            out: str = '', per_kernel: bool = False) -> dict[str, Any]:
  """Draws the kernels of several runs, or of several checkpoints of one.

  Args:
    runs: what `library.opening.load` takes, or WORKDIR@0; or one workdir.
    steps: checkpoints of a single run; see `open_step`.
    out: the picture file; '' is figure3_rows.png in the first run's workdir,
      or in this folder if that run is a file.
    per_kernel: scale the contrast of each kernel separately, not per row.

  Returns:
    The numbers.

  Raises:
    InputError: there is no such run or checkpoint, the shapes of the kernels
      differ, or `out` is not a valid name for a picture.
  """
  if len(runs) != 1 and list(steps) != ['latest']:
    raise InputError('--checkpoint is for one run: leave out the others, or'
                     ' write RUN@STEP for each.')
  workdir, _ = opening.split(runs[0])
  folder = workdir if os.path.isdir(workdir) else ''
  out = os.path.expanduser(out) or os.path.join(folder, 'figure3_rows.png')
  style.check_picture_path('out', out)
  if len(runs) == 1:
    opened = [open_step(runs[0], step) for step in steps]
    networks = {f'step {network.step}': network for network in opened}
  else:
    opened = [(run, _open(run)) for run in runs]
    networks = {
        f'{run.removesuffix(f"@{network.step}")}, step {network.step}': network
        for run, network in opened}
  weights = {name: _checked(_array(network), _source(network))
             for name, network in networks.items()}
  if len({array.shape for array in weights.values()}) > 1:
    raise InputError('the kernels of these runs differ in number or size: give'
                     ' runs with the same first layer.')
  rows = {name: _measured(array, per_kernel) for name, array in weights.items()}
  numbers: dict[str, Any] = {'rows': rows}
  p_values = [row['difference']['p_value'] for row in rows.values()
              if row['difference']]
  seeds = {network.settings.seed for network in networks.values()}
  # Checkpoints of one run are no independent tests.
  if len(runs) > 1 and p_values and len(seeds) == len(runs):
    numbers['p_value_over_runs'] = specialization.combine_p_values(p_values)
  figure3_picture.draw_rows(weights, numbers, per_kernel, out)
  print(kernel_tables.table_of_networks(numbers))
  print(style.drawn(out))
  return numbers


# --- Kernels ------------------------------------------------------------------


def open_step(workdir: str, step: str) -> Trained:
  """Opens a checkpoint: 'latest', 'best' or a step, of which 0 need not be one.

  Raises:
    InputError: there is no such checkpoint, or step 0 is none and the run began
      with the parameters of another network.
  """
  folder = os.path.join(workdir, checkpoints.FOLDER)
  if step != '0' or 0 in damage.saved_steps(folder):
    return trained.open_trained(workdir, step)
  newest = trained.open_trained(workdir)
  if commands.began_with(workdir) != '':
    raise InputError(f'{printable(workdir)} does not say that it began with new'
                     ' parameters, so that its initial kernels are not known:'
                     ' give a later checkpoint.')
  return trained.initial(newest)


def _open(run: str) -> Trained:
  workdir, step = opening.split(run)
  if step == '0' and os.path.isdir(workdir):
    return open_step(workdir, step)
  return load(run).trained


def _source(network):
  return f'{network.workdir}, step {network.step}'


def _array(network) -> np.ndarray:
  """Returns the kernels [K, h, w, 3, C]."""
  array = classifier.first_kernels(network.model, network.params)
  if array is None:
    raise InputError(f'the first layer of {printable(network.workdir)} reads no'
                     ' image, so it has no kernels to draw: give another run.')
  return np.asarray(array)


def _checked(array, source) -> np.ndarray:
  """Returns the kernels as [K, C, h, w, 3]."""
  if not np.isfinite(array).all():
    raise InputError(f'the kernels of {source} are not all finite numbers:'
                     ' give an earlier checkpoint or another array.')
  return np.moveaxis(np.asarray(array, np.float64), -1, 1)


def _measured(weights, per_kernel) -> Mapping[str, Any]:
  return {'stretched': 'kernel' if per_kernel else 'layer',
          **specialization.measure(weights)}
