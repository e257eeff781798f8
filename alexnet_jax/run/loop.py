"""The loop of a run: a fold of a pure step over batches, saved as it goes."""

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

# (state, step) -> the state and, where the best checkpoint is to be kept, the
# errors of a validation. It writes to the journal itself.
Validate = Callable[[State, int], tuple[State, dict[str, float] | None]]

# Waiting for data is worth advice where it costs this much.
SLOW_DATA_SHARE, SLOW_DATA_SECONDS = 0.1, 60.0


class Cadence(NamedTuple):
  """When a run does what, in steps."""

  total: int  # the last step
  evaluate_every: int
  save_every: int
  log_every: int
  until_error: float = 0.0  # a top-1 training error at which to end early


class Session(NamedTuple):
  """What a run writes to and listens to while it goes on."""

  metadata: Metadata  # saved beside the state
  manager: ocp.CheckpointManager
  journal: Journal | SilentJournal
  stop: StopRequest
  monitor: LossMonitor


def run(
    state: State,
    train_step: Callable[[State, dict], tuple[State, Measured]],
    batches: loader.Batches,
    validate: Validate,
    cadence: Cadence,
    session: Session,
) -> tuple[State, bool]:
  """Takes a run from `state` to its end, or to where it is asked to stop.

  The order makes resume exact: validate, save, take the next batch, step. A
  checkpoint is saved after the validation of its step, so a resumed run does
  not validate that step twice; and the data position is the step itself, so it
  can never run ahead of the state.

  Args:
    state: before the first step to take; it is donated.
    train_step: (state, batch) -> (state, measurements, 'loss' among them).
    batches: from that step on; closed at the end.
    validate: called when the cadence says so.
    cadence: when to do what.
    session: checkpoints, journal, signals and the loss monitor.

  Returns:
    The last state, and whether the run has reached its end.

  Raises:
    InputError: a loss or a parameter is not finite.
  """
  _, manager, journal, stop, _ = session
  start, total, ended = int(state.step), cadence.total, True
  metrics = DelayedMetrics(session, cadence.log_every)
  timer = WaitTimer()

  for step in range(start, total + 1):
    low_enough = metrics.error < cadence.until_error
    ended = step == total or low_enough
    errors, leave = None, ended or stop.requested(step)
    if step > start:
      if low_enough or is_due(step, cadence.evaluate_every, total):
        metrics.flush()
        state, errors = validate(state, step)
      if errors or leave or is_due(step, cadence.save_every, total):
        metrics.flush()
        check_finite(state.params, step, manager.latest_step())
        checkpoint.save(
            manager, step, state,
            session.metadata._replace(unlogged=metrics.unlogged), errors)
    if leave:
      break
    # No array is copied back from the device without an explicit request.
    with jax.transfer_guard_device_to_host('disallow'):
      timer.before_batch()
      batch = next(batches)
      timer.after_batch()
      state, measured = train_step(state, batch)
      # The device computes this step while the last one's loss is read.
      metrics.add(step + 1, measured)
      timer.after_step()
    journal.tick()
  metrics.flush()
  batches.close()
  if timer.steps > 0:
    journal.say(timer.summary())
  return state, ended


class WaitTimer:
  """Measures how long a run waits for data, and how long for the device.

  The first step is left out: it is compiled, and no batch was prefetched for
  it.
  """

  def __init__(self):
    self.steps = -1  # measured so far
    self.data = self.device = 0.0  # seconds
    self._since = 0.0

  def before_batch(self) -> None:
    """A step begins."""
    self._since = time.perf_counter()

  def after_batch(self) -> None:
    """The batch of the step is on its way to the device."""
    self.data += self._lap()

  def after_step(self) -> None:
    """The step is dispatched, and the one before it has finished."""
    self.device += self._lap()
    self.steps += 1

  def _lap(self):
    since, self._since = self._since, time.perf_counter()
    return self._since - since if self.steps >= 0 else 0.0

  def summary(self) -> str:
    """What the run waited for, with advice where data slowed a long run."""
    total = self.data + self.device
    share = self.data / total
    slow = share >= SLOW_DATA_SHARE and total >= SLOW_DATA_SECONDS
    advice = (': try more decoding threads or workers (--config.run.threads,'
              ' --config.run.workers), or keep the data on the device'
              ' (--config.run.hold_data)') if slow else ''
    return (f'{self.steps} steps took {total:.1f} s: {self.data:.1f} s'
            f' ({share:.1%}) waiting for data, {self.device:.1f} s for the'
            f' device{advice}.')


class DelayedMetrics:
  """Reads the measurements of a step while the next one is computed."""

  def __init__(self, session: Session, log_every: int):
    self.unlogged: list[dict[str, float]] = list(session.metadata.unlogged)
    self.error = 1.0  # mean top-1 training error of the last logged line
    self._session = session
    self._log_every = log_every
    self._pending: tuple[int, Measured] | None = None

  def add(self, step: int, measured: Measured) -> None:
    """Takes a step's measurements and reads those of the step before."""
    self.flush()
    self._pending = (step, measured)

  def flush(self) -> None:
    """Reads what is still pending.

    Raises:
      InputError: a loss is not finite.
    """
    if self._pending is None:
      return
    step, measured = self._pending
    self._pending = None
    values = {k: float(v) for k, v in jax.device_get(measured).items()}
    self._session.monitor.observe(
        step, values['loss'], self._session.manager.latest_step())
    self.unlogged.append(values)
    if step % self._log_every == 0:
      means = {name: statistics.fmean(m[name] for m in self.unlogged)
               for name in values}
      self._session.journal.train(step, means)
      self.error = means.get('top1_error', 1.0)  # an auto-encoder has none
      self.unlogged = []


def is_due(step: int, every: int, total: int) -> bool:
  """Whether something done every so many steps, and last, is done at a step.

  Args:
    step: the step.
    every: period in steps.
    total: the last step of the run.
  """
  return step % every == 0 or step == total
