"""The shapes of every layer, and initial parameters of these shapes."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from alexnet_jax.errors import InputError
from alexnet_jax.network import partners, rng
from alexnet_jax.network.columns import Layer


class LayerShapes(NamedTuple):
  """Input and output shapes of one layer of one column, for one image."""

  layer: Layer
  reads: tuple[int, ...]  # all columns' maps if the layer crosses
  neurons: tuple[int, ...]  # after the weights: the paper's sizes
  outputs: tuple[int, ...]  # after the post_ops


def with_sides(layers: Sequence[Layer]) -> tuple[Layer, ...]:
  """Returns the layers, followed by those of all side classifiers."""
  return (*layers, *(one for layer in layers for one in layer.side))


def all_shapes(layers: Sequence[Layer], num_columns: int,
               patch: int) -> Iterator[LayerShapes]:
  """Like `layer_shapes`, for the layers `with_sides`."""
  outputs = []
  for shapes in layer_shapes(layers, num_columns, patch):
    outputs.append(shapes.outputs)
    yield shapes
  for layer, reads in zip(layers, outputs, strict=True):
    yield from layer_shapes(layer.side, num_columns, patch, reads)


def layer_shapes(layers: Sequence[Layer], num_columns: int, patch: int,
                 reads: tuple[int, ...] = ()) -> Iterator[LayerShapes]:
  """Yields the shapes of each layer, from the first up, without computing it.

  Args:
    layers: layers of one column.
    num_columns: number of columns of the network.
    patch: side of the square input in pixels.
    reads: shape that the first layer reads, for one image; (): the pixels.

  Raises:
    InputError: the input is so small that a layer has no units.
  """
  x = jax.ShapeDtypeStruct((1, *(reads or (patch, patch, 3))), jnp.float32)
  for layer in layers:
    if layer.crosses:
      x = jax.ShapeDtypeStruct(
          (*x.shape[:-1], x.shape[-1] * partners.columns_read(
              layer.partners, num_columns)), x.dtype)
    module: Any = layer.module  # hashable, which its type does not say
    neurons = _shape_after(module, x.shape)
    out = _shape_past(tuple(layer.post_ops), neurons)
    if 0 in neurons.shape:  # pooling would give only -inf
      raise InputError(
          f'{patch}-pixel patches leave {layer.name} no units: give a larger'
          ' config.augment.crop (64 is enough for three poolings).')
    yield LayerShapes(layer, x.shape[1:], neurons.shape[1:], out.shape[1:])
    x = out


@functools.lru_cache(maxsize=1024)  # deep networks repeat their blocks
def _shape_after(module, reads):
  outputs, _ = jax.eval_shape(
      module.init_with_output, jax.random.key(0),
      jax.ShapeDtypeStruct(reads, jnp.float32))
  return outputs


@functools.lru_cache(maxsize=1024)  # a run asks for them several times
def _shape_past(post_ops, neurons):
  return jax.eval_shape(
      lambda x: functools.reduce(lambda x, f: f(x), post_ops, x), neurons)


def initial_variables(layers: Sequence[Layer], key: jax.Array, num_columns: int,
         patch: int) -> tuple[Any, Any]:
  """Draws the parameters of each column; leaves have a leading axis K.

  Args:
    layers: layers of one column.
    key: key of the initial values.
    num_columns: K.
    patch: side of the square input in pixels.

  Returns:
    {layer: parameters}, and {layer: running averages} of the layers that have
    some.

  Raises:
    InputError: the input is so small that a layer has no units.
  """

  def draw(layer, reads, column):
    layer_key = jax.random.fold_in(rng.fold_in_name(key, layer.name), column)
    return layer.module.init(layer_key, jnp.zeros((1, *reads)))

  variables = {
      layer.name: jax.vmap(lambda column, layer=layer, reads=reads: draw(
          layer, reads, column))(jnp.arange(num_columns))
      for layer, reads, _, _ in all_shapes(layers, num_columns, patch)
  }
  params, batch_stats = (
      {name: one[kind] for name, one in variables.items() if kind in one}
      for kind in ('params', 'batch_stats'))
  return params, batch_stats
