"""--task=train: a run is a fold of a pure step over batches."""

import jax
from ml_collections import ConfigDict
from tqdm import tqdm

from alexnet_jax.data import statistics as pixel_statistics
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment
from alexnet_jax.learning.optimizer import judge
from alexnet_jax.learning.step import State
from alexnet_jax.run import checkpoint, evaluation, experiment, loop
from alexnet_jax.run.checkpoint import About
from alexnet_jax.run.experiment import Experiment
from alexnet_jax.run.fine_tune import start_from
from alexnet_jax.run.journal import Journal, Silent
from alexnet_jax.run.loop import Pace
from alexnet_jax.run.preemption import Stop
from alexnet_jax.run.watch import Watch


def train(config: ConfigDict, workdir: str, *, init_from: str = '',
          command: str = '', bar: tqdm | None = None) -> dict[str, float]:
  """Trains to the end of the config, from the newest checkpoint if any.

  Args:
    config: the experiment.
    workdir: where the run lives.
    init_from: a workdir or an .npz file with the parameters to start from.
    command: the command line that makes this run, for the record.
    bar: of all the runs that this one is among; a run alone has its own.

  Returns:
    The errors of the last test with one patch and with config.run.views, or {}
    when the run was asked to stop before its end.

  Raises:
    InputError: anything given that cannot work; see the sentence.
  """
  source = experiment.open_split(config, 'train')
  validation = experiment.open_split(config, 'validation')
  built = experiment.build(config, len(source.class_names), len(source))
  with checkpoint.open_manager(workdir, config.run.keep) as manager:
    state, about, origin = _first_state(
        config, built, manager, source, workdir, init_from)
    start = int(state.step)
    journal = (
        Journal(workdir, config.to_dict(), start, built.total_steps, command,
                bar)
        if jax.process_index() == 0 else Silent())
    if origin:
      journal.say(origin)
    stop = Stop(manager)
    try:
      state, ended = _run(config, built, state, source, validation, manager,
                          about, journal, stop)
      if not ended:
        journal.say(f'Asked to stop: saved step {int(state.step)}; the same'
                    ' command goes on from there.')
        return {}
      manager.wait_until_finished()
      stop.exit_when_asked()
      errors = evaluation.test(config, built, state, validation)
      journal.errors('test', int(state.step), errors)
      return errors
    finally:
      stop.uninstall()
      journal.close()


def _run(config, built, state, source, validation, manager, about, journal,
         stop):
  """The loop over this experiment's batches; (the last state, has it ended)."""
  run = config.run
  validate = experiment.evaluation_step(config, built, 1)

  def judge(state, step):
    errors = evaluation.errors_of(validate, config, built, state, validation,
                                'validation')
    journal.errors('validation', step, errors)
    return _judge_plateau(config, state, errors), errors

  pace = Pace(
      built.total_steps, run.evaluate_every or built.steps_per_epoch,
      run.save_every or built.steps_per_epoch, run.log_every, run.until_error)
  return loop.run(
      state, experiment.train_step(config, built),
      experiment.device_batches(config, built, source, int(state.step)), judge,
      pace, about=about, manager=manager, journal=journal, stop=stop,
      watch=Watch(built.num_classes, run.stall_steps, journal.say))


def _judge_plateau(config: ConfigDict, state: State,
                   errors: dict[str, float]) -> State:
  """Lets the plateau rule see a validation error, where it is in force."""
  o = config.optimizer
  if not o.plateau:
    return state
  plateau, learning_rate = judge(
      state.plateau, state.learning_rate, jax.numpy.float32(
          errors['top1_error']),
      patience=o.plateau_patience, factor=o.plateau_factor,
      max_drops=o.plateau_drops)
  homes = jax.tree.map(lambda x: x.sharding,
                       (state.plateau, state.learning_rate))
  plateau, learning_rate = jax.device_put((plateau, learning_rate), homes)
  return state._replace(plateau=plateau, learning_rate=learning_rate)


def _first_state(
    config: ConfigDict, built: Experiment, manager, source: Source,
    workdir: str, init_from: str) -> tuple[State, About, str]:
  """The newest checkpoint, or a new state; what lies beside it; its origin."""
  about = About(config.to_dict(), source.class_names, len(source))
  newest = manager.latest_step()
  if newest is None:
    found = pixel_statistics.statistics(source)
    pixels = augment.pixels(found.mean, found.covariance)
    state, origin = experiment.new_state(config, built, pixels), ''
    if init_from:
      params, origin = start_from(
          init_from, built.model, state.params, source.class_names)
      state = state._replace(params=params)
    return state, about, origin
  kept = checkpoint.about(manager, newest)
  checkpoint.refuse_another(workdir, kept, about.config)
  evaluation.check_classes(source, kept.class_names, workdir)
  if kept.train_examples != about.train_examples:
    raise InputError(
        f'--workdir={workdir} was trained on {kept.train_examples} examples'
        f' and config.data gives {about.train_examples}: give the same data,'
        ' or another --workdir.')
  state = checkpoint.restore(
      manager, newest, experiment.state_shapes(config, built))
  return (state, about._replace(unlogged=kept.unlogged),
          f'Going on from step {newest} of {built.total_steps}.')
