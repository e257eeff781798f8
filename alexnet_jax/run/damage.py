"""Finds damaged checkpoints, so that the newest sound one is used.

Checkpoints with checksums are compared with them. Those of older versions are
read once, and what cannot be read is damaged.
"""

import glob
import math
import os
import shutil
import sys
from collections.abc import Mapping

import jax
import numpy as np
import orbax.checkpoint as ocp
from etils import epath

from alexnet_jax import files
from alexnet_jax.errors import InputError
from alexnet_jax.run import checksums

STATE, METADATA = 'state', 'about'  # the two items of a checkpoint on disk
ARRAY_METADATA = os.path.join(STATE, 'array_metadatas', '*')
LAST_TIME = 2 ** 62  # in ns since 1970, a century from now
ERRORS = os.path.join('metrics', 'metrics')  # of the step's validation, if any


def saved_steps(folder: str) -> list[int]:
  """Returns the steps whose names are in a folder, the newest first."""
  if not os.path.isdir(folder):
    return []
  return sorted((int(name) for name in os.listdir(folder)
                 if name.isdecimal() and name == str(int(name))), reverse=True)


def damage(folder: str, step: int, arrays: bool = True) -> str:
  """Looks for damage in a checkpoint.

  Args:
    folder: the folder of all checkpoints of a run.
    step: the step.
    arrays: whether to read the arrays too.

  Returns:
    What is wrong, such as 'state/_METADATA is missing', or '' for a sound one.
  """
  path = os.path.join(folder, str(step))
  if not os.path.isdir(path):
    return 'it is a file, not a folder'
  if not _has_times(os.path.join(path, checksums.CHANGED_LATER)):
    return f'{checksums.CHANGED_LATER} cannot be read'
  if checksums.exist(path):
    return checksums.first_difference(path, without='' if arrays else STATE)
  has_errors = os.path.lexists(os.path.join(path, os.path.dirname(ERRORS)))
  for name in [os.path.join(METADATA, 'metadata'),
               *([ERRORS] if has_errors else []),
               *glob.glob(ARRAY_METADATA, root_dir=path)]:
    if not isinstance(files.read_json(os.path.join(path, name)), dict):
      return f'{name} cannot be read'
  return _unreadable_arrays(os.path.join(path, STATE)) if arrays else ''


def _has_times(path):
  """Returns whether a step has its times, or is of a time when none had."""
  if not os.path.lexists(path):
    return True
  times = files.read_json(path)
  return isinstance(times, dict) and all(
      isinstance(times.get(name), int) and 0 < times[name] < LAST_TIME
      for name in ('init_timestamp_nsecs', 'commit_timestamp_nsecs'))


def _unreadable_arrays(path):
  if not os.path.isdir(path):
    return f'{STATE} is missing'
  handler = ocp.PyTreeCheckpointHandler()
  directory = epath.Path(path)
  as_numpy = ocp.RestoreArgs(restore_type=np.ndarray)
  try:
    tree = handler.metadata(directory).tree
    handler.restore(directory, args=ocp.args.PyTreeRestore(
        restore_args=jax.tree.map(lambda _: as_numpy, tree)))
  # Orbax and TensorStore raise almost any exception on damaged files.
  except Exception as error:
    return f'{STATE} cannot be read ({type(error).__name__})'
  return ''


def hide_closed_loops() -> None:
  """Hides what TensorStore prints after a read or a write that has failed.

  The first that fails raises an error. The others report, some time later, to
  an event loop that Orbax has closed by then.
  """
  show = sys.unraisablehook
  if getattr(show, '__module__', '') != __name__:

    def show_others(unraisable):
      if str(unraisable.exc_value) != 'Event loop is closed':
        show(unraisable)

    sys.unraisablehook = show_others


def find(folder: str, checkpoint: str, workdir: str) -> int:
  """Finds the sound step that 'latest', 'best' or a number refers to.

  Args:
    folder: the folder of all checkpoints of a run.
    checkpoint: value given on the command line.
    workdir: used in messages.

  Raises:
    InputError: there is no such checkpoint, or it is damaged.
  """
  steps = saved_steps(folder)
  if checkpoint == 'latest':
    return _newest_sound(folder, steps, workdir)
  if checkpoint == 'best':
    for step in steps:
      _check_errors(folder, step, workdir)
    step = min(steps, key=lambda step: _top1_error(folder, step), default=None)
  elif checkpoint.isdecimal() and int(checkpoint) in steps:
    step = int(checkpoint)
  else:
    step = None
  if step is None:
    raise InputError(
        f'--checkpoint={checkpoint} is not in {workdir}: give latest, best or'
        f' one of {", ".join(map(str, reversed(steps)))}.')
  reason = damage(folder, step)
  if reason:
    raise InputError(
        f'--checkpoint={checkpoint} is step {step} of {workdir}, which is'
        f' damaged ({reason}): give --checkpoint=latest for the newest sound'
        ' one, or another step.')
  return step


def _check_errors(folder, step, workdir):
  reason = damage(folder, step, arrays=False)
  if reason:
    raise InputError(
        f'step {step} of {workdir} is damaged ({reason}), so that the best'
        ' checkpoint is not known: give --checkpoint=latest or a step.')


def _top1_error(folder, step):
  """Returns the validation error of a step, or infinity if it has none."""
  errors = files.read_json(os.path.join(folder, str(step), ERRORS)) or {}
  error = errors.get('top1_error', math.nan)
  return math.inf if math.isnan(error) else error


def _newest_sound(folder, steps, workdir):
  damaged = {}
  for step in steps:
    reason = damage(folder, step)
    if not reason:
      for other, why in damaged.items():
        print(f'Step {other} of {workdir} is damaged ({why}): step {step}, the'
              ' newest sound one, is used.', file=sys.stderr)
      return step
    if os.path.exists(os.path.join(folder, str(step))):
      damaged[step] = reason  # otherwise the run has just deleted it
  raise _all_damaged(folder, damaged)


def set_aside(folder: str) -> None:
  """Renames the damaged steps above the newest sound one to STEP.damaged.

  The run goes on from the sound step and saves the others again. Older steps
  whose errors cannot be read are renamed too, as they cannot be ranked.

  Raises:
    InputError: all checkpoints are damaged; none is renamed.
    OSError: the folder cannot be written.
  """
  os.makedirs(folder, exist_ok=True)  # refuses a file of that name
  steps, damaged, sound = saved_steps(folder), {}, None
  for step in steps:
    reason = damage(folder, step, arrays=sound is None)
    if reason:
      damaged[step] = reason
    elif sound is None:
      sound = step
  if damaged and sound is None:
    raise _all_damaged(folder, damaged)
  for step, reason in damaged.items():
    new_name = _free_name(os.path.join(folder, f'{step}.damaged'))
    os.rename(os.path.join(folder, str(step)), new_name)
    print(f'{os.path.join(folder, str(step))} is damaged ({reason}): it is now'
          f' {new_name}, and step {sound} is the newest sound one.',
          file=sys.stderr)


def remove_unfinished(folder: str) -> None:
  """Removes what a failed save has left, which may fill the disk."""
  for path in checksums.unfinished(folder):
    shutil.rmtree(path, ignore_errors=True)


def _all_damaged(folder: str, damaged: Mapping[int, str]) -> InputError:
  """Returns the error that no checkpoint of a folder can be used."""
  reasons = '; '.join(f'step {step}: {reason}'
                      for step, reason in damaged.items())
  return InputError(
      f'all checkpoints in {folder} are damaged ({reasons}): restore them from'
      ' a copy, or train again in another --workdir.')


def _free_name(path):
  number, name = 1, path
  while os.path.lexists(name):
    number += 1
    name = f'{path}-{number}'
  return name
