"""Files of weights that other programs have written, whatever the network."""

import os
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from alexnet_jax.array_files import layer_names, reading
from alexnet_jax.errors import InputError
from alexnet_jax.network.classifier import Model
from alexnet_jax.run import published, torch_layout, torchvision_forms, weights
from alexnet_jax.run.published import Imported
from alexnet_jax.run.weights import Layers


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
  try:
    names = weights.array_names(path)
  except InputError:
    raise
  # Almost any, of a damaged file; `weights.load` has a sentence for these.
  except Exception:
    return False
  return 'pixels/mean' not in names


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
  wants = published.wanted(model)
  common = published.in_common_form(path, source, wants)
  notes = f' Left out {", ".join(source.unused)}.' if source.unused else ''

  def into(fresh, order, with_fc8):
    chosen = {name: leaves for name, leaves in common.items()
              if name != 'fc8' or with_fc8}
    return published.into(fresh, chosen, wants, order)

  classes = len(common['fc8']['kernel']) if 'fc8' in common else 0
  return Foreign(source.program, source.order, classes, None, notes, into)


def _state_dict(path, arrays, model) -> Foreign:
  state = torch_layout.fitted(path, arrays, model)
  ours = state.mean is not None
  differing = () if ours else torchvision_forms.differences(model)
  notes = ''
  if state.left_out:
    notes += (f' Left out {", ".join(state.left_out)}: side classifiers of'
              ' torchvision average other units.')
  if differing:
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
