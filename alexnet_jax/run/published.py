"""Weights that other programs have published, as layers of our networks.

Whatever the program, weights first take one form: a convolution is
[maps, inputs of its group, h, w], a full layer [outputs, inputs], and the
inputs of fc6 are in the order (maps, h, w). This is the form of PyTorch's and
of Caffe's own files. TensorFlow's have [h, w, inputs, maps], [inputs, outputs]
and (h, w, maps). The 2012 program has a matrix [inputs*h*w, maps] for each pair
of columns.
"""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np

from alexnet_jax.array_files.layer_names import Named, Published
from alexnet_jax.errors import InputError
from alexnet_jax.network.classifier import Model
from alexnet_jax.network.shapes import layer_shapes
from alexnet_jax.run.weights import Layers

Shape = tuple[int, ...]


class NeededKernel(NamedTuple):
  """The kernel that a network needs in one layer, in the common form."""

  shape: Shape
  maps: Shape  # (maps, h, w) that a full layer reads, or ()


class Imported(NamedTuple):
  """The layers of a network, and which of them are from a file."""

  layers: Layers
  taken: tuple[str, ...]
  new: tuple[str, ...]
  new_biases: tuple[str, ...]  # of layers that are taken


# --- Shapes -------------------------------------------------------------------


def needed_kernels(model: Model) -> dict[str, NeededKernel]:
  """Returns what a network needs; the classes of fc8 may be any number.

  Raises:
    InputError: a layer has no kernel.
  """
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  for name, layer in shapes['columns'].items():
    if 'kernel' not in layer:
      raise InputError(
          f'--task=import knows no names for {name} of this network: give'
          ' --config=configs/published/torchvision.py, another config in that'
          ' folder, or one of docs/weights.md.')
  wants = {}
  for at in layer_shapes(model.layers, model.num_columns, model.patch):
    count, *sides, inputs, maps = shapes['columns'][at.layer.name][
        'kernel'].shape
    is_full_of_maps = not sides and len(at.reads) == 3
    wants[at.layer.name] = NeededKernel(
        (count * maps, inputs, *sides),
        (at.reads[-1], *at.reads[:-1]) if is_full_of_maps else ())
  wants['fc8'] = NeededKernel(shapes['fc8']['kernel'].shape[::-1], ())
  return wants


def in_common_form(path: str, published: Published,
                   wants: Mapping[str, NeededKernel]) -> Named:
  """Returns the arrays in the common form, in the order of the network.

  Args:
    path: the file, for messages.
    published: its arrays.
    wants: what the network needs.

  Raises:
    InputError: the shapes are those of another network; the message has both.
  """
  arrays = {layer: published.arrays[layer] for layer in wants
            if 'kernel' in published.arrays.get(layer, {})}
  forms = FORMS[published.program]
  converted = [
      {layer: form(leaves['kernel'], wants[layer])
       for layer, leaves in arrays.items()} for form in forms]
  fits = [{layer: _fits(layer, kernel, arrays[layer].get('bias'), wants[layer])
           for layer, kernel in kernels.items()} for kernels in converted]
  best = max(range(len(forms)), key=lambda i: sum(fits[i].values()))
  if not arrays or not all(fits[best].values()):
    _refuse(path, published, wants)
  return {layer: {kind: leaf.reshape(-1) if kind == 'bias' else kernel
                  for kind, leaf in arrays[layer].items()}
          for layer, kernel in converted[best].items()}


def _fits(layer, kernel, bias, want):
  start = 1 if layer == 'fc8' else 0  # any number of classes
  return (kernel.ndim == len(want.shape)
          and kernel.shape[start:] == want.shape[start:] and kernel.size > 0
          and (bias is None or bias.size == len(kernel)))


def _refuse(path, published, wants):
  rows = []
  for layer, want in wants.items():
    leaves = published.arrays.get(layer, {})
    in_file = ' + '.join(str(list(leaves[kind].shape)) for kind in
                       ('kernel', 'bias') if kind in leaves) or 'missing'
    ours = f'{list(want.shape)} + [{want.shape[0]}]'
    rows.append(f'{layer} {in_file} | {ours}')
  raise InputError(
      f'{path} holds the weights of another network than config.model'
      f' (kernel + bias in the file | in config.model): {"; ".join(rows)}: give'
      ' the --config of that network, or an intact file.')


def _as_in_pytorch(kernel, want):
  """PyTorch's and Caffe's form, which once had leading axes of one."""
  while kernel.ndim > len(want.shape) and kernel.shape[0] == 1:
    kernel = kernel[0]
  return kernel


def _as_in_tensorflow(kernel, want):
  """From [h, w, inputs, maps] and [h*w*maps, outputs]."""
  if kernel.ndim != len(want.shape):
    return kernel
  if kernel.ndim == 4:
    return kernel.transpose(3, 2, 0, 1)
  if want.maps and len(kernel) == np.prod(want.maps):
    maps, height, width = want.maps
    kernel = kernel.reshape(height, width, maps, -1).transpose(2, 0, 1, 3)
    kernel = kernel.reshape(maps * height * width, -1)
  return kernel.T


def _as_in_2012(kernel, want):
  """From [inputs*h*w, maps]."""
  inputs = want.shape[1:]
  if kernel.ndim != 2 or len(kernel) != np.prod(inputs):
    return kernel
  return kernel.T.reshape(-1, *inputs)


FORMS = {'torchvision': (_as_in_pytorch,),
         'Caffe': (_as_in_pytorch, _as_in_tensorflow),
         'the 2012 program': (_as_in_2012,)}


# --- Layers -------------------------------------------------------------------


def replace_layers(fresh: Layers, common: Named,
                   wants: Mapping[str, NeededKernel], order: str) -> Imported:
  """Replaces the layers of a network that a file has.

  Args:
    fresh: newly initialized layers of the network.
    common: arrays in the common form.
    wants: what the network needs.
    order: 'rgb' or 'bgr', the colors that conv1 of the file reads.
  """
  layers = {name: dict(leaves) for name, leaves in fresh.items()}
  for name, leaves in common.items():
    kernel = leaves['kernel']
    if name == 'conv1' and order == 'bgr':
      kernel = kernel[:, ::-1]
    for kind, leaf in (('kernel', _ours(kernel, wants[name].maps)),
                       ('bias', leaves.get('bias'))):
      if leaf is not None:
        layers[name][kind] = _in_columns(leaf, fresh[name][kind])
  return Imported(
      layers, tuple(common),
      tuple(name for name in fresh if name not in common),
      tuple(name for name in common if 'bias' not in common[name]))


def _ours(kernel, maps):
  """From the common form to [h, w, inputs, maps] or [h*w*maps, outputs]."""
  if kernel.ndim == 4:
    return kernel.transpose(2, 3, 1, 0)
  if maps:
    kernel = kernel.reshape(-1, *maps).transpose(0, 2, 3, 1)
    kernel = kernel.reshape(len(kernel), -1)
  return kernel.T


def _in_columns(leaf, fresh):
  """Gives each column its share of the outputs: [..., K*C] -> [K, ..., C]."""
  if leaf.ndim < fresh.ndim:
    leaf = np.moveaxis(
        leaf.reshape(*leaf.shape[:-1], len(fresh), -1), -2, 0)
  return np.ascontiguousarray(leaf, np.float32)


def summary(imported: Imported, origin: str) -> str:
  """Returns 'Took conv1 to fc7 from X; fc8 is new.'."""
  names = list(imported.layers)
  said = f'Took {_in_words(imported.taken, names)} from {origin}'
  if imported.new_biases:
    said += f'; {no_biases(imported)}'
  if imported.new:
    verb = 'is' if len(imported.new) == 1 else 'are'
    said += f'; {_in_words(imported.new, names)} {verb} new'
  return said + '.'


def no_biases(imported: Imported) -> str:
  """Returns 'no bias for conv2', if there are layers that lack theirs."""
  return f'no bias for {_in_words(imported.new_biases, list(imported.layers))}'


def _in_words(chosen, names):
  """Returns 'conv1, conv3 to fc8' for layers that need not be adjacent."""
  groups: list[list[str]] = []
  for name in chosen:
    below = names[names.index(name) - 1]
    if groups and groups[-1][-1] == below:
      groups[-1].append(name)
    else:
      groups.append([name])
  return ', '.join(group[0] if len(group) == 1 else f'{group[0]} to {group[-1]}'
                   for group in groups)
