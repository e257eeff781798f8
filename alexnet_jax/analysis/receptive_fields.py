"""Receptive fields: the pixels that the units of a layer read."""

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import NamedTuple

from flax import linen as nn
from jax import lax

from alexnet_jax.errors import InputError
from alexnet_jax.network import layers as L
from alexnet_jax.network import layers_1998
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.pooling import avg_pool, max_pool
from alexnet_jax.network.shapes import layer_shapes


class Field(NamedTuple):
  """The receptive fields of the units of a layer, in pixels of the patch."""

  first: int  # start of the first unit's field; below 0 if past the edge
  step: int  # distance between the fields of adjacent units
  size: int  # side of the square field


def fields(layers: Sequence[Layer], num_columns: int,
           patch: int) -> dict[str, Field]:
  """Returns the receptive fields of every layer with spatial maps.

  The norms are ignored, as in the projection.

  Args:
    layers: layers of one column.
    num_columns: number of columns of the network.
    patch: side of the square input in pixels.

  Raises:
    InputError: a layer is no convolution of colors or of all maps.
  """
  by_layer, field = {}, Field(0, 1, 1)
  for layer, reads, neurons, _ in layer_shapes(
    layers, num_columns, patch
  ):
    if len(neurons) < 3:
      break
    if (not isinstance(layer.module, nn.Conv | L.LocallyConnected)
        or isinstance(layer.module, layers_1998.GrayConv)):
      raise InputError(
          f'{layer.name} of this network is no single convolution of colors or'
          ' of all maps, and units are projected through these: give a run of'
          " an AlexNet with its response norm, or of a network named 'cifar' or"
          " 'published'.")
    field = _read_through(field, *_kernel(layer.module, reads[0]))
    by_layer[layer.name] = field
    for f in layer.post_ops:
      if bare(f) in (max_pool, avg_pool):
        field = _read_through(field, *window(f), 0)
  return by_layer


def square_of(field: Field, place: Sequence[int]) -> tuple[int, int, int]:
  """Returns (top, left, side) of a unit's field, which may pass the edge."""
  top, left = (field.first + field.step * at for at in place)
  return top, left, field.size


def moved_inside(square: tuple[int, int, int],
                 patch: int) -> tuple[int, int, int]:
  """Moves a square (top, left, side) so that it is inside the patch.

  A moved square contains some pixels that the unit does not read. A square
  larger than the patch becomes the whole patch.
  """
  top, left, side = square
  side = min(side, patch)
  top, left = (min(max(at, 0), patch - side) for at in (top, left))
  return top, left, side


def _read_through(field, size, stride, padding):
  """Returns the field of units that read windows of units of this field."""
  return Field(field.first - padding * field.step, field.step * stride,
               field.size + (size - 1) * field.step)


def _kernel(module, side):
  """Returns (size, stride, padding before the edge) of a square kernel."""
  if isinstance(module, L.LocallyConnected):
    return module.size, 1, (module.size - 1) // 2
  size, stride, padding = module.kernel_size[0], module.strides, module.padding
  if isinstance(padding, str):
    padding = lax.padtype_to_pads((side,), (size,), (stride,), padding)
  return size, stride, padding if isinstance(padding, int) else padding[0][0]


def window(pool: Callable) -> tuple[int, int]:
  """Returns (size, stride) of a pooling, from its `partial` or defaults."""
  defaults = inspect.signature(pool).parameters
  return defaults['size'].default, defaults['stride'].default


def bare(f: Callable) -> Callable:
  """Returns an operation without the arguments that a `partial` fixes."""
  return f.func if isinstance(f, functools.partial) else f
