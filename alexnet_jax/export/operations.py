"""A network at test time as a list of standard operations.

Other programs know no columns. Here the maps of all columns are side by side in
one array [B, maps, H, W], a layer that stays in its column is a layer with
groups, and dropout is a factor. The weights have PyTorch's layout, and those of
a network that torchvision has, its names. Side classifiers, which a test does
without, are left out.

A function in `post_ops` that is not in `KINDS` has no form here: a network that
adds one adds it there.
"""

import functools
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax

from alexnet_jax.array_files import torchvision_names
from alexnet_jax.errors import InputError
from alexnet_jax.export import blocks
from alexnet_jax.network import (
  classifier,
  layers_1998,
  pixels,
  published,
  resnet,
)
from alexnet_jax.network import layers as L
from alexnet_jax.network.batch_norm import BatchNorm
from alexnet_jax.network.classifier import NONLINEARITIES, Model
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.pooling import avg_pool, max_pool
from alexnet_jax.network.response_norm import (
  local_response_norm,
  within_map_norm,
)
from alexnet_jax.run import weights

DROPOUT = 0.5  # the factor of `layers.dropout` at test time


class Operation(NamedTuple):
  """One operation on arrays [B, maps, H, W] or [B, neurons].

  Settings by kind:
    divide: by, a number for each color. gray: scale, by which the mean of the
      colors is divided.
    convolution: groups, stride, padding (top, bottom, left, right).
    full: groups; with several, the weight is [out, in, 1], that of a
      convolution over one position.
    channel_norm: groups, k, n, alpha, beta; alpha is per squared term.
    map_norm: k, size, alpha, beta; alpha is per squared term.
    max_pool, avg_pool: size, stride, overhang: rows and columns by which the
      last windows extend past the edge, where there are no units; before, if
      the first windows begin that many units before it.
    batch_norm: epsilon.
    subsample: stride. pad_maps: count of new maps of zeros.
    average, of each map. add and concatenate, of several arrays.
    crop: height, width of the units that stay, from the top left.
    scale: factor.
    flatten, and the nonlinearities by their names: none.

  LeNet-5's squashing function is scale, tanh and scale.
  """

  kind: str
  name: str  # of the layer in PyTorch, such as 'conv1'; '' without weights
  settings: Mapping[str, Any]
  # weight [out, in, ...], bias [out]; of norms also running_mean, running_var.
  arrays: Mapping[str, np.ndarray]
  # Places in the list of what it reads; () for the operation before it.
  reads: tuple[int, ...] = ()


KINDS: Mapping[Callable, str] = {
    **{function: name for name, function in NONLINEARITIES.items()},
    L.flatten: 'flatten',
    local_response_norm: 'channel_norm', within_map_norm: 'map_norm',
    max_pool: 'max_pool', avg_pool: 'avg_pool',
    published.keep_whole_windows: 'crop', resnet.average: 'average'}


def operations(model: Model, variables: Any) -> list[Operation]:
  """Returns the operations from float32 patches to logits.

  Args:
    model: the network.
    variables: its parameters, and its running averages if it has some.

  Raises:
    InputError: a layer has no form in standard operations.
  """
  variables = jax.device_get(variables)
  layers = weights.to_layers(model, variables)
  params, averages = classifier.split(variables)
  chain = _Chain(model)
  for layer in model.layers:
    held = {'params': params['columns'][layer.name]}
    if layer.name in averages.get('columns', {}):
      held['batch_stats'] = averages['columns'][layer.name]
    chain.add_layer(layer, layers[layer.name], held)
  fc8 = jax.tree.map(lambda leaf: leaf[None], params['fc8'])
  chain.add_layer(Layer('fc8', model.softmax, True, ()), fc8, {'params': fc8})
  return chain.operations


class _Chain:
  """The operations so far, and what one column has computed by then."""

  def __init__(self, model: Model):
    num_columns, patch = model.num_columns, model.patch
    self.operations: list[Operation] = []
    self._name_of = torchvision_names.module_names(
        model.network, [layer.name for layer in model.layers])
    self._num_columns = num_columns
    # Of one column and one image.
    self._column = jax.ShapeDtypeStruct((1, patch, patch, 3), jnp.float32)
    # Its maps, or those that were flattened; () above a full layer.
    self._maps: tuple[int, ...] = (patch, patch, 3)
    self._before = 0  # by how much the next windows begin before the edge

  def add_layer(self, layer: Layer, params: Mapping[str, np.ndarray],
                held: Any) -> None:
    """Adds a layer, its post_ops and its dropout.

    Args:
      layer: the layer.
      params: its arrays, with a leading axis of columns, by their names.
      held: its variables, as its module takes them.
    """
    if layer.partners:
      raise _no_form(layer.name, 'columns that read some of the others')
    first = not self.operations
    groups = 1 if layer.crosses or first else self._num_columns
    reads = self._column
    if layer.crosses and not first:
      reads = jax.ShapeDtypeStruct(
          (*reads.shape[:-1], self._num_columns * reads.shape[-1]), reads.dtype)
    match layer.module:
      case nn.Conv():
        self._add_convolution(layer, params, groups, reads)
      case L.FullyConnected():
        self._add_full(layer, params, groups)
      case BatchNorm():
        self._add('batch_norm', layer.name, {
            theirs: params[ours].reshape(-1)
            for ours, theirs in blocks.NORM_ARRAYS.items()},
                  epsilon=layer.module.epsilon)
      case module if type(module) in blocks.WRITERS:
        blocks.WRITERS[type(module)](blocks.Block(
            self._add, layer.name, params, reads,
            len(self.operations) - 1), module)
      case module:
        raise _no_form(layer.name, type(module).__name__)
    one_column = jax.tree.map(lambda leaf: leaf[0], held)
    self._column = jax.eval_shape(layer.module.apply, one_column, reads)
    self._maps = self._column.shape[1:] if len(self._column.shape) == 4 else ()
    for function in layer.post_ops:
      self._add_function(layer.name, function)
    if layer.dropout and not layer.inverted:
      self._add('scale', factor=DROPOUT)

  def _add(self, kind, name='', arrays=None, reads=(), **settings) -> int:
    """Adds an operation and returns its place; `name` is ours."""
    last = len(self.operations) - 1
    reads = () if reads == (last,) else reads
    self.operations.append(Operation(
        kind, name and self._name_of(name), settings, arrays or {}, reads))
    return last + 1

  def _add_convolution(self, layer, params, groups, reads):
    module = layer.module
    stride = module.strides or 1
    sides = (stride, stride) if isinstance(stride, int) else tuple(stride)
    weight = params['kernel'].transpose(0, 4, 3, 1, 2)  # [K, out, in, h, w]
    if isinstance(module, pixels.PixelConv):
      self._add('divide', by=list(module.pixel_stddevs))
    if isinstance(module, layers_1998.GrayConv):
      self._add('gray', scale=module.pixel_scale)
    self._add(
        'convolution', layer.name,
        {'weight': weight.reshape(-1, *weight.shape[2:]),
         'bias': params['bias'].reshape(-1)},
        groups=groups * module.feature_group_count, stride=list(sides),
        padding=_padding(module.padding, reads.shape[1:3], weight.shape[3:],
                         sides))

  def _add_pooling(self, kind, size, stride):
    before = {'before': self._before} if self._before else {}
    self._before = 0
    self._add(kind, size=size, stride=stride, overhang=[
        blocks.overhang(units, size, stride)
        for units in self._column.shape[1:3]],
              **before)

  def _add_full(self, layer, params, groups):
    order = self._row_order(layer.crosses)
    if len(self._column.shape) == 4:
      self._add('flatten')
    weight = params['kernel'][:, order].transpose(0, 2, 1)  # [K, out, in]
    weight = weight.reshape(-1, weight.shape[2])
    self._add(
        'full', layer.name,
        {'weight': weight if groups == 1 else weight[..., None],
         'bias': params['bias'].reshape(-1)}, groups=groups)

  def _row_order(self, crosses):
    """Where the inputs of a full layer are among its rows.

    The rows are in the order (H, W, maps); the inputs here are in the order
    (column, maps, H, W).
    """
    columns = self._num_columns if crosses else 1
    rows = np.arange(columns * math.prod(self._column.shape))
    if not self._maps:
      return rows
    height, width, maps = self._maps
    if len(self._column.shape) == 4:  # columns are joined along the maps
      rows = rows.reshape(height, width, columns, maps).transpose(2, 3, 0, 1)
    else:  # each column was flattened before they are joined
      rows = rows.reshape(columns, height, width, maps).transpose(0, 3, 1, 2)
    return rows.reshape(-1)

  def _add_function(self, name, function):
    base, keywords = _function_and_keywords(function)
    groups = self._num_columns
    if base is published.norm_in_groups:
      groups *= keywords['groups']
      base, keywords = _function_and_keywords(keywords['norm'])
    if base is layers_1998.scaled_tanh:
      self._add('scale', factor=layers_1998.SLOPE)
      self._add('tanh')
      self._add('scale', factor=layers_1998.AMPLITUDE)
      return
    if base is resnet.pad_before:
      self._before, self._column = 1, jax.eval_shape(base, self._column)
      return
    kind, settings = KINDS.get(base), {}
    if kind is None:
      raise _no_form(name, getattr(base, '__name__', str(base)))
    after = jax.eval_shape(function, self._column)
    if kind in ('channel_norm', 'map_norm', 'max_pool', 'avg_pool'):
      bound = inspect.signature(base).bind(None, **keywords)
      bound.apply_defaults()
      settings = dict(list(bound.arguments.items())[1:])
    if kind == 'channel_norm':
      settings['groups'] = groups
    if kind == 'crop':
      settings = dict(zip(('height', 'width'), after.shape[1:3], strict=True))
    if kind == 'map_norm':
      settings['k'] = 1.0  # the constant of `response_norm.within_map_norm`
    if kind in ('max_pool', 'avg_pool'):
      self._add_pooling(kind, settings['size'], settings['stride'])
    elif kind != 'crop' or after.shape != self._column.shape:
      self._add(kind, **settings)
    self._column = after
    if len(self._column.shape) == 4:
      self._maps = self._column.shape[1:]
    elif kind == 'average':
      self._maps = ()


def _function_and_keywords(
    function: Any) -> tuple[Callable, Mapping[str, Any]]:
  if isinstance(function, functools.partial):
    return function.func, function.keywords
  return function, {}


def _padding(padding: Any, units: Sequence[int], sizes: Sequence[int],
             strides: Sequence[int]) -> list[int]:
  """Converts the padding of `nn.Conv` to (top, bottom, left, right)."""
  if isinstance(padding, int):
    pairs = [(padding, padding)] * 2
  elif isinstance(padding, str):
    pairs = lax.padtype_to_pads(units, sizes, strides, padding)
  else:
    pairs = [(p, p) if isinstance(p, int) else p for p in padding]
  return [int(side) for pair in pairs for side in pair]


def _no_form(name: str, what: str) -> InputError:
  return InputError(
      f'{name} has {what}, which ONNX and PyTorch have no standard operation'
      ' for: give --format=stablehlo, safetensors or npz.')
