"""--task=export: writes a checkpoint's network into one file."""

import os

from absl import flags

from alexnet_jax import command_line
from alexnet_jax.command_line import Invocation
from alexnet_jax.errors import InputError, printable
from alexnet_jax.run import trained, weights
from alexnet_jax.run.weights import Weights

CONFIG = 'unused'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'checkpoint', 'latest', 'latest, best or a step.', flag_values=values)
  flags.DEFINE_string(
      'out', '', 'The file, .npz or .safetensors; WORKDIR/weights.npz unless'
      ' given.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Writes the file."""
  export(command_line.require_workdir(invocation), invocation.flags.checkpoint,
         invocation.flags.out)


def export(workdir: str, checkpoint: str = 'latest', out: str = '') -> str:
  """Writes the parameters, mean image, color statistics and class names.

  Args:
    workdir: the workdir of the run.
    checkpoint: 'latest', 'best' or a step.
    out: the file; '' is WORKDIR/weights.npz.

  Returns:
    The file's path.

  Raises:
    InputError: the checkpoint does not exist, or `out` is not a valid name for
      a weights file.
  """
  path = os.path.expanduser(out) or os.path.join(workdir, 'weights.npz')
  if os.path.isdir(path):
    raise InputError(f'--out={out} is a folder: give the name of a file in it,'
                     f' such as {os.path.join(out, "weights.npz")}.')
  if os.path.splitext(path)[1] not in weights.FORMATS:
    raise InputError(f'--out={out} has another ending than'
                     f' {" or ".join(weights.FORMATS)}: give one of these.')
  network = trained.open_trained(workdir, checkpoint)
  layers = weights.to_layers(network.model, network.params)
  weights.save(path, Weights(layers, network.input_stats, network.class_names))
  arrays = [leaf for leaves in layers.values() for leaf in leaves.values()]
  print(printable(
      f'{path}: {sum(leaf.size for leaf in arrays):,} parameters and'
      f' {len(network.class_names)} classes of {network.workdir}, step'
      f' {network.step}; start another run from it with --init_from={path}'))
  return path
