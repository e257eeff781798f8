"""Executes a run from its newest checkpoint to its final test.

Networks and auto-encoders are trained by the same function. It opens the
checkpoints, restores or initializes the state, handles signals, runs the loop
and writes the final errors.
"""

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from tqdm import tqdm

from alexnet_jax import files, machine
from alexnet_jax.data import loader
from alexnet_jax.learning.step import Measured, State
from alexnet_jax.run import checkpoint, commands, first_process, loop
from alexnet_jax.run.checkpoint import Metadata
from alexnet_jax.run.journal import Journal, SilentJournal
from alexnet_jax.run.loop import Cadence, Session
from alexnet_jax.run.preemption import StopRequest
from alexnet_jax.run.watch import LossMonitor

MACHINE = 'machine.json'
STOPPED = (
  'Stopped as asked; saved step {}. The same command goes on from there.'
)


class Plan(NamedTuple):
  """Everything that defines one run."""

  metadata: Metadata
  cadence: Cadence
  keep: int  # number of latest checkpoints
  # The checkpoints -> the first state, and the lines that say its origin.
  start: Callable[[ocp.CheckpointManager], tuple[State, str]]
  train_step: Callable[[State, dict], tuple[State, Measured]]
  batches: Callable[[int], loader.Batches]  # batches from a step on
  errors: Callable[[State], dict[str, float]]  # validation errors
  final_errors: Callable[[State], dict[str, float]]
  after_validation: Callable[[State, dict[str, float]], State]
  rank_checkpoints: bool  # by the top-1 error of validations
  # (rate before schedules and drops, step) -> learning rate of the kernels.
  kernel_rate: Callable[[float, int], jax.Array]
  num_classes: int = 2
  stall_steps: int = 0
  command: str = ''  # the command line of this run
  # The kernels of conv1 at a validation, for TensorBoard; None: there are none.
  kernels: Callable[[State], np.ndarray | None] = lambda state: None
  draw: Callable[[], object] = lambda: None  # draws the curves of the workdir


def run(plan: Plan, workdir: str,
        bar: tqdm | None = None) -> tuple[State, dict[str, float]] | None:
  """Executes a run to its end, from the newest checkpoint if there is one.

  Args:
    plan: the definition of the run.
    workdir: folder of the run.
    bar: a progress bar shared by several runs; None creates a new one.

  Returns:
    The last state and the final errors; None if a signal stopped the run.

  Raises:
    InputError: another process writes the workdir, it contains a different run,
      or a loss is not finite.
  """
  with contextlib.ExitStack() as stack:
    first_process.run(lambda: stack.enter_context(
        files.hold(workdir, 'a training run')))
    manager = stack.enter_context(checkpoint.saving(workdir, plan.keep))
    newest = manager.latest_step()
    metadata, command = plan.metadata, plan.command
    if newest is not None:
      command = commands.resumed(workdir, command)
      saved = checkpoint.read_metadata(manager, newest)
      metadata = metadata._replace(**{
          name: getattr(saved, name) for name in checkpoint.PROGRESS})
    state, origin = plan.start(manager)
    first, cadence = int(state.step), plan.cadence
    journal: Journal | SilentJournal = SilentJournal()
    if jax.process_index() == 0:
      files.write_json(os.path.join(workdir, MACHINE), describe_machine())
      journal = Journal(
          workdir, metadata.config, first, cadence.total, command, bar,
          -(-cadence.total // cadence.evaluate_every)
          - first // cadence.evaluate_every)
    for line in origin.splitlines():
      journal.say(line)
    _warn_of_little_space(workdir, manager, plan.keep, state, journal)
    stop = StopRequest(manager)
    session = Session(
        metadata, manager, journal, stop,
        LossMonitor(plan.num_classes, plan.stall_steps, journal.say),
        plan.kernel_rate)

    def draw():
      try:
        plan.draw()
      except Exception as error:  # a picture is no reason to end a run
        journal.say(f'The curves are not drawn: {files.reason_of(error)}')

    def validate(state, step):
      begin = time.perf_counter()
      errors = plan.errors(state)
      journal.validation(step, errors, time.perf_counter() - begin,
                         plan.kernels(state))
      first_process.run(draw)
      journal.restart_clock(step)
      return (plan.after_validation(state, errors),
              errors if plan.rank_checkpoints else None)

    try:
      state, ended = loop.run(
          state, plan.train_step, plan.batches(first), validate, cadence,
          session)
      manager.wait_until_finished()
      if not ended:
        journal.say(STOPPED.format(int(state.step)))
        return None
      stop.exit_on_signal()
      errors = plan.final_errors(state)
      journal.final(int(state.step), errors)
      first_process.run(draw)
      return state, errors
    finally:
      stop.uninstall()
      journal.close()


def describe_machine() -> dict[str, Any]:
  """Returns what a run computes on, as its workdir stores it."""
  return {'device': jax.devices()[0].device_kind,
          'processor': machine.processor_name(), 'cores': machine.cores(),
          'processes': jax.process_count(), 'jax': jax.__version__}


def _warn_of_little_space(workdir, manager, keep, state, journal):
  """Says before a run if the disk cannot hold its checkpoints."""
  size = sum(leaf.nbytes for leaf in jax.tree.leaves(state))
  # Those that are kept and the best; one more is complete before another goes.
  missing = max(1, keep + 2 - len(manager.all_steps()))
  with contextlib.suppress(OSError):
    free = shutil.disk_usage(workdir).free
    if free < missing * size:
      journal.say(
          f'The disk of {workdir} has {free / 1e9:.2g} GB left, and the'
          f' checkpoints of this run need {missing * size / 1e9:.2g} GB more'
          f' ({missing} of {size / 1e9:.2g} GB each): free some space, or give'
          ' a smaller config.run.keep.')
