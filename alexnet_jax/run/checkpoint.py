"""Checkpoints with Orbax: saved while training goes on, latest and best kept.

A checkpoint holds the State and, beside it, what a person needs to use it
without the data set: the resolved config and the class names.
"""

import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import orbax.checkpoint as ocp
from orbax.checkpoint.checkpoint_managers import preservation_policy

from alexnet_jax.errors import InputError
from alexnet_jax.learning.step import State

FOLDER = 'checkpoints'
# Two runs are one experiment if they agree in these; how long a run goes on,
# where it runs and where the same data lie may differ.
IDENTITY = ('model', 'data', 'augment', 'optimizer', 'seed', 'precision')
MAY_DIFFER = ('data.path',)
# Fields that came later, and what a run without them did.
LATER = {'precision': 'float32', 'run.hold_data': False}


class About(NamedTuple):
  """What lies beside the State."""

  config: dict[str, Any]
  class_names: tuple[str, ...]
  train_examples: int
  unlogged: Sequence[dict[str, float]] = ()  # measured since the last log line


def open_manager(workdir: str, keep: int) -> ocp.CheckpointManager:
  """The checkpoints of a workdir: the `keep` latest and the best one."""
  latest = preservation_policy.LatestN(keep)
  best = preservation_policy.BestN(
      n=1, get_metric_fn=lambda errors: -_top1_error(errors),
      keep_checkpoints_without_metrics=False)
  return ocp.CheckpointManager(
      os.path.abspath(os.path.join(workdir, FOLDER)),
      options=ocp.CheckpointManagerOptions(
          preservation_policy=preservation_policy.AnyPreservationPolicy(
              [latest, best]),
          best_fn=_top1_error, best_mode='min',
          save_interval_steps=1, cleanup_tmp_directories=True))


def open_to_read(workdir: str) -> ocp.CheckpointManager:
  """The checkpoints of a workdir, of which a run may still be saving some."""
  return ocp.CheckpointManager(
      os.path.abspath(os.path.join(workdir, FOLDER)),
      options=ocp.CheckpointManagerOptions(
          best_fn=_top1_error, best_mode='min', read_only=True, create=False,
          save_interval_steps=0))


def _top1_error(errors):
  return errors['top1_error']


def save(manager: ocp.CheckpointManager, step: int, state: State,
         about: About, errors: dict[str, float] | None) -> None:
  """Starts a save and returns at once; a step that is there stays as it is."""
  if step in manager.all_steps():
    return
  manager.save(
      step,
      args=ocp.args.Composite(
          state=ocp.args.StandardSave(state),
          about=ocp.args.JsonSave(about._asdict())),
      metrics=errors, force=True)


def restore(manager: ocp.CheckpointManager, step: int,
            shapes: State) -> State:
  """The State of a step, laid out on whatever mesh `shapes` names."""
  return manager.restore(
      step, args=ocp.args.Composite(
          state=ocp.args.StandardRestore(shapes)))['state']


def about(manager: ocp.CheckpointManager, step: int) -> About:
  """What lies beside the State of a step."""
  kept = manager.restore(
      step, args=ocp.args.Composite(about=ocp.args.JsonRestore()))['about']
  kept = About(**kept)
  return kept._replace(class_names=tuple(kept.class_names),
                       config=_with_later_fields(kept.config))


def saved_at(manager: ocp.CheckpointManager, step: int) -> int:
  """When the checkpoint of a step was saved, in ns: a run made anew differs."""
  return manager.metadata(step).commit_timestamp_nsecs or 0


def _with_later_fields(config):
  filled = {name: dict(held) if isinstance(held, dict) else held
            for name, held in config.items()}
  for field, value in LATER.items():
    *section, name = field.split('.')
    if not section:
      filled.setdefault(name, value)
    elif section[0] in filled:
      filled[section[0]].setdefault(name, value)
  return filled


def exists(workdir: str) -> bool:
  """Whether anything was ever saved in the workdir."""
  folder = os.path.join(workdir, FOLDER)
  return os.path.isdir(folder) and any(
      name.isdigit() for name in os.listdir(folder))


def must_exist(workdir: str) -> None:
  """Raises InputError if nothing was ever saved in the workdir."""
  if not exists(workdir):
    raise InputError(
        f'{workdir} holds no checkpoint: give the workdir of a run'
        ' that has saved one, or train with --task=train.')


def find_step(manager: ocp.CheckpointManager, which: str,
              workdir: str) -> int:
  """'latest', 'best' or a number -> a step that is there.

  Raises:
    InputError: not this one.
  """
  steps = sorted(manager.all_steps())
  if which == 'latest':
    return steps[-1]
  if which == 'best':
    best = manager.best_step()
    return steps[-1] if best is None else best
  if which.isdigit() and int(which) in steps:
    return int(which)
  raise InputError(
      f'--checkpoint={which} is not in {workdir}: give latest, best or one of'
      f' {", ".join(map(str, steps))}.')


def refuse_another(workdir: str, there: About, config: dict[str, Any],
                   sections: Sequence[str] = IDENTITY) -> None:
  """Raises InputError if a checkpoint belongs to another experiment."""
  # Through JSON and back, so that tuples and lists compare as equal.
  here = json.loads(json.dumps(config))
  difference = first_difference(there.config, here, sections)
  if difference:
    field, theirs, ours = difference
    raise InputError(
        f'--workdir={workdir} holds a run with config.{field}={theirs!r} and'
        f' this one has {ours!r}: give another --workdir, or the same value to'
        ' go on with that run.')


def first_difference(
    there: dict[str, Any], here: dict[str, Any], sections: Sequence[str]
) -> tuple[str, Any, Any] | None:
  """(field, there, here) of the first difference that matters, or None."""
  for section in sections:
    a, b = there.get(section), here.get(section)
    if not isinstance(b, dict):
      if a != b:
        return section, a, b
      continue
    for name in sorted({*(a or {}), *b}):
      field = f'{section}.{name}'
      theirs, ours = (a or {}).get(name), b.get(name)
      if theirs != ours and field not in MAY_DIFFER:
        return field, theirs, ours
  return None
