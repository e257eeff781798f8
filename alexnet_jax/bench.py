"""--task=bench: how fast one step is, with and without the input pipeline."""

import json
import resource
import statistics as stats
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from alexnet_jax import augment, describe, experiment, step
from alexnet_jax.data import statistics as data_statistics
from alexnet_jax.plain import Plain, in_plain_form

ROUNDS = 5


def bench(config: ConfigDict, plain: bool) -> dict[str, Any]:
  """Times a training step; prints a table and one line of JSON.

  Rows take turns and each is a median over rounds, so that a noisy machine
  disturbs all alike; read the ratios.

  Args:
    config: the experiment; its data set feeds the row with input.
    plain: add the network in its plain form (`models/grouped.py`), with the
      settings of `machine.py` and, in another process, without them.
  """
  source = experiment.open_split(config, 'train')
  built = experiment.build(config, len(source.class_names), len(source))
  plain_form = in_plain_form(config, built) if plain else None
  found = data_statistics.statistics(source, limit=64)
  pixels = augment.pixels(found.mean, found.covariance)
  state = experiment.new_state(config, built, pixels)
  batches = experiment.train_batches(config, built, source)
  first = next(batches)
  fixed = experiment.to_device(first, built.mesh)

  begin = time.perf_counter()
  compiled = experiment.train_step(config, built).lower(state, fixed).compile()
  compile_seconds = time.perf_counter() - begin
  rows = {'step': Row(compiled, state, lambda: fixed)}
  for _ in range(2):
    rows['step'].turn(warm=True)
  memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
  another = lambda: jax.tree.map(jnp.copy, rows['step'].state)
  rows['step with input'] = Row(
      compiled, another(),
      lambda: experiment.to_device(next(batches), built.mesh))
  if plain:
    same = experiment.train_step(config, plain_form)
    rows['plain form'] = Row(same, another(), lambda: fixed)
    rows['plain, as it comes'] = Plain((
        config, built.num_classes, len(source), pixels, first))
  for number in range(ROUNDS + 1):
    for name, row in rows.items():
      # The plain form is slow: one warm-up and two rounds.
      if not name.startswith('plain') or number < 3:
        row.turn(warm=number == 0)
  batches.close()
  if plain:
    rows['plain, as it comes'].close()

  batch = config.optimizer.batch_size
  speeds = {name: batch / stats.median(row.seconds)
            for name, row in rows.items()}
  flops = describe.totals(
      describe.rows(built.model, built.num_classes))['step_flops']
  device = jax.devices()[0]
  print(f'{config.model.name}, batch {batch}, mesh'
        f' {config.mesh.data} x {config.mesh.column}, {device.device_kind}')
  print('row                  images/s  (slowest, fastest)   GFLOP/s   against'
        ' the step')
  for name, row in rows.items():
    low, high = batch / max(row.seconds), batch / min(row.seconds)
    print(f'{name:<19} {speeds[name]:9.1f}  ({low:7.1f}, {high:7.1f})'
          f'   {speeds[name] * flops / 1e9:7.1f}   '
          f'{speeds[name] / speeds["step"]:.3f}')
  temporary = compiled.memory_analysis().temp_size_in_bytes
  print(f'compile {compile_seconds:.1f} s; peak memory of the process'
        f' {memory / 2**30:.2f} GiB, of it {temporary / 2**30:.2f} GiB within'
        ' a step')
  result = {
      'images_per_second': speeds, 'batch_size': batch,
      'gflops_per_second': speeds['step'] * flops / 1e9,
      'compile_seconds': compile_seconds, 'peak_bytes': memory,
      'step_temporary_bytes': temporary}
  print(json.dumps(result))
  return result


class Row:
  """One thing to time: a step, its state and where its batches come from."""

  def __init__(self, train_step: Callable, state: step.State,
               next_batch: Callable[[], dict]):
    self._train_step = train_step
    self.state = state
    self._next_batch = next_batch
    self.seconds = []

  def turn(self, warm: bool) -> None:
    """One step, timed unless it is the first."""
    begin = time.perf_counter()
    self.state, measured = self._train_step(self.state, self._next_batch())
    jax.block_until_ready((self.state, measured))
    if not warm:
      self.seconds.append(time.perf_counter() - begin)
