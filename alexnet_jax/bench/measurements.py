"""What the bench measures and counts, as plain numbers for JSON."""

import os
import resource
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jaxlib
from tqdm import tqdm

from alexnet_jax import machine
from alexnet_jax.bench import input as bench_input
from alexnet_jax.bench import layers as bench_layers
from alexnet_jax.bench import turns
from alexnet_jax.bench.turns import Timed
from alexnet_jax.data.sources import Source
from alexnet_jax.learning.step import State
from alexnet_jax.network import collectives, columns, describe
from alexnet_jax.run.experiment import Experiment

CROPS = 10  # of the test (4.1)
STEP, FORWARD, TEST, INPUT = (
    'step', 'forward only', 'test, ten crops', 'input alone')


def speeds(rows: Mapping[str, Timed], batch_size: int,
           table: Sequence[describe.LayerRow]) -> dict[str, dict[str, Any]]:
  """{row: images per second, GFLOP/s, and what it is against the step}.

  Args:
    rows: all with their turns behind them, STEP among them.
    batch_size: images that a row has done in each of its `seconds`.
    table: the network's layers.
  """
  totals = describe.totals(table)
  flops = {FORWARD: totals['flops'], TEST: CROPS * totals['flops'],
           INPUT: None}
  found = {}
  for name, row in rows.items():
    median, slowest, fastest = turns.spread(
        [batch_size / seconds for seconds in row.seconds])
    work = flops.get(name, totals['step_flops'])
    found[name] = {
        'images_per_second': median, 'slowest': slowest, 'fastest': fastest,
        'gflops_per_second': work and median * work / 1e9,
        'against_step': turns.ratio(row, rows[STEP])._asdict()}
  return found



class Training:
  """A state that every step uses up, whoever takes it."""

  def __init__(self, state: State):
    self.state = state

  def take(self, train_step: Callable, batch: Any) -> Any:
    """One step; returns what to wait for."""
    self.state, measured = train_step(self.state, batch)
    return self.state, measured


def memory(compiled: jax.stages.Compiled) -> dict[str, int | None]:
  """Bytes: the process's peak so far, and what a step needs for itself."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
  held = jax.local_devices()[0].memory_stats() or {}  # none of a CPU
  analysis: Any = compiled.memory_analysis()
  return {'process_peak_bytes': peak,
          'device_peak_bytes': held.get('peak_bytes_in_use'),
          'step_temporary_bytes': analysis.temp_size_in_bytes}


def layers(built: Experiment, params: Any, patches: jax.Array,
           others: Mapping[str, Timed], step: Timed, rounds: int,
           turn_seconds: float) -> dict[str, Any]:
  """The parts of a step on one device, and what they add up to.

  Args:
    built: the experiment.
    params: of the network, on the mesh.
    patches: [B, P, P, 3], on the mesh.
    others: what a step does besides, timed.
    step: the whole step, timed.
    rounds: turns of each part.
    turn_seconds: that a turn at least lasts.
  """
  device = jax.local_devices()[0]
  shard = len(patches) // built.mesh.shape[columns.DATA]
  local = built.model.num_columns // built.mesh.shape[columns.COLUMN]
  params, patches = jax.device_put(jax.device_get((params, patches)), device)
  parts = list(tqdm(bench_layers.parts(
      built.model, params, patches[:shard], built.num_classes, local, rounds,
      turn_seconds), desc='layers', unit=' parts', leave=False,
      dynamic_ncols=True, disable=None))
  beside = {name: turns.spread(row.seconds).median
            for name, row in others.items()}
  whole = sum(beside.values()) + sum(
      part.forward.seconds + part.backward.seconds for part in parts)
  return {
      'parts': [part._asdict() | {'forward': part.forward._asdict(),
                                  'backward': part.backward._asdict()}
                for part in parts],
      'others_seconds': beside, 'sum_seconds': whole,
      'sum_over_step': whole / turns.spread(step.seconds).median,
      'matrix_product_gflops_per_second': turns.spread(
          [part.peak for part in parts]).median}


def exchange(compiled: jax.stages.Compiled, built: Experiment,
             batch_size: int) -> dict[str, dict[str, float]]:
  """{layer: bytes per image and step, as computed and as compiled}.

  Empty where one device holds all the columns.

  Args:
    compiled: the training step.
    built: its experiment.
    batch_size: images of a step.
  """
  shape = built.mesh.shape
  table = describe.layer_rows(
    built.model, built.num_classes, shape[columns.COLUMN]
  )
  computed = {row.layer: row.exchanged_bytes for row in table}
  measured = collectives.exchanged_bytes(
      collectives.find_collectives(
          compiled.as_text() or '',
          (shape[columns.DATA], shape[columns.COLUMN]), list(computed)),
      batch_size)
  return {name: {'computed_bytes': computed.get(name, 0),
                 'measured_bytes': measured.get(name, 0)}
          for name in [*computed, *sorted(set(measured) - set(computed))]
          if computed.get(name) or measured.get(name)}


def input_forms(source: Source, image_size: int,
                rounds: int) -> dict[str, dict[str, float]]:
  """{form: images that one core makes ready in a second}."""
  with tempfile.TemporaryDirectory() as folder:
    rates = bench_input.images_per_core_second(
        bench_input.in_every_form(source, folder, image_size), rounds)
  return {name: turns.spread(found)._asdict() for name, found in rates.items()}


def surroundings() -> dict[str, Any]:
  """What the numbers were measured on."""
  device = jax.devices()[0]
  settings = ('XLA_FLAGS', 'GLIBC_TUNABLES', 'JAX_NUM_CPU_DEVICES')
  return {
      'processor': machine.processor_name(),
      'cores': machine.cores(),
      'devices': f'{len(jax.devices())} x {device.device_kind}',
      'jax': jax.__version__, 'jaxlib': jaxlib.__version__,
      'settings': {name: os.environ[name] for name in settings
                   if os.environ.get(name)}}
