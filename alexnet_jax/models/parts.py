"""Layers from numbers: a config's facts per layer, in the paper's order."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from alexnet_jax import layers as L
from alexnet_jax.columns import Layer
from alexnet_jax.errors import InputError


def makers(
    crossings: Sequence[str],
    kernels: Sequence[int],
    neurons: Sequence[int],
    stddevs: Sequence[float],
    biases: Sequence[float],
    num_classes: int,
):
  """Returns conv(number, size, then, ...), full(number, then, ...) and fc8.

  Layers are numbered as in the paper, 1 to 8.

  Raises:
    InputError: a field of the wrong length.
  """
  for field, value, length in (
      ('kernels', kernels, 5), ('neurons', neurons, 2),
      ('stddevs', stddevs, 8), ('biases', biases, 8)):
    if len(value) != length:
      raise InputError(f'config.model.{field} has {len(value)} numbers: give'
                       f' {length}, one for each layer in the paper\'s order.')

  def conv(number, size, then, stride=1, padding='SAME') -> Layer:
    name = f'conv{number}'
    module = L.conv(kernels[number - 1], size, stddev=stddevs[number - 1],
                    bias=biases[number - 1], stride=stride, padding=padding)
    return Layer(name, module, name in crossings, then)

  def full(number, then, dropout) -> Layer:
    name = f'fc{number}'
    module = L.full(neurons[number - 6], stddev=stddevs[number - 1],
                    bias=biases[number - 1])
    return Layer(name, module, name in crossings, then, dropout)

  softmax = L.full(num_classes, stddev=stddevs[7], bias=biases[7])
  return conv, full, softmax


def nonlinearity(name: str) -> Callable[[jax.Array], jax.Array]:
  """Section 3.1: 'relu', or the 'tanh' that it replaced."""
  known = {'relu': jax.nn.relu, 'tanh': jnp.tanh}
  if name not in known:
    raise InputError(f'config.model.nonlinearity={name!r} is not known: give'
                     f' one of {", ".join(known)}.')
  return known[name]
