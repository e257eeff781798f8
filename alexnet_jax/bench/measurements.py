"""The measurements of the bench, as plain numbers for JSON."""

import os
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jaxlib
from jax.experimental.compilation_cache import compilation_cache
from tqdm import tqdm

from alexnet_jax import machine
from alexnet_jax.bench import input as bench_input
from alexnet_jax.bench import layers as bench_layers
from alexnet_jax.bench import turns
from alexnet_jax.bench.turns import Timed
from alexnet_jax.data.sources import Source
from alexnet_jax.learning.step import State
from alexnet_jax.network import collectives, describe, placement
from alexnet_jax.run.experiment import Experiment

CROPS = 10  # Of the test (4.1).
STEP, FORWARD, TEST, INPUT = (
    'step', 'forward only', 'test, ten crops', 'input alone')


def compile_anew(jitted: Any,
                 *arguments: Any) -> tuple[jax.stages.Compiled, float]:
  """Returns (executable, seconds), without the compilation cache."""
  cache_enabled = jax.config.values['jax_enable_compilation_cache']
  jax.config.update('jax_enable_compilation_cache', False)
  compilation_cache.reset_cache()
  begin = time.perf_counter()
  compiled = jitted.lower(*arguments).compile()
  seconds = time.perf_counter() - begin
  jax.config.update('jax_enable_compilation_cache', cache_enabled)
  compilation_cache.reset_cache()
  return compiled, seconds


def speeds(rows: Mapping[str, Timed], batch_size: int,
           table: Sequence[describe.LayerRow]) -> dict[str, dict[str, Any]]:
  """Returns {row: images per second, GFLOP/s, and the ratio to the step}.

  Args:
    rows: the rows after their turns, including STEP.
    batch_size: the number of images in each entry of a row's `seconds`.
    table: the layers of the network.
  """
  totals = describe.totals(table)
  flops = {FORWARD: totals['flops'], TEST: CROPS * totals['flops'],
           INPUT: None}
  results = {}
  for name, row in rows.items():
    median, slowest, fastest = turns.spread(
        [batch_size / seconds for seconds in row.seconds])
    work = flops.get(name, totals['step_flops'])
    results[name] = {
        'images_per_second': median, 'slowest': slowest, 'fastest': fastest,
        'gflops_per_second': work and median * work / 1e9,
        'against_step': turns.ratio(row, rows[STEP])._asdict()}
  return results


def describe_mesh(built: Experiment) -> dict[str, Any]:
  """Returns the devices of both axes, and what divides the full layers.

  'full_layers' is 'data' or 'model' as in `config.mesh.full_layers`, but 'data'
  where one device along 'data' leaves nothing to divide.
  """
  return {'mesh': dict(built.mesh.shape),
          'full_layers': 'model' if built.model.divided else 'data'}


class Training:
  """The training state, which every step donates and replaces."""

  def __init__(self, state: State):
    self.state = state

  def take(self, train_step: Callable, batch: Any) -> Any:
    """Takes one step and returns the arrays to wait for."""
    self.state, measured = train_step(self.state, batch)
    return self.state, measured


def memory(compiled: jax.stages.Compiled) -> dict[str, int | None]:
  """Returns peak bytes of the process, and temporary bytes of a step."""
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
  device_memory = jax.local_devices()[0].memory_stats() or {}  # None on a CPU.
  analysis: Any = compiled.memory_analysis()
  return {'process_peak_bytes': peak,
          'device_peak_bytes': device_memory.get('peak_bytes_in_use'),
          'step_temporary_bytes': analysis.temp_size_in_bytes}


def layers(built: Experiment, params: Any, patches: jax.Array,
           others: Mapping[str, Timed], step: Timed, rounds: int,
           turn_seconds: float) -> dict[str, Any]:
  """Times the parts of a step on one device, and returns them with their sum.

  Args:
    built: the experiment.
    params: the parameters of the network, on the mesh.
    patches: the patches of the batch, [B, P, P, 3], on the mesh.
    others: the other parts of a step, already timed.
    step: the whole step, already timed.
    rounds: turns of each part.
    turn_seconds: the minimum duration of a turn.
  """
  device = jax.local_devices()[0]
  shard = len(patches) // built.mesh.shape[placement.DATA]
  local = built.model.num_columns // built.mesh.shape[placement.COLUMN]
  params, patches = jax.device_put(jax.device_get((params, patches)), device)
  parts = list(tqdm(bench_layers.parts(
      built.model, params, patches[:shard], built.num_classes, local, rounds,
      turn_seconds), desc='layers', unit=' parts', leave=False,
      dynamic_ncols=True, disable=None))
  beside = {name: turns.spread(row.seconds).median
            for name, row in others.items()}
  total = sum(beside.values()) + sum(
      part.forward.seconds + part.backward.seconds for part in parts)
  return {
      'parts': [part._asdict() | {'forward': part.forward._asdict(),
                                  'backward': part.backward._asdict()}
                for part in parts],
      'others_seconds': beside, 'sum_seconds': total,
      'sum_over_step': total / turns.spread(step.seconds).median,
      'matrix_product_gflops_per_second': turns.spread(
          [part.peak for part in parts]).median}


def exchange(compiled: jax.stages.Compiled, built: Experiment,
             batch_size: int) -> dict[str, dict[str, float]]:
  """Returns {layer: bytes per image and step, computed and as compiled}.

  The result is empty if one device has all the columns.

  Args:
    compiled: the training step.
    built: its experiment.
    batch_size: the number of images in a step.
  """
  shape = built.mesh.shape
  table = describe.layer_rows(
    built.model, built.num_classes, shape[placement.COLUMN]
  )
  computed = {row.layer: row.exchanged_bytes for row in table}
  measured = collectives.exchanged_bytes(
      collectives.find_collectives(
          compiled.as_text() or '',
          (shape[placement.DATA], shape[placement.COLUMN]), list(computed)),
      batch_size)
  return {name: {'computed_bytes': computed.get(name, 0),
                 'measured_bytes': measured.get(name, 0)}
          for name in [*computed, *sorted(set(measured) - set(computed))]
          if computed.get(name) or measured.get(name)}


def input_forms(source: Source, image_size: int,
                rounds: int) -> dict[str, dict[str, float]]:
  """Returns {form of input: images that one core prepares per second}.

  Args:
    source: the images.
    image_size: the side of the stored squares in pixels.
    rounds: turns of each form.
  """
  with tempfile.TemporaryDirectory() as folder:
    rates = bench_input.images_per_core_second(
        bench_input.in_every_form(source, folder, image_size), rounds)
  return {name: turns.spread(form_rates)._asdict()
          for name, form_rates in rates.items()}


def describe_environment() -> dict[str, Any]:
  """Describes the machine and the software of the measurements."""
  device = jax.devices()[0]
  settings = ('XLA_FLAGS', 'GLIBC_TUNABLES', 'JAX_NUM_CPU_DEVICES')
  return {
      'processor': machine.processor_name(),
      'cores': machine.cores(),
      'devices': f'{len(jax.devices())} x {device.device_kind}',
      'jax': jax.__version__, 'jaxlib': jaxlib.__version__,
      'settings': {name: os.environ[name] for name in settings
                   if os.environ.get(name)}}
