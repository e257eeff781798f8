"""Whether a run can fit into memory, estimated before anything is allocated.

The estimates are lower bounds: they leave out the maps of the layers. What they
refuse cannot run, and what they let through may still be too large.
"""

import math

import jax

from alexnet_jax import machine
from alexnet_jax.errors import InputError
from alexnet_jax.network import placement
from alexnet_jax.run.experiment import Experiment

FLOAT = 4  # bytes
# Copies of the parameters: with their gradients, and the velocities or the two
# means that the rule keeps.
COPIES = {'momentum': 3, 'adamw': 4, 'lars': 3}
GIGA = 10**9


def check(experiment: Experiment, num_examples: int) -> None:
  """Checks that parameters, one batch and stored images fit into memory.

  Args:
    experiment: the experiment to be trained.
    num_examples: number of training examples.

  Raises:
    InputError: they need more memory than there is.
  """
  settings, mesh = experiment.settings, experiment.mesh
  available, copies = _available(mesh)
  shards = mesh.shape[placement.DATA]
  size, patch = settings.data.image_size, experiment.model.patch
  batch_size = settings.optimizer.batch_size
  parameters = count_parameters(experiment)
  of_a_device = sum(
      math.prod(leaf.sharding.shard_shape(leaf.shape))
      for leaf in jax.tree.leaves(experiment.state_shapes().params))
  needs = [
      (COPIES[settings.optimizer.rule] * FLOAT * of_a_device,
       f'config.model with {parameters:,} parameters, their gradients and the'
       ' state of the update rule', 'smaller config.model.kernels or neurons'),
      (batch_size / shards * 3 * (
          size**2 + FLOAT * patch**2 / settings.optimizer.accumulate),
       f'config.optimizer.batch_size={batch_size} with images of {size} x'
       f' {size} pixels', 'a smaller batch or config.data.image_size')]
  if settings.run.hold_data:
    needs.append((
        num_examples * 3 * size**2,
        f'config.run.hold_data=True with {num_examples:,} images of {size} x'
        f' {size} pixels', 'config.run.hold_data=False'))
  for needed, what, remedy in needs:
    if needed * copies > available:
      raise InputError(
          f'{what} needs {needed * copies / GIGA:,.1f} GB of memory or more,'
          f' and there are {available / GIGA:,.1f} GB: give {remedy}.')


def count_parameters(experiment: Experiment) -> int:
  """Returns the number of parameters, from their shapes."""
  shapes = jax.eval_shape(experiment.model.init, jax.random.key(0))
  return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(shapes))


def _available(mesh):
  """Returns the bytes of memory, and how many of the devices share them."""
  here = [device for device in mesh.devices.flat
          if device.process_index == jax.process_index()]
  if here[0].platform == 'cpu':
    return machine.memory(), len(here)
  stats = here[0].memory_stats() or {}
  return stats.get('bytes_limit', math.inf), 1
