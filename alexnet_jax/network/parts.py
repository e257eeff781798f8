"""Layers from numbers: a config's facts per layer, in the paper's order."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from alexnet_jax.errors import InputError
from alexnet_jax.network import layers as L
from alexnet_jax.network.columns import Layer


def makers(
    crossings: Sequence[str],
    kernels: Sequence[int],
    neurons: Sequence[int],
    stddevs: Sequence[float],
    biases: Sequence[float],
    num_classes: int,
):
  """Returns conv(number, size, then, ...), full(number, then, ...) and fc8.

  Layers are numbered as in the paper, 1 to 8; a sixth convolution (section 6)
  stands in `stddevs` and `biases` between conv5 and fc6.

  Raises:
    InputError: a field of the wrong length.
  """
  convs = len(kernels)
  if convs not in (5, 6):
    raise InputError(f'config.model.kernels has {convs} numbers: give 5, or 6'
                     ' for a net with a sixth convolution.')
  for field, value, length in (
      ('neurons', neurons, 2), ('stddevs', stddevs, convs + 3),
      ('biases', biases, convs + 3)):
    if len(value) != length:
      raise InputError(f'config.model.{field} has {len(value)} numbers: give'
                       f' {length}, one for each layer in the paper\'s order.')

  def conv(number, size, then, stride=1, padding=1) -> Layer:
    name = f'conv{number}'
    module = L.conv(kernels[number - 1], size, stddev=stddevs[number - 1],
                    bias=biases[number - 1], stride=stride, padding=padding)
    return Layer(name, module, name in crossings, then)

  def full(number, then, dropout) -> Layer:
    name, place = f'fc{number}', number - 6 + convs
    module = L.full(neurons[number - 6], stddev=stddevs[place],
                    bias=biases[place])
    return Layer(name, module, name in crossings, then, dropout)

  softmax = L.full(num_classes, stddev=stddevs[-1], bias=biases[-1])
  return conv, full, softmax


def bottleneck(neurons: int, stddev: float) -> tuple[Layer, ...]:
  """A linear layer that reads all columns: for very many classes; 0 is none.

  Between fc7 and 21,843 outputs the program put 1024 units a column without
  nonlinearity or dropout, biases 0 (net #146-2011; the paper is silent).
  """
  module = L.full(neurons, stddev=stddev, bias=0.0)
  return (Layer('bottleneck', module, True, ()),) if neurons else ()


def leave_out(layers: Sequence[Layer], without: Sequence[str],
              pool: Callable) -> tuple[Layer, ...]:
  """The column without some layers (section 7): what is above moves down.

  A layer takes its nonlinearity and norm along, but its pooling is left to the
  layer below it, so that everything above keeps its size.

  Raises:
    InputError: no such layer, or conv1, which reads the pixels.
  """
  names = [layer.name for layer in layers[1:]]
  kept = list(layers[:1])
  for name in without:
    if name not in names:
      raise InputError(f'config.model.without names {name!r}: choose from'
                       f' {", ".join(names)}.')
  for layer in layers[1:]:
    if layer.name not in without:
      kept.append(layer)
    elif pool in layer.then:
      kept[-1] = kept[-1]._replace(then=(*kept[-1].then, pool))
  return tuple(kept)


def nonlinearity(name: str) -> Callable[[jax.Array], jax.Array]:
  """Section 3.1: 'relu', or the 'tanh' that it replaced."""
  known = {'relu': jax.nn.relu, 'tanh': jnp.tanh}
  if name not in known:
    raise InputError(f'config.model.nonlinearity={name!r} is not known: give'
                     f' one of {", ".join(known)}.')
  return known[name]
