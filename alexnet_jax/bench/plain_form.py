"""The training step of the network in its plain form, with default JAX.

`--task=bench --plain` times `network/plain.py` beside the columns, in the same
process and in one without the settings of `machine.py`.
"""

import itertools
import os
from typing import Any, NamedTuple

from alexnet_jax import machine
from alexnet_jax.bench import process
from alexnet_jax.bench.process import ProcessRow
from alexnet_jax.errors import InputError

# The settings that the plain form supports, besides columns, widths and norm.
PLAIN = {'name': 'alexnet', 'nonlinearity': 'relu', 'response_norm': True,
         'overlapping_pooling': True, 'dropout': True, 'without': (),
         'bottleneck': 0, 'partner_layers': ()}


class PlainTask(NamedTuple):
  """The task of the process that runs the plain form."""

  settings: Any  # `typed_config.Settings`
  num_classes: int
  num_examples: int
  input_stats: Any  # `PixelStats`
  batch: dict  # On the host.


def start(task: PlainTask) -> ProcessRow:
  """Starts its process, without the settings of `machine.py`.

  Raises:
    InputError: the process fails to take a step.
  """
  environment = dict(os.environ)
  environment.pop(machine.HUGE_PAGES[0], None)
  ours = set(itertools.chain(*machine.FLAGS.values()))
  environment['XLA_FLAGS'] = ' '.join(
      flag for flag in environment.get('XLA_FLAGS', '').split()
      if flag not in ours)
  row = ProcessRow('alexnet_jax.bench.plain_form', task, environment)
  row.begin()
  row.wait_until_built()
  if row.failed:
    raise InputError(f'the plain form does not run in a process of its own'
                     f' ({row.failed}): leave --plain out.')
  return row


class PlainWork:
  """Training steps of the plain form; a `process.Work`."""

  def __init__(self, task: PlainTask):
    from alexnet_jax.run import device_data, experiment

    built = in_plain_form(experiment.build(
        task.settings, task.num_classes, task.num_examples))
    self._state = built.new_state(task.input_stats)
    self._batch = device_data.to_device(task.batch, built.mesh)
    self._train_step = built.train_step()
    self._measured: Any = None

  def step(self) -> None:
    """See process.Work."""
    self._state, self._measured = self._train_step(self._state, self._batch)

  def wait(self) -> float:
    """See process.Work."""
    import jax
    jax.block_until_ready(self._state)
    return float(self._measured['loss'])

  def rest(self) -> None:
    """Does nothing: the arrays of a finished step are free already."""

  def describe(self) -> dict[str, Any]:
    """See process.Work."""
    return {}


def in_plain_form(built):
  """Returns the same experiment with the network in its plain form.

  Raises:
    InputError: the network has no plain form.
  """
  from alexnet_jax.network import models, plain
  from alexnet_jax.network.classifier import Outputs

  fields = built.settings.config['model']
  for field, value in PLAIN.items():
    if fields[field] != value:
      raise InputError(
          f'--plain knows no network with config.model.{field}='
          f'{fields[field]!r}: give {value!r} as in configs/paper.py, or leave'
          ' --plain out.')
  settings = built.settings
  apply = plain.build(settings.model)

  def forward(params, patches, keys=None):
    return Outputs(*apply(params, patches, keys), (), {})

  return built._replace(model=models.with_precision(
      settings.precision, built.model._replace(forward=forward)))


if __name__ == '__main__':
  process.serve(PlainWork)
