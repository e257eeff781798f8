"""Which outputs of a network are features: a layer's, or the pixels.

The paper's features are those of the last hidden layer (6.1); it compares them
to pixels, and to codes of pixels.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from alexnet_jax.errors import InputError
from alexnet_jax.network import classifier, columns, models
from alexnet_jax.network.classifier import Model
from alexnet_jax.network.shapes import layer_shapes

LAST = ''  # as the name of a layer: the last hidden one
PIXELS = 'pixels'  # in place of a layer: the patch itself, made smaller
# Pixels to a side. Krizhevsky and Hinton trained auto-encoders on images of
# 32 x 32 (2011, reference [14] of the paper).
SIDE = 32


def layer_names(model: Model) -> list[str]:
  """Returns the layers that have features, from the bottom up."""
  return [PIXELS, *(layer.name for layer in model.layers)]


def named_layer(model: Model, name: str) -> str:
  """Returns the name under which features of a layer are stored.

  The last hidden layer is LAST, whether it is named or not.

  Raises:
    InputError: the network has no such layer.
  """
  names = layer_names(model)
  if name and name not in names:
    raise InputError(f'--layer={name} is no layer of this network: give one of'
                     f' {", ".join(names)}.')
  return LAST if name == names[-1] else name


def outputs_of(model: Model, mesh: Mesh, layer: str,
               precision: str = 'float32') -> Callable[..., jax.Array]:
  """Returns f(variables, patches) -> the outputs of a layer [B, D].

  Maps are those after the norm and the pooling of their layer, row by row.

  Args:
    model: the network.
    mesh: its devices.
    layer: as `named_layer` returns it, but not PIXELS.
    precision: that in which the network computes; LAST has its own.
  """
  if layer == LAST:
    return lambda variables, patches: model.apply(variables, patches)[1]
  names = [one.name for one in model.layers]
  run = columns.run(model.layers[:names.index(layer) + 1], mesh,
                    maps=len(_output_shape(model, layer)) == 3)

  def outputs(variables, patches):
    params, batch_stats = classifier.split(variables)
    maps = run(params['columns'], batch_stats.get('columns', {}), patches,
               None).features
    return maps.reshape(len(maps), -1)

  return models.forward_in_precision(precision, outputs)


def _output_shape(model, layer):
  """Returns the shape of the outputs of a layer in one column."""
  shapes = list(
      layer_shapes(model.layers, model.num_columns, model.patch))
  return next((at.outputs for at in shapes if at.layer.name == layer),
              shapes[-1].outputs)


def dimension_of(model: Model, layer: str = LAST) -> int:
  """Returns D, the length of the features of a layer, pixels included."""
  if layer == PIXELS:
    return 3 * min(SIDE, model.patch)**2
  return model.num_columns * math.prod(_output_shape(model, layer))


def shrink(patches: jax.Array) -> jax.Array:
  """Returns patches of at most 32 pixels a side: [B, P, P, 3] -> [B, D]."""
  side = min(SIDE, patches.shape[1])
  resized = jax.image.resize(
      patches.astype(jnp.float32), (len(patches), side, side, 3), 'linear')
  return resized.reshape(len(resized), -1)
