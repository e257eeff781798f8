"""Training an auto-encoder: a run whose examples are features (6.1).

It is taken by the same loop, with the same update, journal and checkpoints as
a network's run, and resumes as exactly.
"""

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from jax.sharding import SingleDeviceSharding
from ml_collections import ConfigDict
from tqdm import tqdm

from alexnet_jax.analysis import autoencoder, hamming
from alexnet_jax.analysis.autoencoder import Autoencoder, Standard
from alexnet_jax.analysis.features import Features
from alexnet_jax.data import loader
from alexnet_jax.errors import InputError
from alexnet_jax.learning import metrics, optimizer, step
from alexnet_jax.learning.step import State
from alexnet_jax.run import checkpoint, loop
from alexnet_jax.run.checkpoint import About
from alexnet_jax.run.journal import Journal
from alexnet_jax.run.loop import Pace
from alexnet_jax.run.preemption import Stop
from alexnet_jax.run.watch import Diverged, Watch

# An auto-encoder goes on only where all this is the same.
IDENTITY = ('code', 'features', 'optimizer', 'seed')


class Compressor(NamedTuple):
  """A trained auto-encoder."""

  model: Autoencoder
  params: Any
  standard: Standard
  loss: float  # mean squared error of standardised validation features


# --- The run ------------------------------------------------------------------


def train(config: ConfigDict, bits: int, training: Features,
          validation: Features, standard: Standard,
          workdir: str) -> Compressor | None:
  """Trains to the end of the config, from the newest checkpoint if any.

  Args:
    config: as in configs/codes.py.
    bits: of a code.
    training: features to learn from.
    validation: features to judge by, which changes nothing.
    standard: of the training features.
    workdir: where this run lives.

  Returns:
    The auto-encoder, or None when the run was asked to stop before its end.

  Raises:
    InputError: the workdir holds another auto-encoder, or the loss is not
      finite any more.
  """
  must_go_on(config, bits, training, workdir)
  o, run = config.optimizer, config.run
  model = autoencoder.build(
      training.about['dimension'], config.code.sizes, bits)
  rule = optimizer.momentum_sgd(o.momentum, o.weight_decay)
  steps_per_epoch, total_steps = count_steps(config, training)
  evaluation_step = make_evaluation_step(model)
  about = About(settings(config, bits, training), training.class_names,
                training.about['count'])
  new_state = functools.partial(
      step.new_state, model, rule, config.seed, o.learning_rate, standard)

  with checkpoint.open_manager(workdir, run.keep) as manager:
    state, about = _first_state(new_state, manager, about)
    start = int(state.step)
    bar = tqdm(total=total_steps * o.batch_size, initial=start * o.batch_size,
               unit=' images', unit_scale=True, dynamic_ncols=True,
               desc=f'{bits} bits', disable=None)
    # No command, or --task=report would take it for a network's run.
    journal = Journal(workdir, about.config, start, total_steps, '', bar)
    if 0 < start < total_steps:
      journal.say(f'{bits} bits: going on from step {start} of {total_steps}.')

    def judge(state, at):
      loss = loss_of(evaluation_step, state, validation, o.batch_size)
      journal.errors('validation', at, {'loss': loss})
      return state, None

    stop = Stop(manager)
    try:
      state, ended = loop.run(
          state,
          make_train_step(model, rule, o.target_factor, steps_per_epoch,
                          total_steps),
          loader.train_batches(
              Examples(training.vectors), batch_size=o.batch_size,
              seed=config.seed, step=start),
          judge,
          Pace(total_steps, run.evaluate_every or steps_per_epoch,
               run.save_every or steps_per_epoch, run.log_every),
          about=about, manager=manager, journal=journal, stop=stop,
          # There are no classes, so no loss to be stuck at.
          watch=Watch(2, 0, journal.say))
      if not ended:
        journal.say(f'Asked to stop: saved step {int(state.step)}; the same'
                    ' command goes on from there.')
        return None
      manager.wait_until_finished()
      stop.exit_when_asked()
      loss = loss_of(evaluation_step, state, validation, o.batch_size)
      journal.errors('test', int(state.step), {'loss': loss})
      return Compressor(model, state.params, state.pixels, loss)
    except Diverged as end:
      what = str(end).partition(':')[0]
      raise InputError(
          f'{workdir}: {what}: give a lower config.optimizer.learning_rate, and'
          ' remove that folder.') from end
    finally:
      stop.uninstall()
      journal.close()
      bar.close()


def count_steps(config: ConfigDict, training: Features) -> tuple[int, int]:
  """(in an epoch, in the whole run).

  Raises:
    InputError: there are none.
  """
  batch, count = config.optimizer.batch_size, training.about['count']
  if count < batch:
    raise InputError(
        f'config.optimizer.batch_size={batch} is more than the {count} training'
        ' images that have features: give a smaller batch, or features of more'
        ' images.')
  total_steps = int(config.run.epochs * (count // batch))
  if not total_steps:
    raise InputError(
        f'config.run.epochs={config.run.epochs} of {count // batch} steps each'
        ' make no step: give more epochs.')
  return count // batch, total_steps


def settings(config: ConfigDict, bits: int,
             training: Features) -> dict[str, Any]:
  """What is written down of one auto-encoder: its config, and whose features.

  These are told apart by what they are, not by where they lie.
  """
  about = training.about
  return {
      **config.to_dict(),
      'code': {'bits': bits, 'sizes': config.code.sizes},
      'features': {
          'count': about['count'], 'dimension': about['dimension'],
          'network': f'step {about["step"]}, saved at {about["saved"]}'}}


def must_go_on(config: ConfigDict, bits: int, training: Features,
               workdir: str) -> None:
  """Raises InputError if a workdir holds another auto-encoder than this."""
  if not checkpoint.exists(workdir):
    return
  with checkpoint.open_to_read(workdir) as manager:
    kept = checkpoint.about(manager, manager.latest_step())
  # Through JSON and back, so that tuples and lists compare as equal.
  here = json.loads(json.dumps(settings(config, bits, training)))
  difference = checkpoint.first_difference(kept.config, here, IDENTITY)
  if difference:
    field, theirs, ours = difference
    raise InputError(
        f'{workdir} holds an auto-encoder with {field}={theirs!r} and now it is'
        f' {ours!r}: remove that folder to have it trained anew, or give the'
        ' same again.')


def _first_state(new_state: Callable[[], State], manager,
                 about: About) -> tuple[State, About]:
  """The newest checkpoint, or a new state; what lies beside it."""
  newest = manager.latest_step()
  if newest is None:
    return new_state(), about
  home = SingleDeviceSharding(jax.devices()[0])
  shapes = jax.tree.map(
      lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=home),
      jax.eval_shape(new_state))
  return (checkpoint.restore(manager, newest, shapes), about._replace(
      unlogged=checkpoint.about(manager, newest).unlogged))


# --- The steps ----------------------------------------------------------------


def make_train_step(
    model: Autoencoder,
    rule: optax.GradientTransformationExtraArgs,
    target_factor: float,
    steps_per_epoch: int,
    total_steps: int,
) -> Callable[[State, dict], tuple[State, dict]]:
  """Returns step(state, batch) -> (state, loss); the state is given up.

  Args:
    model: the auto-encoder.
    rule: how gradients move it.
    target_factor: the learning rate falls in a straight line to one such part.
    steps_per_epoch: steps in one cycle through the features.
    total_steps: steps in the whole run.
  """
  rates = functools.partial(
      optimizer.rates, schedule='linear', target_factor=target_factor)

  def train_step(state, batch):
    x = autoencoder.standardised(batch['features'], state.pixels)

    def loss_fn(params):
      loss = autoencoder.errors(model, params, x).mean()
      return loss, {'loss': loss}

    grads, measured = jax.grad(loss_fn, has_aux=True)(state.params)
    epoch = 1 + state.step // steps_per_epoch
    return step.update(state, grads, rule, rates, epoch, total_steps), measured

  return jax.jit(train_step, donate_argnums=0)


def make_evaluation_step(model: Autoencoder) -> Callable[..., metrics.Sums]:
  """Returns f(params, standard, batch) -> sums over the valid features."""

  def evaluation_step(params, standard, batch):
    x = autoencoder.standardised(batch['features'], standard)
    valid = batch['valid'].astype(x.dtype)
    losses = autoencoder.errors(model, params, x) * valid
    return {'loss': (losses.sum(), valid.sum())}

  return jax.jit(evaluation_step)


def loss_of(evaluation_step: Callable[..., metrics.Sums], state: State,
            features: Features, batch_size: int) -> float:
  """The mean loss of all the features."""
  sums = None
  for batch in loader.evaluation_batches(
      Examples(features.vectors), batch_size=batch_size):
    sums = metrics.add(sums, evaluation_step(
        state.params, state.pixels, batch))
  return metrics.means(sums)['loss']


# --- Features, to and fro -----------------------------------------------------


class Examples:
  """Features as the loader reads them, one by one."""

  def __init__(self, vectors: Sequence[np.ndarray]):
    """Takes shards [n, D], of which only the last may be shorter."""
    self._vectors = vectors

  def __len__(self) -> int:
    return sum(len(part) for part in self._vectors)

  def __getitem__(self, i: int) -> dict[str, np.ndarray]:
    part, row = divmod(i, len(self._vectors[0]))
    return {'features': np.array(self._vectors[part][row])}


def standard_of(vectors: Sequence[np.ndarray]) -> Standard:
  """Mean of each number and the root of the mean variance: [n, D] each.

  Raises:
    InputError: all features are the same.
  """
  count = sum(len(part) for part in vectors)
  mean = sum(part.sum(0, dtype=np.float64) for part in vectors) / count
  mean = mean.astype(np.float32)
  variance = sum(np.square(part - mean).sum(dtype=np.float64)
                 for part in vectors) / (count * len(mean))
  if not variance > 0:
    raise InputError('the features of all training images are the same: train'
                     ' the network longer, then make its features anew.')
  return Standard(mean, np.float32(np.sqrt(variance)))


def packed_codes(bits_of: Callable[[jax.Array], jax.Array],
                 vectors: Sequence[np.ndarray], batch_size: int,
                 title: str) -> np.ndarray:
  """The codes of all features, packed: uint32 [N, bits / 32].

  Args:
    bits_of: features [B, D] -> bool [B, bits].
    vectors: shards [n, D].
    batch_size: B.
    title: of the progress bar.
  """
  parts = []
  with tqdm(total=sum(map(len, vectors)), desc=title, unit=' images',
            leave=False, dynamic_ncols=True, disable=None) as bar:
    for batch in loader.evaluation_batches(
        Examples(vectors), batch_size=batch_size):
      found = np.asarray(bits_of(batch['features']))[batch['valid']]
      parts.append(hamming.pack(found))
      bar.update(len(found))
  return np.concatenate(parts)
