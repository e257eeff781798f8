"""Layers that are several standard operations: blocks, and those of 1998.

They are written as `network/resnet.py`, `googlenet.py` and `layers_1998.py`
compute them at test time.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from alexnet_jax.network import googlenet, layers_1998, resnet

# Our arrays of a batch normalization, and PyTorch's.
NORM_ARRAYS = {'scale': 'weight', 'bias': 'bias', 'mean': 'running_mean',
               'var': 'running_var'}
# The pooling in a module of GoogLeNet, with units of the edge all around.
POOLING = {'size': 3, 'stride': 1, 'before': 1, 'overhang': [1, 1]}


class Block(NamedTuple):
  """One layer in its only column. Its methods return an operation's place."""

  append: Callable[..., int]  # (kind, name, arrays, reads, **settings) -> place
  name: str
  params: Mapping[str, np.ndarray]  # with a leading axis of one
  reads: jax.ShapeDtypeStruct  # [1, H, W, maps]
  start: int  # the place of what it reads

  def convolution(self, conv: str, norm: str = '', *, reads: int,
                  stride: int = 1, epsilon: float = 0.0) -> int:
    """A convolution between zeros, and its norm if there is one.

    Args:
      conv: its name in the layer.
      norm: the name of its norm.
      reads: the place of what it reads.
      stride: distance between adjacent positions.
      epsilon: of the norm.
    """
    kernel = self.params[f'{conv}/kernel'][0]  # [h, w, in, out]
    arrays = {'weight': kernel.transpose(3, 2, 0, 1)}
    if f'{conv}/bias' in self.params:
      arrays['bias'] = self.params[f'{conv}/bias'][0]
    place = self.append(
        'convolution', f'{self.name}/{conv}', arrays, (reads,), groups=1,
        stride=[stride] * 2, padding=[len(kernel) // 2] * 4)
    if f'{norm}/scale' not in self.params:
      return place
    return self.append('batch_norm', f'{self.name}/{norm}', {
        theirs: self.params[f'{norm}/{ours}'][0]
        for ours, theirs in NORM_ARRAYS.items()}, epsilon=epsilon)

  def relu(self, reads: int) -> int:
    return self.append('relu', reads=(reads,))

  def divided(self, stddevs: tuple[float, ...]) -> int:
    return (self.append('divide', by=list(stddevs)) if stddevs
            else self.start)


def overhang(units: int, size: int, stride: int) -> int:
  """Returns how far the last window extends past the edge.

  Args:
    units: number of units along an axis.
    size: of the windows.
    stride: distance between adjacent windows, as in `pooling.max_pool`.
  """
  windows = 1 + max(0, -(-(units - size) // stride))
  return max(0, (windows - 1) * stride + size - units)


# --- ResNet -------------------------------------------------------------------


def _stem(block: Block, module: resnet.Stem) -> None:
  spec = module.spec
  block.convolution('conv', 'bn', reads=block.divided(spec.pixel_stddevs),
                    stride=module.stride, epsilon=spec.norm_epsilon)


def _residual(block: Block, module: resnet.Block) -> None:
  spec, stride = module.spec, module.stride
  strides = [stride, 1]
  if spec.bottlenecks:
    strides = [1, stride, 1] if spec.stride_in_3x3 else [stride, 1, 1]
  y = block.start
  for i, one in enumerate(strides, 1):
    y = block.convolution(f'conv{i}', f'bn{i}', stride=one,
                          reads=y if i == 1 else block.relu(y),
                          epsilon=spec.norm_epsilon)
  if spec.shortcut != 'none':
    maps = module.kernels * (4 if spec.bottlenecks else 1)
    y = block.append('add', reads=(y, _shortcut(block, spec, stride, maps)))
  block.relu(y)


def _shortcut(block, spec, stride, maps):
  """The place of the block's input, in the shape of its output."""
  if 'shortcut_conv/kernel' in block.params:
    return block.convolution(
        'shortcut_conv', 'shortcut_bn', reads=block.start, stride=stride,
        epsilon=spec.norm_epsilon)
  place = block.start
  if stride > 1:
    place = block.append('subsample', reads=(place,), stride=stride)
  new = maps - block.reads.shape[-1]
  return block.append('pad_maps', reads=(place,), count=new) if new else place


# --- GoogLeNet ----------------------------------------------------------------


def _rectified(block: Block, module: googlenet.Conv) -> None:
  _conv_relu(block, module.spec, reads=block.divided(module.pixel_stddevs),
             stride=module.stride)


def _conv_relu(block, spec, path='', **more):
  return block.relu(block.convolution(
      f'{path}conv', f'{path}bn', epsilon=spec.norm_epsilon, **more))


def _inception(block: Block, module: googlenet.Inception) -> None:
  def conv(name, reads):
    return _conv_relu(block, module.spec, f'{name}/', reads=reads)

  x = block.start
  pooled = block.append('max_pool', reads=(x,), **POOLING)
  block.append('concatenate', reads=(
      conv('branch1', x),
      conv('branch2_3x3', conv('branch2_reduce', x)),
      conv('branch3_5x5', conv('branch3_reduce', x)),
      conv('branch4_projection', pooled)))


# --- LeNet-5 ------------------------------------------------------------------


def _table(block: Block, module: layers_1998.TableConv) -> None:
  """Zeros stand for what a map does not read."""
  kernel = np.asarray(layers_1998.with_zeros(
      block.params['kernel'][0], module.table, block.reads.shape[-1]))
  block.append(
      'convolution', block.name,
      {'weight': kernel.transpose(3, 2, 0, 1), 'bias': block.params['bias'][0]},
      groups=1, stride=[1, 1], padding=[0] * 4)


def _subsampling(block: Block, module: layers_1998.Subsampling) -> None:
  """The mean of four units, and a convolution of each map alone."""
  del module
  block.append('avg_pool', size=2, stride=2, overhang=[
      overhang(units, 2, 2) for units in block.reads.shape[1:3]])
  block.append(
      'convolution', block.name,
      {'weight': 4 * block.params['kernel'].reshape(-1, 1, 1, 1),
       'bias': block.params['bias'].reshape(-1)},
      groups=block.reads.shape[-1], stride=[1, 1], padding=[0] * 4)


# What writes a layer of each kind.
WRITERS: Mapping[type, Callable[[Block, Any], None]] = {
    resnet.Stem: _stem, resnet.Block: _residual,
    googlenet.Conv: _rectified, googlenet.Inception: _inception,
    layers_1998.TableConv: _table, layers_1998.Subsampling: _subsampling}
