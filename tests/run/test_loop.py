"""In which order a run does what takes time."""

import jax
import tiny

from alexnet_jax.run import (
  compiling,
  device_data,
  training,
  typed_config,
)


def test_a_batch_is_handed_over_while_the_device_works_on_the_step_before(
    monkeypatch, tmp_path):
  """The host reads the loss of a step only when the next step has begun.

  The learning rate for the log is computed before the step that it is of, since
  it would wait for a step that is under way.
  """
  events = []

  def recorded(name, function):
    def call(*arguments, **more):
      events.append(name)
      return function(*arguments, **more)
    return call

  monkeypatch.setattr(device_data, 'to_device',
                      recorded('batch', device_data.to_device))
  monkeypatch.setattr(compiling.CompiledAhead, '__call__', recorded(
      'step', compiling.CompiledAhead.__call__))
  monkeypatch.setattr(training, 'kernel_rate', recorded(
      'rate', training.kernel_rate))
  read = jax.device_get

  def device_get(tree):
    if isinstance(tree, dict) and 'loss' in tree:
      events.append('loss')
    return read(tree)

  monkeypatch.setattr(jax, 'device_get', device_get)
  training.train(typed_config.read(tiny.config(
      {'run.steps': 4, 'run.evaluate_every': 4, 'run.save_every': 4,
       'run.hold_data': False})), str(tmp_path))
  assert events[:17] == ['batch', 'rate', 'step', 'rate',  # it compiles
                         'batch', 'rate', 'step', 'loss',
                         'batch', 'rate', 'step', 'loss',
                         'batch', 'rate', 'step', 'loss',
                         'loss']
