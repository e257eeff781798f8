"""Columns below, a softmax layer above: what every network here is."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.sharding import Mesh

from alexnet_jax.errors import InputError
from alexnet_jax.network import columns
from alexnet_jax.network.columns import Layer


class Model(NamedTuple):
  """A network is a pair of pure functions, and the plan they were made from."""

  init: Callable[[jax.Array], Any]  # key -> params
  apply: Callable  # (params, patches, keys=None) -> (logits, features)
  layers: tuple[Layer, ...]  # of one column, without fc8
  softmax: nn.Module  # fc8
  num_columns: int
  patch: int


def build(
    layers: Sequence[Layer],
    softmax: nn.Module,
    mesh: Mesh,
    *,
    num_columns: int,
    patch: int,
    crossings: Sequence[str],
) -> Model:
  """Puts the softmax layer on top of the columns.

  fc8 stands outside the columns, in the global view, so that any number of
  classes works and fine-tuning replaces one leaf. It always reads all columns.

  Args:
    layers: one column, as `models/alexnet.py` writes it.
    softmax: the last full layer.
    mesh: where it all runs.
    num_columns: K.
    patch: side of the square input in pixels.
    crossings: names of the layers that read every column.

  Raises:
    InputError: a crossing that is no layer, or no crossing at fc8.
  """
  names = [layer.name for layer in layers[1:]] + ['fc8']
  unknown = [name for name in crossings if name not in names]
  if unknown or 'fc8' not in crossings:
    wrong = (f'{unknown[0]!r}, which cannot cross' if unknown
             else 'no fc8, where the columns must end in one softmax')
    raise InputError(f'config.model.crossings has {wrong}: choose from'
                     f' {", ".join(names)} and keep fc8.')
  run = columns.run(layers, mesh)

  def init(key):
    held = columns.init(layers, key, num_columns, patch)
    *_, last = columns.shapes(layers, num_columns, patch)
    features = jnp.zeros((1, num_columns * last.puts_out[-1]))
    above = softmax.init(jax.random.fold_in(key, num_columns), features)
    return {'columns': held, 'fc8': above['params']}

  def apply(params, patches, keys=None):
    features = run(params['columns'], patches, keys)  # B 4096
    with jax.named_scope('fc8'):
      logits = softmax.apply({'params': params['fc8']}, features)
    return logits, features

  return Model(init, apply, tuple(layers), softmax, num_columns, patch)
