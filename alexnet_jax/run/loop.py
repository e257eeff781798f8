"""The loop of a run: a fold of a pure step over batches, saved as it goes."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import orbax.checkpoint as ocp

from alexnet_jax.learning.step import State
from alexnet_jax.run import checkpoint
from alexnet_jax.run.checkpoint import About
from alexnet_jax.run.journal import Journal, Silent
from alexnet_jax.run.preemption import Stop
from alexnet_jax.run.watch import Watch, must_be_finite

Measured = dict[str, jax.Array]
Judge = Callable[[State, int], tuple[State, dict[str, float] | None]]


class Pace(NamedTuple):
  """When a run does what, in steps."""

  total: int  # where it ends
  evaluate_every: int
  save_every: int
  log_every: int
  until_error: float = 0.0  # a top-1 training error at which to end early


def run(
    state: State,
    train_step: Callable[[State, dict], tuple[State, Measured]],
    batches: Iterator[dict],
    judge: Judge,
    pace: Pace,
    *,
    about: About,
    manager: ocp.CheckpointManager,
    journal: Journal | Silent,
    stop: Stop,
    watch: Watch,
) -> tuple[State, bool]:
  """Takes a run from `state` to its end, or to where it is asked to stop.

  The order is the promise of exact resume: judge, save, advance, step. A
  checkpoint is saved after the judgement of its step, so a resumed run does not
  judge that step twice; and the data position is the step itself, so it can
  never run ahead of the state.

  Args:
    state: before the first step to take; it is given up.
    train_step: (state, batch) -> (state, measurements, of them one `loss`).
    batches: from that step on; closed at the end.
    judge: (state, step) -> the state and, where the best checkpoint is to be
      kept, the errors of a validation. It tells the journal by itself.
    pace: when to do what.
    about: what is saved beside the state.
    manager: of the checkpoints.
    journal: where to tell it.
    stop: who is asked before every step.
    watch: sees every loss.

  Returns:
    The last state, and whether the run has ended.

  Raises:
    InputError: a loss or a parameter is not finite.
  """
  start, total, ended = int(state.step), pace.total, True
  recent = Recent(watch, journal, manager, pace.log_every, about.unlogged)
  waited = Waited()

  for step in range(start, total + 1):
    low_enough = recent.error < pace.until_error
    ended = step == total or low_enough
    errors, leave = None, ended or stop.asked(step)
    if step > start:
      if low_enough or due(step, pace.evaluate_every, total):
        recent.settle()
        state, errors = judge(state, step)
      if errors or leave or due(step, pace.save_every, total):
        recent.settle()
        must_be_finite(state.params, step, manager.latest_step())
        checkpoint.save(manager, step, state,
                        about._replace(unlogged=recent.unlogged), errors)
    if leave:
      break
    # Nothing is copied back from the device without being asked for.
    with jax.transfer_guard_device_to_host('disallow'):
      waited.before_batch()
      batch = next(batches)
      waited.after_batch()
      state, measured = train_step(state, batch)
      # The device works on this step while the last one's loss is looked at.
      recent.add(step + 1, measured)
      waited.after_step()
    journal.tick()
  recent.settle()
  batches.close()
  if waited.steps > 0:
    journal.say(waited.summary())
  return state, ended


class Waited:
  """How long a run waited for data, and how long for the device.

  The first step does not count: it is compiled, and no batch was made in
  advance for it.
  """

  def __init__(self):
    self.steps = -1  # that count
    self.data = self.device = 0.0  # seconds
    self._since = 0.0

  def before_batch(self) -> None:
    """A step begins."""
    self._since = time.perf_counter()

  def after_batch(self) -> None:
    """Its data are on their way to the device."""
    self.data += self._lap()

  def after_step(self) -> None:
    """It has been handed over, and the one before it has been done."""
    self.device += self._lap()
    self.steps += 1

  def _lap(self):
    since, self._since = self._since, time.perf_counter()
    return self._since - since if self.steps >= 0 else 0.0

  def summary(self) -> str:
    """A sentence that says what was waited for."""
    whole = self.data + self.device
    share = self.data / whole
    cure = ('' if share < 0.1 else ': more threads or workers may help'
            ' (config.run), or holding the data on the device'
            ' (--config.run.hold_data)')
    return (f'{self.steps} steps took {whole:.1f} s, of which the run waited'
            f' {self.data:.1f} s ({share:.1%}) for data and'
            f' {self.device:.1f} s for the device{cure}.')


class Recent:
  """Measurements on their way from the device, looked at one step late."""

  def __init__(self, watch: Watch, journal: Journal | Silent,
               manager: ocp.CheckpointManager, log_every: int,
               unlogged: Sequence[dict[str, float]]):
    self.unlogged = list(unlogged)  # since the last line of the journal
    self.error = 1.0  # the mean top-1 training error in that line
    self._watch = watch
    self._journal = journal
    self._manager = manager
    self._log_every = log_every
    self._waiting = None

  def add(self, step: int, measured: Measured) -> None:
    """Takes a step's measurements and looks at those of the step before."""
    self.settle()
    self._waiting = (step, measured)

  def settle(self) -> None:
    """Looks at what is still waiting.

    Raises:
      InputError: a loss is not finite.
    """
    if self._waiting is None:
      return
    step, measured = self._waiting
    self._waiting = None
    measured = {k: float(v) for k, v in jax.device_get(measured).items()}
    self._watch.see(step, measured['loss'], self._manager.latest_step())
    self.unlogged.append(measured)
    if step % self._log_every == 0:
      means = {name: statistics.fmean(m[name] for m in self.unlogged)
               for name in measured}
      self._journal.train(step, means)
      self.error = means.get('top1_error', 1.0)  # an auto-encoder has none
      self.unlogged = []


def due(step: int, every: int, total: int) -> bool:
  """Whether something done every so many steps is done at this one."""
  return step % every == 0 or step == total
