"""Training an auto-encoder: a run whose examples are features (6.1).

The run is a session like that of a network, with the same update, journal and
checkpoints, and resumes as exactly.
"""

import functools
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import SingleDeviceSharding

from alexnet_jax.analysis import autoencoder, vectors
from alexnet_jax.analysis.autoencoder import Autoencoder, FeatureStats
from alexnet_jax.analysis.features import Features, layer_of
from alexnet_jax.data import loader
from alexnet_jax.errors import InputError
from alexnet_jax.learning import learning_rate, metrics, optimizer, step
from alexnet_jax.learning.learning_rate import Length, Rates
from alexnet_jax.learning.step import State
from alexnet_jax.run import checkpoint, experiment, session, stored_config
from alexnet_jax.run.checkpoint import Metadata
from alexnet_jax.run.loop import Cadence
from alexnet_jax.run.session import Plan
from alexnet_jax.run.walk import walk
from alexnet_jax.run.watch import Diverged

# Training of an auto-encoder resumes only if these fields are equal.
IDENTITY = ('code', 'features', 'optimizer', 'seed')


class CodeSettings(NamedTuple):
  """The settings of configs/codes.py, for codes of one length."""

  config: dict[str, Any]  # as stored in the checkpoint
  seed: int
  bits: int
  sizes: tuple[int, ...]  # neurons between features and code
  batch_size: int
  learning_rate: float
  momentum: float
  weight_decay: float
  target_factor: float  # initial / final rate of a linear decay
  epochs: float
  evaluate_every: int  # steps; 0: once an epoch
  save_every: int
  log_every: int
  keep: int  # number of latest checkpoints


class Compressor(NamedTuple):
  """A trained auto-encoder."""

  model: Autoencoder
  params: Any
  stats: FeatureStats
  loss: float  # mean squared error of standardized validation features


# --- The run ------------------------------------------------------------------


def train(settings: CodeSettings, training: Features, validation: Features,
          stats: FeatureStats, workdir: str,
          draw: Callable[[str], object] = lambda workdir: None
          ) -> Compressor | None:
  """Trains for all epochs, starting from the newest checkpoint if any.

  Args:
    settings: how to train the auto-encoder.
    training: features of the training set.
    validation: features of the validation set, used only to measure the loss.
    stats: statistics of the training features.
    workdir: directory of the run.
    draw: draws the curves of a workdir, after each validation and at the end.

  Returns:
    The auto-encoder, or None if a signal stopped the run before its end.

  Raises:
    InputError: the workdir contains another auto-encoder, or the loss is not
      finite.
  """
  check_resumable(settings, training, validation, workdir)
  model = autoencoder.build(
      training.index['dimension'], settings.sizes, settings.bits)
  rule = optimizer.momentum_sgd(settings.momentum, settings.weight_decay)
  length = count_steps(settings, training)
  evaluation_step = autoencoder.make_evaluation_step(model)
  new_state = functools.partial(
      step.new_state, model.init, rule, settings.seed, settings.learning_rate,
      stats)

  def errors(state):
    return {'loss': loss_of(evaluation_step, state, validation,
                            settings.batch_size)}

  def batches(at_step):
    return loader.train_batches(
        vectors.Examples(training.vectors), batch_size=settings.batch_size,
        seed=settings.seed, step=at_step)

  try:
    rates = Rates(schedule='linear', target_factor=settings.target_factor)
    ended = session.run(
        Plan(
            Metadata(written_config(settings, training, validation),
                     training.class_names, training.index['count']),
            Cadence(length.total_steps,
                    settings.evaluate_every or length.steps_per_epoch,
                    settings.save_every or length.steps_per_epoch,
                    settings.log_every),
            settings.keep,
            functools.partial(_first_state, new_state, settings.bits,
                              length.total_steps),
            autoencoder.make_train_step(model, rule, rates, length),
            batches, errors, errors, lambda state, errors: state,
            rank_checkpoints=False,
            kernel_rate=lambda rate, at: learning_rate.kernel_rate(
                rates, rate, at, length),
            draw=lambda: draw(workdir)),
        workdir)
  except Diverged as error:
    reason = str(error).partition(':')[0]
    raise InputError(
        f'{workdir}: {reason}: give a lower config.optimizer.learning_rate, and'
        ' remove that folder.') from error
  if ended is None:
    return None
  state, final = ended
  return Compressor(model, state.params, state.input_stats, final['loss'])


def count_steps(settings: CodeSettings, training: Features) -> Length:
  """Returns the number of steps per epoch and in the whole run.

  Raises:
    InputError: there are no steps.
  """
  return experiment.count_steps(
      settings.batch_size, settings.epochs, training.index['count'])


def written_config(settings: CodeSettings, training: Features,
                   validation: Features) -> dict[str, Any]:
  """Returns the stored config of an auto-encoder, with its `identity`."""
  return {
      **settings.config,
      'code': {'bits': settings.bits, 'sizes': settings.sizes},
      'features': identity(training, validation)}


def identity(training: Features, validation: Features) -> dict[str, Any]:
  """Returns what identifies features, whatever their folder.

  It is their network and the classes of their images, in their order.
  """
  index = training.index
  layer = layer_of(index)
  return {
      'count': index['count'], 'dimension': index['dimension'],
      'network': f'step {index["step"]}, saved at {index["saved"]}',
      'labels': _checksum(training, validation),
      **({'layer': layer} if layer else {})}


def _checksum(*splits):
  """Returns a number that differs for images of other classes, in hex."""
  crc = 0
  for features in splits:
    for part in (json.dumps(features.class_names).encode(),
                 np.asarray(features.labels, '<i4').tobytes()):
      crc = zlib.crc32(part, crc)
  return f'{crc:08x}'


def saved_config(workdir: str, ours: Mapping[str, Any]) -> dict[str, Any]:
  """Reads the config of an auto-encoder.

  Args:
    workdir: its workdir.
    ours: the `identity` of our features, whose labels are taken for an
      auto-encoder of a version that did not store them.
  """
  with checkpoint.open_to_read(workdir) as manager:
    saved = checkpoint.read_metadata(
        manager, checkpoint.find_step(manager, 'latest', workdir)).config
  features = saved.get('features')
  if isinstance(features, dict):
    saved['features'] = {'labels': ours['labels'], **features}
  return saved


def check_resumable(settings: CodeSettings, training: Features,
                    validation: Features, workdir: str) -> None:
  """Checks that a workdir has no auto-encoder or the same one.

  Args:
    settings: how to train the auto-encoder.
    training: features of the training set.
    validation: features of the validation set.
    workdir: directory of the run.

  Raises:
    InputError: the workdir contains another auto-encoder.
  """
  if not checkpoint.exists(workdir):
    return
  config = written_config(settings, training, validation)
  difference = stored_config.first_difference(
      saved_config(workdir, config['features']), config, IDENTITY)
  if difference:
    field, theirs, ours = difference
    raise InputError(
        f'{workdir} holds an auto-encoder with {field}={theirs!r}, not'
        f' {ours!r}: remove that folder to train it again, or give the same'
        ' value.')


def _first_state(new_state, bits, total_steps, manager):
  """Returns the newest checkpoint or a new state, and a message about it."""
  newest = manager.latest_step()
  if newest is None:
    return new_state(), f'Codes of {bits} bits.'
  sharding = SingleDeviceSharding(jax.devices()[0])
  shapes = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding),
      jax.eval_shape(new_state))
  return checkpoint.restore(manager, newest, shapes), (
      f'Codes of {bits} bits: going on from step {newest} of {total_steps}.')


def loss_of(evaluation_step: Callable, state: State, features: Features,
            batch_size: int) -> float:
  """Returns the mean loss over all features.

  Args:
    evaluation_step: what `autoencoder.make_evaluation_step` returns.
    state: training state of the auto-encoder.
    features: features of N images.
    batch_size: number of features per step.
  """
  return metrics.means(walk(
      lambda batch: evaluation_step(state.params, state.input_stats, batch),
      vectors.Examples(features.vectors), vectors.single_device_mesh(),
      batch_size=batch_size, title='validation'))['loss']
