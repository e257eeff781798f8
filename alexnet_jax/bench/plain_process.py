"""The plain form in a process of its own, with JAX as it comes.

`--task=bench --plain` starts it and lets it take turns: it reads a pickled
(settings, classes, examples, pixels, batch), then takes one step for every line
and prints its seconds.
"""

import itertools
import os
import pickle
import subprocess
import sys
import time
from typing import Any

from alexnet_jax import machine
from alexnet_jax.errors import InputError

# What the plain form is written for, besides columns, widths and norm.
PLAIN = {'name': 'alexnet', 'nonlinearity': 'relu', 'response_norm': True,
         'overlapping_pooling': True, 'dropout': True, 'without': (),
         'bottleneck': 0}


class Plain:
  """A row of the bench whose steps are another process's."""

  def __init__(self, given: tuple[Any, ...]):
    """Starts the process without the settings of `machine.py`."""
    settings = dict(os.environ)
    settings.pop(machine.HUGE_PAGES[0], None)
    ours = set(itertools.chain(*machine.FLAGS.values()))
    settings['XLA_FLAGS'] = ' '.join(
        flag for flag in settings.get('XLA_FLAGS', '').split()
        if flag not in ours)
    self._process: Any = subprocess.Popen(
        [sys.executable, '-m', 'alexnet_jax.bench.plain_process'], env=settings,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    pickle.dump(given, self._process.stdin)
    self.seconds = []

  def warm_up(self) -> None:
    """The first step, which is compiled."""
    self._step()

  def turn(self) -> None:
    """A step as in `turns.Row`, after one that does not count."""
    self._step()
    self.seconds.append(self._step())

  def _step(self):
    self._process.stdin.write(b'\n')
    self._process.stdin.flush()
    return float(self._process.stdout.readline())

  def close(self) -> None:
    """Ends the process."""
    self._process.stdin.close()
    self._process.wait()


def main() -> None:
  """Takes a step for every line."""
  import jax

  from alexnet_jax.run import device_data, experiment

  settings, classes, examples, pixels, batch = pickle.load(sys.stdin.buffer)
  built = in_plain_form(experiment.build(settings, classes, examples))
  state = built.new_state(pixels)
  batch = device_data.to_device(batch, built.mesh)
  train_step = built.train_step()
  for _ in sys.stdin.buffer:
    begin = time.perf_counter()
    state, _ = jax.block_until_ready(train_step(state, batch))
    print(time.perf_counter() - begin, flush=True)


def in_plain_form(built):
  """The same experiment on the network as one would first write it.

  Raises:
    InputError: a network that was not written that way.
  """
  from alexnet_jax.network import models, plain

  fields = built.settings.config['model']
  for field, value in PLAIN.items():
    if fields[field] != value:
      raise InputError(
          f'--plain knows no network with config.model.{field}='
          f'{fields[field]!r}: give {value!r} as in configs/paper.py, or leave'
          ' --plain out.')
  settings = built.settings
  return built._replace(model=models.compute_in(
      settings.precision,
      built.model._replace(apply=plain.build(settings.model))))


if __name__ == '__main__':
  main()
