"""Configs as they are stored with runs: older ones, and how two differ."""

import json
from collections.abc import Sequence
from typing import Any

from alexnet_jax.errors import InputError
from alexnet_jax.network import models

# Two runs are the same experiment if they agree in these sections. The length
# of the run, its devices and the path of the same data may differ.
IDENTITY = ('model', 'data', 'augment', 'optimizer', 'seed', 'precision')
MAY_DIFFER = ('data.path', 'data.labels', 'data.check', 'data.store')
# Fields that older configs lack, and the values that reproduce those runs.
ADDED_FIELDS = {'precision': 'float32', 'run.hold_data': False,
                'data.labels': '', 'data.check': 'headers',
                'data.resize': 'crop', 'data.store': 'jpeg',
                'augment.mean_pixel': (), 'optimizer.rule': 'momentum',
                'optimizer.accumulate': 1,
                'optimizer.warmup': 0.0, 'optimizer.clip_norm': 0.0,
                'optimizer.class_weights': '', 'run.patience': 0,
                'augment.pad': 0, 'augment.scale': (), 'model.norm': 'response',
                'model.partners': (), 'model.partner_layers': (),
                'model.norm_epsilon': 1e-5, 'model.pixel_stddevs': (),
                'model.last_pooling': 3, 'model.inverted_dropout': False,
                'optimizer.trust_coefficient': 0.001,
                'mesh.full_layers': 'data', 'mesh.norm_and_pooling': 'xla'}


def with_added_fields(config: dict[str, Any]) -> dict[str, Any]:
  """Returns a config with the fields that were added after it was stored."""
  filled = {name: dict(value) if isinstance(value, dict) else value
            for name, value in config.items()}
  for field, value in ADDED_FIELDS.items():
    *section, name = field.split('.')
    if not section:
      filled.setdefault(name, value)
    elif isinstance(filled.get(section[0]), dict) and (
        section[0] != 'model' or models.has_field(filled['model'], name)):
      filled[section[0]].setdefault(name, value)
  return filled


def check_same_experiment(
    workdir: str, saved: dict[str, Any], config: dict[str, Any],
    sections: Sequence[str] = IDENTITY) -> None:
  """Checks that a workdir belongs to this experiment.

  Args:
    workdir: used in the error message.
    saved: config of the run in the workdir.
    config: config of this run.
    sections: sections that must agree.

  Raises:
    InputError: it belongs to another experiment.
  """
  difference = first_difference(saved, config, sections)
  if difference:
    field, theirs, ours = difference
    raise InputError(
        f'--workdir={workdir} holds a run with config.{field}={theirs!r} and'
        f' this one has {ours!r}: give another --workdir, or the same value to'
        ' go on with that run.')


def first_difference(
    saved: dict[str, Any], config: dict[str, Any], sections: Sequence[str]
) -> tuple[str, Any, Any] | None:
  """Finds the first relevant difference between two configs.

  Args:
    saved: a config read from JSON.
    config: a config with tuples or lists.
    sections: sections to compare.

  Returns:
    (field, saved value, value of `config`), or None.
  """
  # Tuples become lists.
  saved, config = (json.loads(json.dumps(with_added_fields(one)))
                   for one in (saved, config))
  for section in sections:
    a, b = saved.get(section), config.get(section)
    if not isinstance(b, dict):
      if a != b:
        return section, a, b
      continue
    a = a if isinstance(a, dict) else {}  # the file may have been changed
    for name in sorted({*a, *b}):
      field = f'{section}.{name}'
      theirs, ours = a.get(name), b.get(name)
      if theirs != ours and field not in MAY_DIFFER:
        return field, theirs, ours
  return None
