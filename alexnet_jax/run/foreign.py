"""Files of weights that other programs have written, whatever the network."""

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from alexnet_jax.array_files import layer_names, reading
from alexnet_jax.errors import InputError, printable
from alexnet_jax.network.classifier import Model
from alexnet_jax.run import (
  published,
  stored_config,
  torch_layout,
  torchvision_forms,
  weights,
)
from alexnet_jax.run.published import Imported
from alexnet_jax.run.weights import Layers

OURS = 'pixels/mean'  # an array that no other program writes
LONGEST = 60  # characters of a value in a message


class Foreign(NamedTuple):
  """A file whose weights fit a network, but for the number of classes."""

  program: str  # that wrote it, in words
  order: str  # 'rgb' or 'bgr', the colors that the first layer reads
  classes: int  # 0: it has no fc8
  mean: np.ndarray | None  # of the pixels, if it is in the file
  notes: str  # sentences about what differs, or ''
  # (fresh layers, order, whether to take fc8) -> its layers in their place
  into: Callable[[Layers, str, bool], Imported]


def is_foreign(path: str) -> bool:
  """Returns whether a file is one that `weights.load` does not know."""
  ending = os.path.splitext(path)[1].lower()
  if os.path.isdir(path) or ending not in reading.FORMATS:
    return False
  if ending not in weights.FORMATS:
    return True
  names = _array_names(path)
  return bool(names) and OURS not in names


def is_exported(path: str) -> bool:
  """Returns whether --task=export wrote a file, as .npz or .safetensors."""
  return (os.path.splitext(path)[1].lower() in weights.FORMATS
          and os.path.isfile(path) and OURS in _array_names(path))


def _array_names(path):
  """Returns the names of the arrays, none of a damaged file."""
  try:
    return weights.array_names(path)
  except InputError:
    raise
  # Almost any, of a damaged file; `weights.load` has a sentence for these.
  except Exception:
    return []


def open_file(path: str, model: Model) -> Foreign:
  """Reads a file and finds the layers of a network in it.

  Args:
    path: the file, with an ending of `reading.FORMATS`.
    model: the network, with any number of classes.

  Raises:
    InputError: the file cannot be read, or has the layers of another network.
  """
  arrays = reading.read(path)
  if model.network in torch_layout.NETWORKS:
    return _state_dict(path, arrays, model)
  source = layer_names.recognize(path, arrays)
  wants = published.needed_kernels(model)
  common = published.in_common_form(path, source, wants)
  notes = f' Left out {", ".join(source.unused)}.' if source.unused else ''

  def into(fresh, order, with_fc8):
    chosen = {name: leaves for name, leaves in common.items()
              if name != 'fc8' or with_fc8}
    return published.replace_layers(fresh, chosen, wants, order)

  classes = len(common['fc8']['kernel']) if 'fc8' in common else 0
  return Foreign(source.program, source.order, classes, None, notes, into)


def _state_dict(path, arrays, model) -> Foreign:
  state = torch_layout.find_layers(path, arrays, model)
  ours = state.mean is not None
  differing = (_differences(path, model) if ours
               else torchvision_forms.differences(model))
  notes = ''
  if state.left_out:
    notes += (f' Left out {", ".join(state.left_out)}: side classifiers of'
              ' torchvision average other units.')
  if differing and ours:
    notes += (f' config.model is not that of the file ({"; ".join(differing)}),'
              ' so its outputs may be others.')
  elif differing:
    notes += (f" config.model is not torchvision's ({', '.join(differing)}), so"
              ' its outputs are others.')
  classes = next((len(array) for name, array in state.arrays.items()
                  if state.places[name].layer == 'fc8'), 0)

  def into(fresh, order, with_fc8):
    found = {name: leaves for name, leaves in torch_layout.to_layers(
        state, order).items() if name != 'fc8' or with_fc8}
    return Imported(
        {**fresh, **found}, tuple(name for name in fresh if name in found),
        tuple(name for name in fresh if name not in found), ())

  program = ('PyTorch' if ours or model.network == 'lenet' else 'torchvision')
  return Foreign(program, 'rgb', classes, state.mean, notes, into)


def _differences(path: str, model: Model) -> Sequence[str]:
  """Returns where config.model is not that of the card in our own file."""
  config = reading.card(path).get('config')
  theirs = config.get('model') if isinstance(config, Mapping) else None
  if not isinstance(theirs, dict) or theirs.get('name') != model.network:
    return ()
  theirs = stored_config.with_added_fields({'model': theirs})['model']
  fields = json.loads(json.dumps(dataclasses.asdict(model.spec)))
  return [f'{field}={getattr(model.spec, field)},'
          f' {printable(str(theirs[field]))[:LONGEST]} there'
          for field, ours in fields.items()
          if field in theirs and theirs[field] != ours]
