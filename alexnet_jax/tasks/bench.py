"""--task=bench: how fast a step is, where its time goes, and what feeds it.

With --compile_for nothing is run: the programs of the config are compiled for
chips that need not be there.
"""

import json
import os
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from absl import flags

from alexnet_jax.bench import chip_text, chips, compiled_for, plain_form, turns
from alexnet_jax.bench import input as bench_input
from alexnet_jax.bench import measurements as bench_result
from alexnet_jax.bench import text as bench_text
from alexnet_jax.bench.measurements import CROPS, FORWARD, INPUT, STEP, TEST
from alexnet_jax.bench.plain_form import PlainTask
from alexnet_jax.bench.turns import Row
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.data import statistics as data_statistics
from alexnet_jax.errors import InputError, printable
from alexnet_jax.learning import augment, step
from alexnet_jax.learning.learning_rate import Rates
from alexnet_jax.network import describe, rng
from alexnet_jax.run import device_data, experiment, memory, typed_config
from alexnet_jax.run.typed_config import Settings

CONFIG = 'required'
ROUNDS = 4
PLAIN_ROUNDS = 2  # The plain form is several times slower.
TURN_SECONDS = 0.2  # Faster work repeats to fill a turn.
LAYER_ROUNDS, LAYER_TURN_SECONDS = 3, 0.02
PAPER_CLASSES, PAPER_EXAMPLES = 1000, 1_281_167  # ILSVRC-2012 (2)
PLAIN_FORM, AS_IT_COMES = 'plain form', 'plain, as it comes'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_bool(
      'plain', False, 'Against the network in its plain form as well.',
      flag_values=values)
  flags.DEFINE_string('out', '', 'A file for the JSON.', flag_values=values)
  flags.DEFINE_string(
      'trace', '', 'A folder for a profile of two steps.', flag_values=values)
  flags.DEFINE_string(
      'compile_for', '', 'Only compile, for a chip that need not be there:'
      ' v5e, v5p, v6e (or v5e:2x4), h100 (or h100x2), h200.',
      flag_values=values)


def run(invocation: Invocation) -> None:
  """Times everything and prints tables and JSON."""
  values = invocation.flags
  if values.compile_for:
    bench_chip(typed_config.read(invocation.config), values.compile_for,
               values.out)
    return
  bench(typed_config.read(invocation.config), values.plain, values.out,
        values.trace)


def bench(settings: Settings, plain: bool, out: str = '',
          trace: str = '') -> dict[str, Any]:
  """Times a step and its parts; prints tables and one line of JSON.

  Rows take turns and each result is a median over rounds, so that noise on the
  machine affects all rows alike. Read the ratios, which are computed round by
  round.

  Args:
    settings: the experiment, which runs on its own mesh; its data set provides
      the batches of the row 'step with input'.
    plain: also time the network in its plain form (`network/plain.py`), with
      the settings of `machine.py` and, in another process, without them.
    out: the file for the line of JSON; '' for none.
    trace: the folder for a profile of two steps; '' for none.

  Returns:
    The results, as in the line of JSON.

  Raises:
    InputError: the file or the folder cannot be written, or
      `experiment.build` rejects the settings.
  """
  _make_places(out, trace)
  source = settings.open_split('train')
  built = experiment.build(settings, len(source.class_names), len(source))
  memory.check(built, len(source))
  in_plain_form = plain_form.in_plain_form(built) if plain else None
  measured = data_statistics.statistics(source, limit=64)
  pixels = augment.pixel_stats(measured.mean, measured.covariance)
  batches = built.train_batches(source)
  first = next(batches)
  batch = device_data.to_device(first, built.mesh)
  training = bench_result.Training(built.new_state(pixels))
  compiled, compile_seconds = bench_result.compile_anew(
      built.train_step(), training.state, batch)

  whole_step = _row(lambda: training.take(compiled, batch))
  whole_step.warm_up()
  memory_used = bench_result.memory(compiled)
  if trace:
    _record(trace, whole_step)

  patches = _central_patches(built, batch, pixels)
  logits = jax.jit(lambda params, x: built.model.apply(params, x)[0])
  test = built.evaluation_step(CROPS)
  tested = device_data.to_device(
      first | {'valid': np.ones(len(first['label']), bool)}, built.mesh)
  others: dict[str, Any] = {
      'step with input': _row(lambda: training.take(
          compiled, device_data.to_device(next(batches), built.mesh))),
      FORWARD: _row(lambda: logits(training.state.variables, patches)),
      TEST: _row(lambda: test(
          training.state.variables, training.state.input_stats, tested)),
      INPUT: bench_input.InputAlone(
          lambda: built.train_batches(source))}
  if in_plain_form is not None:
    plain_step = in_plain_form.train_step()
    others[PLAIN_FORM] = _row(lambda: training.take(plain_step, batch))
    others[AS_IT_COMES] = plain_form.start(PlainTask(
        settings, built.num_classes, len(source), pixels, first))
  augmented, update = _augmented(built), _update(built)
  still = jax.tree.map(jnp.zeros_like, training.state.params)
  in_step = {  # Parts of a step outside of the layers.
      'augment': _row(lambda: augmented(batch['image'], training.state)),
      'update': _row(lambda: training.take(update, still))}
  for row in (others | in_step).values():
    row.warm_up()
  rows: dict[str, Any] = {STEP: whole_step} | others
  turns.take_turns(rows | in_step, {
      name: PLAIN_ROUNDS if name in (PLAIN_FORM, AS_IT_COMES) else ROUNDS
      for name in rows | in_step}, 'rows')
  batches.close()
  if plain:
    rows[AS_IT_COMES].close()

  batch_size = settings.optimizer.batch_size
  result = {
    'machine': bench_result.describe_environment(),
    'network': settings.config['model']['name'],
    'batch_size': batch_size,
    **bench_result.describe_mesh(built),
    'rows': bench_result.speeds(
      rows, batch_size, describe.layer_rows(built.model, built.num_classes)
    ),
    'compile_seconds': compile_seconds,
    'memory': memory_used,
    'layers': bench_result.layers(
      built,
      training.state.variables,
      patches,
      in_step,
      whole_step,
      LAYER_ROUNDS,
      LAYER_TURN_SECONDS,
    ),
    'exchange': bench_result.exchange(compiled, built, batch_size),
    'input': bench_result.input_forms(
      source, settings.data.image_size, LAYER_ROUNDS
    ),
  }
  _tell(result, out, trace)
  return result


def bench_chip(settings: Settings, chip: str, out: str = '') -> dict[str, Any]:
  """Compiles for a chip; prints tables and one line of JSON.

  Without the data set the network has the paper's 1000 classes.

  Args:
    settings: the experiment.
    chip: the chip, as `chips.parse` reads it.
    out: the file for the line of JSON; '' for none.

  Returns:
    The results, as in the line of JSON.

  Raises:
    InputError: there is no such chip or no compiler for it, the file cannot be
      written, or `experiment.build` rejects the settings.
  """
  target = chips.parse(chip)
  _make_places(out, '')
  # A plugin would look for its chips.
  jax.config.update(
      'jax_platforms', jax.config.values['jax_platforms'] or 'cpu')
  try:
    source = settings.open_split('train')
    num_classes, num_examples = len(source.class_names), len(source)
  except InputError:
    num_classes, num_examples = PAPER_CLASSES, PAPER_EXAMPLES
  result = compiled_for.examine(settings, target, num_classes, num_examples)
  _tell_json(chip_text.as_text(result), result, out)
  return result


def _row(work: Callable[[], Any]) -> Row:
  return Row(work, TURN_SECONDS)


def _make_places(out, trace) -> None:
  if os.path.isdir(os.path.expanduser(out)):
    raise InputError(f'--out={out} is a folder: give the name of a file in it,'
                     f' such as {os.path.join(out, "bench.json")}.')
  for flag, value, folder in (('out', out, os.path.dirname(out)),
                              ('trace', trace, trace)):
    try:
      os.makedirs(os.path.expanduser(folder) or '.', exist_ok=True)
    except OSError as error:
      raise InputError(
          f'--{flag}={value} cannot be written, since {folder} cannot be a'
          f' folder ({error.strerror}): give another place.') from error


# --- Other work that is timed -------------------------------------------------


def _central_patches(built, batch, pixels):
  side = batch['image'].shape[1]
  [view] = augment.test_crops(side, built.model.patch, 1)

  def cut(images):
    return augment.subtract_mean(
        augment.cut_crop(images, view, built.model.patch), pixels)

  return jax.jit(cut)(batch['image'])


def _augmented(built):
  """Returns f(images, state) -> patches, as the training step makes them."""
  augmentation, seed = built.settings.augmentation, built.settings.seed

  def augmented(images, state):
    crop, jitter = (
        rng.per_example(rng.stream(seed, name, state.step), len(images),
                        shared_by)
        for name, shared_by in (('crop', augmentation.share_crops),
                                ('jitter', 1)))
    return step.augment_batch(
      images,
      state.input_stats,
      augmentation,
      jnp.int32(1),
      built.mesh,
      crop,
      jitter,
    )

  return jax.jit(augmented)


def _update(built):
  """Returns f(state, gradients) -> (state, ()): the update rule alone."""
  shardings = jax.tree.map(lambda leaf: leaf.sharding,
                       built.state_shapes())

  def update(state, grads):
    return step.update(
        state, grads, built.optimizer, Rates(), built.length), ()

  return jax.jit(update, donate_argnums=0, out_shardings=(shardings, ()))


# --- Results ------------------------------------------------------------------


def _record(folder, row) -> None:
  """Records a profile of two steps."""
  with jax.profiler.trace(os.path.expanduser(folder),
                          create_perfetto_trace=True):
    for _ in range(2):
      row.once()


def _tell(result, out, trace) -> None:
  """Prints tables, then one line of JSON, which also goes into the file."""
  text = bench_text.as_text(result)
  if trace:
    text += (f'\n\nTwo steps are recorded below {printable(trace)}: open'
             ' perfetto_trace.json.gz at https://ui.perfetto.dev, or the folder'
             ' with xprof.')
  _tell_json(text, result, out)


def _tell_json(text, result, out) -> None:
  print(text)
  line = json.dumps(result)
  if out:
    with open(os.path.expanduser(out), 'w', encoding='utf-8') as file:
      file.write(line + '\n')
  print(line)
