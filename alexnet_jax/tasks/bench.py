"""--task=bench: how fast a step is, where its time goes, and what feeds it."""

import json
import os
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.compilation_cache import compilation_cache
from ml_collections import ConfigDict

from alexnet_jax.bench import input as bench_input
from alexnet_jax.bench import measurements as bench_result
from alexnet_jax.bench import text as bench_text
from alexnet_jax.bench import turns
from alexnet_jax.bench.measurements import FORWARD, INPUT, PATCHES, STEP, TEST
from alexnet_jax.bench.plain_process import Plain, in_plain_form
from alexnet_jax.bench.turns import Row
from alexnet_jax.data import statistics as data_statistics
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment, step
from alexnet_jax.network import describe, rng
from alexnet_jax.run import experiment

ROUNDS = 4
PLAIN_ROUNDS = 2  # the plain form is several times slower
TURN_SECONDS = 0.2  # what is quicker repeats until a turn lasts so long
LAYER_ROUNDS, LAYER_TURN_SECONDS = 3, 0.02
PLAIN_FORM, AS_IT_COMES = 'plain form', 'plain, as it comes'


def bench(config: ConfigDict, plain: bool, out: str = '',
          trace: str = '') -> dict[str, Any]:
  """Times a step and its parts; prints tables and one line of JSON.

  Rows take turns and each is a median over rounds, so that a noisy machine
  disturbs all alike; read the ratios, which are taken round by round.

  Args:
    config: the experiment, on its own mesh; its data set feeds the row with
      input.
    plain: add the network in its plain form (`models/grouped.py`), with the
      settings of `machine.py` and, in another process, without them.
    out: a file for the line of JSON.
    trace: a folder for a profile of two steps.

  Raises:
    InputError: no place for the file or the folder, or what
      `experiment.build` refuses.
  """
  _make_places(out, trace)
  source = experiment.open_split(config, 'train')
  built = experiment.build(config, len(source.class_names), len(source))
  plain_form = in_plain_form(config, built) if plain else None
  found = data_statistics.statistics(source, limit=64)
  pixels = augment.pixels(found.mean, found.covariance)
  batches = experiment.train_batches(config, built, source)
  first = next(batches)
  batch = experiment.to_device(first, built.mesh)
  training = Training(experiment.new_state(config, built, pixels))
  compiled, compile_seconds = _compile(
      experiment.train_step(config, built), training.state, batch)

  whole_step = _row(lambda: training.take(compiled, batch))
  whole_step.warm_up()
  memory = bench_result.memory(compiled)
  if trace:
    _record(trace, whole_step)

  patches = _central_patches(built, batch, pixels)
  logits = jax.jit(lambda params, x: built.model.apply(params, x)[0])
  test = experiment.evaluation_step(config, built, PATCHES)
  tested = experiment.to_device(
      first | {'valid': np.ones(len(first['label']), bool)}, built.mesh)
  others = {
      'step with input': _row(lambda: training.take(
          compiled, experiment.to_device(next(batches), built.mesh))),
      FORWARD: _row(lambda: logits(training.state.params, patches)),
      TEST: _row(lambda: test(
          training.state.params, training.state.pixels, tested)),
      INPUT: bench_input.InputAlone(
          lambda: experiment.train_batches(config, built, source))}
  if plain:
    plain_step = experiment.train_step(config, plain_form)
    others[PLAIN_FORM] = _row(lambda: training.take(plain_step, batch))
    others[AS_IT_COMES] = Plain(
        (config, built.num_classes, len(source), pixels, first))
  augmented, update = _augmented(config, built), _update(config, built)
  still = jax.tree.map(jnp.zeros_like, training.state.params)
  in_step = {  # and in no layer
      'augment': _row(lambda: augmented(batch['image'], training.state)),
      'update': _row(lambda: training.take(update, still))}
  for row in (others | in_step).values():
    row.warm_up()
  rows = {STEP: whole_step} | others
  turns.take_turns(rows | in_step, {
      name: PLAIN_ROUNDS if name in (PLAIN_FORM, AS_IT_COMES) else ROUNDS
      for name in rows | in_step}, 'rows')
  batches.close()
  if plain:
    rows[AS_IT_COMES].close()

  batch_size = config.optimizer.batch_size
  result = {
      'machine': bench_result.machine(), 'network': config.model.name,
      'batch_size': batch_size, 'mesh': dict(built.mesh.shape),
      'rows': bench_result.speeds(
          rows, batch_size, describe.rows(built.model, built.num_classes)),
      'compile_seconds': compile_seconds, 'memory': memory,
      'layers': bench_result.layers(
          built, training.state.params, patches, in_step, whole_step,
          LAYER_ROUNDS, LAYER_TURN_SECONDS),
      'exchange': bench_result.exchange(compiled, built, batch_size),
      'input': bench_result.input_forms(
          source, config.data.image_size, LAYER_ROUNDS)}
  _tell(result, out, trace)
  return result


def _row(work: Callable[[], Any]) -> Row:
  return Row(work, TURN_SECONDS)


def _make_places(out, trace) -> None:
  if os.path.isdir(os.path.expanduser(out)):
    raise InputError(f'--out={out} is a folder: give the name of a file in it,'
                     f' such as {os.path.join(out, "bench.json")}.')
  for flag, given, folder in (('out', out, os.path.dirname(out)),
                              ('trace', trace, trace)):
    try:
      os.makedirs(os.path.expanduser(folder) or '.', exist_ok=True)
    except OSError as error:
      raise InputError(
          f'--{flag}={given} cannot be written, since {folder} cannot be a'
          f' folder ({error.strerror}): give another place.') from error


class Training:
  """A state that every step uses up, whoever takes it."""

  def __init__(self, state: step.State):
    self.state = state

  def take(self, train_step: Callable, batch: Any) -> Any:
    """One step; returns what to wait for."""
    self.state, measured = train_step(self.state, batch)
    return self.state, measured


# --- What is timed beside the step --------------------------------------------


def _central_patches(built, batch, pixels):
  side = batch['image'].shape[1]
  [view] = augment.views(side, built.model.patch, 1)

  def cut(images):
    return augment.subtract_mean(
        augment.cut_view(images, view, built.model.patch), pixels)

  return jax.jit(cut)(batch['image'])


def _augmented(config, built):
  """f(images, state) -> patches, as the step makes them."""
  augmentation = step.Augmentation(**config.augment.to_dict())

  def augmented(images, state):
    crop, jitter = (
        rng.per_example(rng.stream(config.seed, name, state.step), len(images),
                        shared_by)
        for name, shared_by in (('crop', augmentation.share_crops),
                                ('jitter', 1)))
    return step.augment_batch(images, state.pixels, augmentation, jnp.int32(1),
                              built.mesh, crop, jitter)

  return jax.jit(augmented)


def _update(config, built):
  """f(state, gradients) -> (state, nothing): the update rule alone."""
  homes = jax.tree.map(lambda leaf: leaf.sharding,
                       experiment.state_shapes(config, built))

  def rates(params, learning_rate, *_):
    return jax.tree.map(lambda _: learning_rate, params)

  def update(state, grads):
    return step.update(
        state, grads, built.optimizer, rates, jnp.int32(1),
        built.total_steps), ()

  return jax.jit(update, donate_argnums=0, out_shardings=(homes, ()))


# --- What it comes to ---------------------------------------------------------


def _compile(jitted, *arguments):
  """(executable, seconds): compiled anew, though an earlier start kept it."""
  kept = jax.config.jax_enable_compilation_cache
  jax.config.update('jax_enable_compilation_cache', False)
  compilation_cache.reset_cache()
  begin = time.perf_counter()
  compiled = jitted.lower(*arguments).compile()
  seconds = time.perf_counter() - begin
  jax.config.update('jax_enable_compilation_cache', kept)
  compilation_cache.reset_cache()
  return compiled, seconds


def _record(folder, row) -> None:
  """Two steps in a profile."""
  with jax.profiler.trace(os.path.expanduser(folder),
                          create_perfetto_trace=True):
    for _ in range(2):
      row.once()


def _tell(result, out, trace) -> None:
  """Tables for people; the last line, and the file, for programs."""
  print(bench_text.as_text(result))
  if trace:
    print(f'\nTwo steps are recorded below {trace}: open perfetto_trace.json.gz'
          ' at https://ui.perfetto.dev, or the folder with xprof.')
  line = json.dumps(result)
  if out:
    with open(os.path.expanduser(out), 'w', encoding='utf-8') as file:
      file.write(line + '\n')
  print(line)
