"""The training loop: applies a pure step to each batch and saves states."""

import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import jax
import orbax.checkpoint as ocp

from alexnet_jax.data import loader
from alexnet_jax.learning.step import Measured, State
from alexnet_jax.run import checkpoint
from alexnet_jax.run.checkpoint import Metadata
from alexnet_jax.run.journal import Journal, SilentJournal
from alexnet_jax.run.preemption import StopRequest
from alexnet_jax.run.watch import LossMonitor, check_finite

# (state, step) -> the state and, if checkpoints are ranked, the validation
# errors, otherwise None. The function itself writes to the journal.
Validate = Callable[[State, int], tuple[State, dict[str, float] | None]]

# The summary gives advice if waiting for data takes this share of this time.
SLOW_DATA_SHARE, SLOW_DATA_SECONDS = 0.1, 60.0


class Cadence(NamedTuple):
  """When a run validates, saves, logs and ends, in steps."""

  total: int  # the last step
  evaluate_every: int
  save_every: int
  log_every: int
  until_error: float = 0.0  # top-1 training error at which to end early
  patience: int = 0  # validations without a new best before the end; 0: any


class Session(NamedTuple):
  """The outputs, stop signal and loss monitor of a run."""

  metadata: Metadata  # saved with the state
  manager: ocp.CheckpointManager
  journal: Journal | SilentJournal
  stop: StopRequest
  monitor: LossMonitor
  # (rate before schedules and drops, step) -> learning rate of the kernels.
  kernel_rate: Callable[[float, int], jax.Array]


def run(
    state: State,
    train_step: Callable[[State, dict], tuple[State, Measured]],
    batches: loader.Batches,
    validate: Validate,
    cadence: Cadence,
    session: Session,
) -> tuple[State, bool]:
  """Trains from `state` to the end of the run, or until a stop is requested.

  The order of operations makes resuming exact: validate, save, get the next
  batch, step. A checkpoint is saved after the validation of its step, so a
  resumed run does not validate that step twice. The data position is the step
  itself, so it always agrees with the state. Early stopping counts validations
  in the metadata of the checkpoints.

  Args:
    state: state before the first step; it is donated.
    train_step: (state, batch) -> (state, measurements including 'loss').
    batches: batches from that step on; closed at the end.
    validate: function called at each validation.
    cadence: when to validate, save, log and end.
    session: checkpoints, journal, signals and the loss monitor.

  Returns:
    The last state, and whether the run has reached its end.

  Raises:
    InputError: a loss or a parameter is not finite.
  """
  metadata, manager, journal, stop, *_ = session
  start, total, ended = int(state.step), cadence.total, True
  timer = WaitTimer()
  metrics = DelayedMetrics(session, cadence.log_every, timer)
  metrics.base_rate = float(state.learning_rate)

  for step in range(start, total + 1):
    low_enough = metrics.error < cadence.until_error
    ended = step == total or low_enough or is_stale(metadata, cadence)
    errors, leave = None, ended or stop.requested(step)
    if step > start:
      if low_enough or is_due(step, cadence.evaluate_every, total):
        metrics.flush()
        state, errors = validate(state, step)
        metrics.base_rate = float(state.learning_rate)
        if errors:
          metadata = with_validation(metadata, step, errors['top1_error'])
          ended = ended or is_stale(metadata, cadence)
          leave = leave or ended
      if errors or leave or is_due(step, cadence.save_every, total):
        metrics.flush()
        check_finite(state.params, step, manager.latest_step())
        checkpoint.save(
            manager, step, state,
            metadata._replace(unlogged=metrics.unlogged), errors)
    if leave:
      break
    # Implicit copies from the device to the host raise an error.
    with jax.transfer_guard_device_to_host('disallow'):
      timer.before_batch()
      batch = next(batches)
      timer.after_batch()
      # Asked for later, it would wait for the step to end.
      rate = metrics.rate_of(step + 1)
      state, measured = train_step(state, batch)
      if step == start:  # compiles, which is no part of the time of a step
        session.kernel_rate(metrics.base_rate, step)
      # The device computes this step while the loss of the last one is read.
      metrics.add(step + 1, measured, rate)
      timer.after_step()
    journal.tick()
  metrics.flush()
  batches.close()
  if timer.steps > 0:
    on_device = metadata.config.get('run', {}).get('hold_data', False)
    journal.say(timer.summary(on_device))
  if is_stale(metadata, cadence) and int(state.step) < total:
    journal.say(
        f'Ended at step {int(state.step)} of {total}, as {metadata.waited}'
        ' validations in a row were no better than the top-1 error of'
        f' {metadata.best_error:.1%} at step {metadata.best_step}'
        ' (config.run.patience). The final test is of the last step;'
        ' --checkpoint=best is the best one.')
  return state, ended


def with_validation(metadata: Metadata, step: int, error: float) -> Metadata:
  """Counts a validation for early stopping.

  Args:
    metadata: the metadata before the validation.
    step: the step that was validated.
    error: its top-1 error.
  """
  best = metadata.best_error
  if best is None or error < best:
    return metadata._replace(best_error=error, best_step=step, waited=0)
  return metadata._replace(waited=metadata.waited + 1)


def is_stale(metadata: Metadata, cadence: Cadence) -> bool:
  """Returns whether the patience of a run has come to its end."""
  return 0 < cadence.patience <= metadata.waited


class WaitTimer:
  """Measures how long a run waits for data and for the device.

  The first step is excluded because it includes compilation and has no
  prefetched batch.
  """

  def __init__(self):
    self.steps = -1  # number of measured steps
    self.data = self.device = 0.0  # seconds
    self._since = 0.0
    self._told = (0, 0.0, 0.0)  # steps and seconds when the pace was last told

  def before_batch(self) -> None:
    """Marks the start of a step."""
    self._since = time.perf_counter()

  def after_batch(self) -> None:
    """Marks the time at which the batch is available."""
    self.data += self._lap()

  def after_step(self) -> None:
    """Marks the time at which the previous step has finished."""
    self.device += self._lap()
    self.steps += 1

  def _lap(self):
    since, self._since = self._since, time.perf_counter()
    return self._since - since if self.steps >= 0 else 0.0

  def pace(self) -> dict[str, float]:
    """Returns seconds per step since the last call, and the share of waiting.

    Returns:
      {'step_seconds', 'waiting'}; {} if no step was measured since then.
    """
    before, self._told = self._told, (self.steps, self.data, self.device)
    steps, data, device = (
        now - then for now, then in zip(self._told, before, strict=True))
    if steps <= 0 or data + device <= 0:
      return {}
    return {'step_seconds': (data + device) / steps,
            'waiting': data / (data + device)}

  def summary(self, on_device: bool = False) -> str:
    """Summarizes the waiting times, with advice if data slowed a long run.

    Args:
      on_device: whether all data is on the device, where no advice helps.
    """
    total = self.data + self.device
    share = self.data / total
    slow = (not on_device and share >= SLOW_DATA_SHARE
            and total >= SLOW_DATA_SECONDS)
    advice = (': try more decoding threads or workers (--config.run.threads,'
              ' --config.run.workers), or keep the data on the device'
              ' (--config.run.hold_data)') if slow else ''
    return (f'{self.steps} steps took {total:.1f} s: {self.data:.1f} s'
            f' ({share:.1%}) waiting for data, {self.device:.1f} s for the'
            f' device{advice}.')


class DelayedMetrics:
  """Reads the measurements of a step while the device computes the next."""

  def __init__(self, session: Session, log_every: int, timer: WaitTimer):
    self.base_rate = 0.0  # learning rate before schedules and drops
    self.unlogged: list[dict[str, float]] = list(session.metadata.unlogged)
    self.error = 1.0  # mean top-1 training error of the last log line
    self._session = session
    self._log_every = log_every
    self._timer = timer
    self._pending: tuple[int, Measured, jax.Array | None] | None = None

  def rate_of(self, step: int) -> jax.Array | None:
    """Returns the learning rate of a step that is logged, otherwise None."""
    if step % self._log_every:
      return None
    return self._session.kernel_rate(self.base_rate, step - 1)

  def add(self, step: int, measured: Measured,
          rate: jax.Array | None) -> None:
    """Adds the measurements of a step and reads those of the previous one.

    Args:
      step: the step.
      measured: its measurements.
      rate: the result of `rate_of`.
    """
    self.flush()
    self._pending = (step, measured, rate)

  def flush(self) -> None:
    """Reads the pending measurements.

    Raises:
      InputError: a loss is not finite.
    """
    if self._pending is None:
      return
    step, measured, rate = self._pending
    self._pending = None
    values = {k: float(v) for k, v in jax.device_get(measured).items()}
    self._session.monitor.observe(
        step, values['loss'], self._session.manager.latest_step())
    self.unlogged.append(values)
    if rate is not None:
      means = {name: statistics.fmean(m[name] for m in self.unlogged)
               for name in values}
      self._session.journal.train(step, means, {
          'learning_rate': float(jax.device_get(rate)), **self._timer.pace()})
      self.error = means.get('top1_error', 1.0)  # none for an auto-encoder
      self.unlogged = []


def is_due(step: int, every: int, total: int) -> bool:
  """Returns whether a periodic action is due; it is always due at the end.

  Args:
    step: the step.
    every: period in steps.
    total: the last step of the run.
  """
  return step % every == 0 or step == total
