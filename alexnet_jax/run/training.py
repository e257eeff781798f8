"""Trains a network: first state, validations and final test."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils
from tqdm import tqdm

from alexnet_jax.data import statistics
from alexnet_jax.data.decoding import UnreadablePicture
from alexnet_jax.data.sources import Source, notes_of
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment
from alexnet_jax.learning.learning_rate import kernel_rate
from alexnet_jax.learning.plateau import update_plateau
from alexnet_jax.learning.step import State
from alexnet_jax.network import classifier, full_layers
from alexnet_jax.network.classifier import Model
from alexnet_jax.run import (
  checkpoint,
  compiling,
  evaluation,
  experiment,
  fine_tune,
  memory,
  processes,
  session,
  skipped,
  stored_config,
)
from alexnet_jax.run.checkpoint import Metadata
from alexnet_jax.run.experiment import Experiment
from alexnet_jax.run.loop import Cadence
from alexnet_jax.run.session import Plan
from alexnet_jax.run.skipped import ReadableSplits
from alexnet_jax.run.typed_config import Settings


def train(settings: Settings, workdir: str, *, init_from: str = '',
          command: str = '', bar: tqdm | None = None,
          draw: Callable[[str], object] = lambda workdir: None
          ) -> dict[str, float]:
  """Trains a network to its end, from the newest checkpoint if there is one.

  Args:
    settings: the experiment.
    workdir: folder of the run.
    init_from: a workdir or a weights file with the initial parameters.
    command: the command line of this run, stored with it.
    bar: a progress bar shared by several runs; None creates a new one.
    draw: draws the curves of a workdir, after each validation and at the end.

  Returns:
    The errors of the final test with one crop and with config.run.views crops,
    or {} if a signal stopped the run before its end.

  Raises:
    InputError: an input is invalid; the message says which.
  """
  sound = skipped.leave_out(
      settings, settings.open_split('train'),
      settings.open_split('validation'), workdir, is_first_process())
  source, validation = sound.train, sound.validation
  processes.check_same_data(source)
  if not len(validation):
    raise InputError(
        'there are no validation pictures, and every run is validated: add'
        ' pictures, so that each class has two or more, or a folder of'
        ' validation pictures.')
  built = experiment.build(settings, len(source.class_names), len(source))
  memory.check(built, len(source))
  train_step = compiling.CompiledAhead(
      built.train_step(class_weights(settings, source)))
  evaluation_step = built.evaluation_step(1)

  def compile_ahead():
    train_step.begin(built.state_shapes(), built.batch_shapes())

  def start(manager):
    state, origin = _first_state(
        built, manager, sound, workdir, init_from, compile_ahead)
    # Runs that share a bar share the data too.
    notes = () if bar is not None else notes_of(source, validation)
    return state, '\n'.join((*notes, origin))

  def after_validation(state, errors):
    return _lower_rate_on_plateau(built, state, errors)

  try:
    ended = session.run(
        Plan(
            Metadata(settings.config, tuple(source.class_names), len(source),
                     data_fingerprint=skipped.fingerprint(sound)),
            cadence(settings, built.length), settings.run.keep, start,
            train_step,
            lambda step: built.device_batches(source, step),
            lambda state: evaluation.errors_of(
                evaluation_step, built, state, validation, 'validation'),
            lambda state: evaluation.final_errors(
                built, state, validation, one_crop=evaluation_step),
            after_validation, rank_checkpoints=True,
            kernel_rate=lambda rate, step: kernel_rate(
                settings.optimizer.rates, rate, step, built.length),
            num_classes=built.num_classes, stall_steps=settings.run.stall_steps,
            command=command,
            kernels=lambda state: first_kernels(built.model, state),
            draw=lambda: draw(workdir)),
        workdir, bar)
  except UnreadablePicture as error:
    raise skipped.add_to_list(error, sound, workdir) from error
  return ended[1] if ended else {}


def cadence(settings: Settings, length: experiment.Length) -> Cadence:
  """Returns when a run validates, saves (default: every epoch) and logs."""
  run = settings.run
  return Cadence(
      length.total_steps, run.evaluate_every or length.steps_per_epoch,
      run.save_every or length.steps_per_epoch, run.log_every, run.until_error,
      run.patience)


def first_kernels(model: Model, state: State) -> np.ndarray | None:
  """Returns the kernels of the first layer on the host, or None.

  All processes have to call it: see `classifier.first_kernels`.
  """
  kernels = classifier.first_kernels(model, state.params)
  if kernels is None or kernels.is_fully_addressable:
    return jax.device_get(kernels)
  return multihost_utils.process_allgather(kernels, tiled=True)


def class_weights(settings: Settings, source: Source) -> np.ndarray | None:
  """Returns the factors of the training loss, float32 [classes], or None.

  Raises:
    InputError: the labels of the training examples cannot be read.
  """
  if not settings.optimizer.class_weights:
    return None
  return statistics.balanced_class_weights(source)


def devices_in_words(built: Experiment) -> str:
  """Describes the devices, as in 'Running on 2 devices (TPU v3).'.

  If some are idle it says so, and what would use them.
  """
  used, available = built.mesh.devices.size, len(jax.devices())
  kind = jax.devices()[0].device_kind
  if used == available:
    count = 'one device' if used == 1 else f'{used} devices'
    return f'Running on {count} ({kind}).'
  said = (f'Running on {used} of {available} devices ({kind}) while the rest is'
          ' idle')
  data, column = built.mesh.devices.shape
  optimization = built.settings.optimizer
  divided = built.settings.mesh.full_layers == 'model'
  for shards in range(available // column, data, -1):
    if (optimization.batch_size % (shards * optimization.accumulate) == 0
        and (not divided or full_layers.can_divide(built.model, shards))):
      return (f'{said}: config.mesh.data={shards} would use'
              f' {"all" if shards * column == available else shards * column}.')
  return (f'{said}: no larger config.mesh.data divides the batch'
          + ' and the full layers' * divided + '.')


def _lower_rate_on_plateau(built: Experiment, state: State,
                           errors: dict[str, float]) -> State:
  """Applies the plateau rule to a validation error, if it is enabled."""
  rule = built.settings.optimizer.plateau
  if rule is None:
    return state
  plateau, learning_rate = update_plateau(
      state.plateau, state.learning_rate, jnp.float32(errors['top1_error']),
      rule)
  shardings = jax.tree.map(lambda x: x.sharding,
                           (state.plateau, state.learning_rate))
  plateau, learning_rate = jax.device_put((plateau, learning_rate), shardings)
  return state._replace(plateau=plateau, learning_rate=learning_rate)


def _first_state(
    built: Experiment, manager: ocp.CheckpointManager, sound: ReadableSplits,
    workdir: str, init_from: str, when_checked: Callable[[], object]
) -> tuple[State, str]:
  """Returns the newest or a new state, and a sentence that says its origin.

  Args:
    built: the experiment.
    manager: checkpoint manager of the workdir.
    sound: the data.
    workdir: folder of the run.
    init_from: a workdir or a file with the initial parameters, or ''.
    when_checked: called if there are steps to be made, when all but the
      pictures themselves has been checked.
  """
  source = sound.train
  newest = manager.latest_step()
  devices = devices_in_words(built)
  if newest is None:
    pixels = statistics.statistics(source)
    if not init_from:
      when_checked()
    state = built.new_state(augment.pixel_stats(
        pixels.mean, pixels.covariance,
        built.settings.augmentation.mean_pixel))
    if not init_from:
      return state, devices
    variables, origin = fine_tune.start_from(
        init_from, built.model, state.variables, source.class_names)
    when_checked()
    params, batch_stats = classifier.split(variables)
    return (state._replace(params=params, batch_stats=batch_stats),
            f'{devices} {origin}')
  saved = checkpoint.read_metadata(manager, newest)
  stored_config.check_same_experiment(
      workdir, saved.config, built.settings.config)
  evaluation.check_classes(source, saved.class_names, workdir)
  _check_same_data(saved, sound, workdir)
  state = checkpoint.restore(manager, newest, built.state_shapes())
  if newest < built.length.total_steps:
    when_checked()
  return state, (f'{devices} Going on from step {newest} of'
                 f' {built.length.total_steps}.')


def _check_same_data(saved: Metadata, sound: ReadableSplits,
                     workdir: str) -> None:
  """Checks that a run goes on with its data, but for damaged pictures."""
  count, ours = len(sound.train), skipped.fingerprint(sound)
  if saved.data_fingerprint and ours:
    same = saved.data_fingerprint == ours
  else:  # of a version before 1.1, or data without files
    same = not saved.train_examples or (
        0 <= saved.train_examples - count <= len(skipped.listed_files(sound)))
  if same:
    return
  if saved.train_examples != count:
    raise InputError(
        f'--workdir={workdir} was trained on {saved.train_examples} examples'
        f' and config.data gives {count}: give the same data, or another'
        ' --workdir.')
  raise InputError(
      f'--workdir={workdir} was trained on other data than those in'
      f' config.data.path={sound.roots[0]}, though on as many examples: give'
      ' the same data, or another --workdir.')


def is_first_process() -> bool:
  """Returns whether this process prints and writes for all processes."""
  return jax.process_index() == 0
