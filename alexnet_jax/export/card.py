"""The card of a network: what a person or program must know to use its file."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from alexnet_jax import files
from alexnet_jax.learning import augment
from alexnet_jax.run import checkpoint, journal, weights
from alexnet_jax.run.trained import Trained

# How pictures become square, by the value of config.data.resize.
RESIZES = {
    'crop': 'the shorter side to {size} pixels (area averaging to shrink, cubic'
            ' interpolation to enlarge), then the central {size} x {size}'
            ' square',
    'warp': 'both sides to {size} pixels (area averaging to shrink, cubic'
            ' interpolation to enlarge)',
}


def describe(network: Trained, data_license: str = '') -> dict[str, Any]:
  """Returns the card of a checkpoint, as JSON takes it.

  Args:
    network: the network.
    data_license: the license of the training data; '' if it is not known.
  """
  settings, stats = network.settings, network.input_stats
  size, crop = settings.data.image_size, network.model.patch
  patch_mean = np.asarray(augment.central_crop(np.asarray(stats.mean), crop))
  return {
      'class_names': list(network.class_names),
      'step': network.step,
      'layers': list(weights.to_layers(network.model, network.params)),
      'input': {
          'image_size': size,
          'resize': RESIZES[settings.data.resize].format(size=size),
          'crop': crop,
          'channels': 'RGB, 0 to 255',
          'subtract': 'the central part of the mean image',
          'mean_color': [round(float(value), 4)
                         for value in patch_mean.mean((0, 1))],
      },
      'errors': measured_errors(network.workdir, network.step),
      'data': {'name': settings.data.name, 'path': settings.data.path,
               'license': data_license or 'not stated',
               'train_examples': network.train_examples},
      'config': settings.config,
  }


def measured_errors(workdir: str, step: int) -> dict[str, Mapping[str, float]]:
  """Returns the errors of a step: of its validation and of its final test.

  Args:
    workdir: the workdir of the run.
    step: a saved step.
  """
  with checkpoint.open_to_read(workdir) as manager:
    validation = manager.metrics(step)
  final = journal.final_line(workdir) or {}
  errors = {}
  if validation:
    errors['validation'] = dict(validation)
  if final.get('step') == step:
    errors['final'] = {name: value for name, value in final.items()
                       if name not in ('step', 'kind')}
  return errors


def card_path(path: str) -> str:
  """Returns the name of the card that is beside a file."""
  return path + weights.CARD_ENDING


def save(path: str, card: Mapping[str, Any]) -> None:
  """Writes the card beside the file `path`."""
  files.write_json(card_path(path), card)
