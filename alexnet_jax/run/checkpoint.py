"""Orbax checkpoints, saved asynchronously; the latest and the best are kept.

A checkpoint contains the State and the metadata needed to use it without the
data set: the resolved config and the class names. Checksums of all its files
are written beside them and compared before they are read.
"""

import contextlib
import errno
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from alexnet_jax import files
from alexnet_jax.errors import InputError
from alexnet_jax.learning.step import State
from alexnet_jax.run import checksums, damage, first_process, stored_config
from alexnet_jax.run.damage import METADATA, STATE

FOLDER = 'checkpoints'
# Names of State fields in checkpoints of versions before 1.0.
OLD_NAMES = {'input_stats': 'pixels'}

# The fields of Metadata that change during a run.
PROGRESS = ('unlogged', 'best_error', 'best_step', 'waited')


class Metadata(NamedTuple):
  """The metadata stored with the State."""

  config: dict[str, Any]
  class_names: tuple[str, ...]
  train_examples: int  # 0: not known, of an imported network
  unlogged: Sequence[dict[str, float]] = ()  # since the last log line
  data_fingerprint: str = ''  # of the training data; '' if they have no files
  # The lowest top-1 validation error so far, its step, and the number of
  # validations since. Where an older checkpoint lacks them, they count from it.
  best_error: float | None = None
  best_step: int = 0
  waited: int = 0


# --- Saving and restoring -----------------------------------------------------


def open_manager(workdir: str, keep: int) -> ocp.CheckpointManager:
  """Opens a workdir to save: the `keep` latest checkpoints and the best.

  Damaged checkpoints above the newest sound one are renamed.

  Raises:
    InputError: the workdir has checkpoints, and all are damaged.
  """
  damage.hide_closed_loops()
  folder = _folder(workdir)
  first_process.run(lambda: damage.set_aside(folder))
  latest = preservation_policy.LatestN(keep)
  best = preservation_policy.BestN(
      n=1, get_metric_fn=lambda errors: -_top1_error(errors),
      keep_checkpoints_without_metrics=False)
  return ocp.CheckpointManager(
      folder, item_handlers=_handlers(),
      options=ocp.CheckpointManagerOptions(
          async_options=ocp.AsyncOptions(
              # Orbax calls it before the step gets its final name.
              post_finalization_callback=lambda: checksums.write_new(folder)),
          preservation_policy=preservation_policy.AnyPreservationPolicy(
              [latest, best]),
          best_fn=_top1_error, best_mode='min',
          save_interval_steps=1, cleanup_tmp_directories=True))


@contextmanager
def saving(workdir: str, keep: int) -> Generator[ocp.CheckpointManager]:
  """Like `open_manager`, and leaves no half of a checkpoint on a full disk.

  Args:
    workdir: folder of the run.
    keep: number of latest checkpoints.

  Raises:
    InputError: the workdir has checkpoints, and all are damaged.
    FileNotFoundError: the workdir was removed, of which Orbax raises many
      different errors.
  """
  folder = _folder(workdir)
  with contextlib.ExitStack() as stack:
    if jax.process_index() == 0:
      stack.callback(damage.remove_unfinished, folder)
    manager = open_manager(workdir, keep)
    opened = os.stat(folder)
    try:
      with manager:
        yield manager
    except InputError:
      raise
    except Exception as error:
      # TensorStore makes the folders of its files again.
      if not os.path.isdir(folder) or not os.path.samestat(
          opened, os.stat(folder)):
        raise FileNotFoundError(
            errno.ENOENT, os.strerror(errno.ENOENT), folder) from error
      raise


def open_to_read(workdir: str) -> ocp.CheckpointManager:
  """Opens a workdir read-only; another run may still be saving to it."""
  damage.hide_closed_loops()
  return ocp.CheckpointManager(
      _folder(workdir), item_handlers=_handlers(),
      options=ocp.CheckpointManagerOptions(
          read_only=True, create=False, save_interval_steps=0,
          lightweight_initialize=True))


def _folder(workdir):
  return os.path.abspath(os.path.join(workdir, FOLDER))


def _handlers():
  """Separate items, so that metadata can be read without the arrays."""
  return {STATE: ocp.StandardCheckpointHandler(),
          METADATA: ocp.JsonCheckpointHandler()}


def _top1_error(errors):
  return errors['top1_error']


def save(manager: ocp.CheckpointManager, step: int, state: State,
         metadata: Metadata, errors: dict[str, float] | None) -> None:
  """Starts an asynchronous save; an existing step is not overwritten.

  Args:
    manager: checkpoint manager of the workdir.
    step: step of the state.
    state: the arrays.
    metadata: metadata stored with the arrays.
    errors: validation errors with 'top1_error', which rank the checkpoints.

  Raises:
    OSError: the folder of the checkpoints was removed.
  """
  if not os.path.isdir(manager.directory):
    raise FileNotFoundError(
        errno.ENOENT, os.strerror(errno.ENOENT), os.fspath(manager.directory))
  if step in manager.all_steps():
    return
  manager.save(
      step,
      args=ocp.args.Composite(**{
          STATE: ocp.args.StandardSave(_stored(state)),
          METADATA: ocp.args.JsonSave(metadata._asdict())}),
      metrics=errors, force=True)


def restore(manager: ocp.CheckpointManager, step: int,
            shapes: State) -> State:
  """Restores the State of a step with the shardings of `shapes`.

  Args:
    manager: checkpoint manager of the workdir.
    step: a saved step.
    shapes: ShapeDtypeStructs with shardings.

  Raises:
    InputError: the arrays cannot be read.
  """
  with _reading(manager, step):
    saved = manager.item_metadata(step)[STATE].tree
    names = {name: name if name in saved else OLD_NAMES.get(name, name)
             for name in _stored(shapes)}
    target = {names[name]: part for name, part in _stored(shapes).items()}
    parts = manager.restore(step, args=ocp.args.Composite(**{
        STATE: ocp.args.StandardRestore(target)}))[STATE]
    return shapes._replace(**{name: parts[names[name]] for name in names})


def _stored(state):
  """Returns the fields of a State that are on disk, by name."""
  return {name: part for name, part in state._asdict().items()
          if name != 'batch_stats' or part}


def read_metadata(manager: ocp.CheckpointManager, step: int) -> Metadata:
  """Reads the metadata of a step.

  Raises:
    InputError: the metadata cannot be read.
  """
  with _reading(manager, step):
    fields = manager.restore(step, args=ocp.args.Composite(**{
        METADATA: ocp.args.JsonRestore()}))[METADATA]
    metadata = Metadata(**fields)
    return metadata._replace(
        class_names=tuple(metadata.class_names),
        config=stored_config.with_added_fields(metadata.config))


@contextmanager
def _reading(manager, step):
  try:
    yield
  # Orbax and TensorStore raise almost any exception on damaged files.
  except Exception as error:
    path = os.path.join(manager.directory, str(step))
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    raise InputError(
        f'{path} cannot be read ({reason[:200]}): give another --checkpoint, or'
        ' restore it from a copy.') from error


# --- Finding a step -----------------------------------------------------------


def saved_at(manager: ocp.CheckpointManager, step: int) -> int:
  """Returns when a step was saved, in ns, which distinguishes runs."""
  times = files.read_json(os.path.join(
      manager.directory, str(step), checksums.CHANGED_LATER))
  time = times.get('commit_timestamp_nsecs') if isinstance(times, dict) else 0
  return time if isinstance(time, int) else 0


def exists(workdir: str) -> bool:
  """Returns whether the workdir contains a checkpoint."""
  return bool(damage.saved_steps(_folder(workdir)))


def check_exists(workdir: str) -> None:
  """Checks that the workdir contains a checkpoint.

  Raises:
    InputError: it contains none.
  """
  if not exists(workdir):
    raise InputError(
        f'{workdir} holds no checkpoint: give the workdir of a run'
        ' that has saved one, or train with --task=train.')


def find_step(manager: ocp.CheckpointManager, checkpoint: str,
              workdir: str) -> int:
  """Finds the step that 'latest', 'best' or a number refers to.

  Args:
    manager: checkpoint manager of the workdir.
    checkpoint: value given on the command line.
    workdir: used in the error message.

  Raises:
    InputError: there is no such checkpoint, or it is damaged.
  """
  return damage.find(os.fspath(manager.directory), checkpoint, workdir)
