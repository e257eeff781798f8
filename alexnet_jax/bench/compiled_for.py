"""What the programs of a config would do on chips that are not there.

The training step and the test with ten crops are compiled for the chip, and
read: bytes, products, memory, and what devices exchange. The roofline is the
least time that the data sheet allows; a real step takes longer.
"""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from alexnet_jax.bench import chips, measurements, overlap, traffic
from alexnet_jax.bench.chips import Chip, Target
from alexnet_jax.network import describe, placement
from alexnet_jax.run import experiment
from alexnet_jax.run.experiment import Experiment
from alexnet_jax.run.typed_config import Settings

STEP, TEST = 'training step', 'test, ten crops'
# The named scopes of a step outside of the layers.
OTHER_SCOPES = ('augment', 'update')


def examine(settings: Settings, target: Target, num_classes: int,
            num_examples: int, names: Sequence[str] = (STEP, TEST)
            ) -> dict[str, Any]:
  """Compiles programs for a chip and returns what they do, for JSON.

  Args:
    settings: the experiment; `config.mesh` says how many chips.
    target: the chip.
    num_classes: number of outputs of the softmax layer.
    num_examples: number of training examples.
    names: the programs, of STEP and TEST.

  Raises:
    InputError: the compiler is not installed, or `experiment.build` rejects the
      settings.
  """
  built = experiment.build(
      settings, num_classes, num_examples,
      chips.devices(target, settings.mesh.data * settings.mesh.column))
  totals = describe.totals(describe.layer_rows(built.model, num_classes))
  batch_size, count = settings.optimizer.batch_size, built.mesh.devices.size
  flops = {STEP: totals['step_flops'],
           TEST: measurements.CROPS * totals['flops']}
  return {
      'chip': target.name,
      'data_sheet': target.chip._asdict(), 'jax': jax.__version__,
      'network': settings.config['model']['name'],
      'precision': settings.precision, 'batch_size': batch_size,
      **measurements.describe_mesh(built),
      'programs': {
          name: _examine(built, target.chip, jitted, arguments,
                         flops[name] * batch_size / count)
          for name, jitted, arguments in _programs(built)
          if name in names}}


def _programs(built: Experiment):
  """Yields (name, jitted function, the shapes of its arguments)."""
  size, count = (built.settings.data.image_size,
                 built.settings.optimizer.batch_size)
  home = placement.batch_sharding(built.mesh)
  shape = lambda sides, dtype: jax.ShapeDtypeStruct(sides, dtype, sharding=home)
  batch = {'image': shape((count, size, size, 3), jnp.uint8),
           'label': shape((count,), jnp.int32)}
  state = built.state_shapes()
  yield STEP, built.train_step(), (state, batch)
  yield TEST, built.evaluation_step(measurements.CROPS), (
      state.variables, state.input_stats,
      batch | {'valid': shape((count,), bool)})


def _examine(built, chip, jitted, arguments, flops) -> dict[str, Any]:
  begin = time.process_time()
  compiled, seconds = measurements.compile_anew(jitted, *arguments)
  processor_seconds = time.process_time() - begin
  text = compiled.as_text()
  layers = [row.layer for row in describe.layer_rows(
      built.model, built.num_classes)]
  program = traffic.parse(text)
  scopes = traffic.by_scope(program, (*layers, *OTHER_SCOPES))
  moved = sum(sum(scope.values()) for scope in scopes.values())
  collectives = overlap.collectives(
      program, tuple(built.mesh.devices.shape), layers)
  cost: Mapping[str, float] = compiled.cost_analysis() or {}
  memory: Any = compiled.memory_analysis()
  return {
      'compile_seconds': seconds,
      'compile_processor_seconds': processor_seconds,
      'hbm_bytes': moved, 'scopes': scopes, 'flops': flops,
      # XLA's own count, of every memory: not every platform has it.
      'xla_bytes_accessed': cost.get('bytes accessed'),
      'xla_flops': cost.get('flops'),
      'argument_bytes': memory.argument_size_in_bytes,
      'temporary_bytes': memory.temp_size_in_bytes,
      'collectives': [collective._asdict() for collective in collectives],
      'roofline': roofline(
          chip, built.settings.precision, flops, moved,
          sum(one.runs * one.received_bytes for one in collectives))}


def roofline(chip: Chip, precision: str, flops: float, moved: float,
             received: float) -> dict[str, Any]:
  """Returns the least seconds by bytes, products and links, and the largest.

  Args:
    chip: its data sheet.
    precision: of the products, as in `config.precision`.
    flops: floating-point operations on one chip.
    moved: bytes that the chip's memory reads and writes.
    received: bytes that the chip receives from others.
  """
  seconds = {'memory': moved / chip.bytes_per_second,
             'arithmetic': flops / chip.flops_per_second[precision],
             'links': received / chip.link_bytes_per_second}
  bound = max(seconds, key=lambda name: seconds[name])
  return {'seconds': seconds, 'bound_by': bound,
          'least_seconds': seconds[bound]}
