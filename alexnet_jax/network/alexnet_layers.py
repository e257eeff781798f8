"""What the paper's AlexNet and the program's are made of."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from flax import linen as nn

from alexnet_jax.errors import InputError
from alexnet_jax.network import layers as L
from alexnet_jax.network.batch_norm import BatchNorm
from alexnet_jax.network.classifier import ColumnSpec, check_length
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.response_norm import local_response_norm


class AlexNetSpec(ColumnSpec, Protocol):
  """The fields of a specification that the AlexNet layers need."""

  @property
  def kernels(self) -> Sequence[int]: ...
  @property
  def neurons(self) -> Sequence[int]: ...
  @property
  def stddevs(self) -> Sequence[float]: ...
  @property
  def biases(self) -> Sequence[float]: ...
  @property
  def dropout(self) -> bool: ...
  @property
  def bottleneck(self) -> int: ...


def makers(
    spec: AlexNetSpec, num_classes: int
) -> tuple[Callable[..., Layer], Callable[..., Layer], nn.Module]:
  """Returns conv(number, size, post_ops), full(number, post_ops) and fc8.

  Layers are numbered as in the paper, 1 to 8. The values of a sixth convolution
  (section 6) are between those of conv5 and fc6 in `stddevs` and `biases`.

  Args:
    spec: sizes and options of the network.
    num_classes: number of outputs of the softmax layer.

  Raises:
    InputError: a field has the wrong length.
  """
  convs = len(spec.kernels)
  if convs not in (5, 6):
    raise InputError(f'config.model.kernels has {convs} numbers: give 5, or 6'
                     ' for a net with a sixth convolution.')
  for field, value, length in (
      ('neurons', spec.neurons, 2), ('stddevs', spec.stddevs, convs + 3),
      ('biases', spec.biases, convs + 3)):
    check_length(field, value, length)

  def conv(number, size, post_ops, stride=1, padding=1) -> Layer:
    name = f'conv{number}'
    module = L.conv(
        spec.kernels[number - 1], size, stddev=spec.stddevs[number - 1],
        bias=spec.biases[number - 1], stride=stride, padding=padding)
    return Layer(name, module, name in spec.crossings, post_ops)

  def full(number, post_ops) -> Layer:
    name, place = f'fc{number}', number - 6 + convs
    module = L.fully_connected(
        spec.neurons[number - 6], stddev=spec.stddevs[place],
        bias=spec.biases[place])
    return Layer(name, module, name in spec.crossings, post_ops, spec.dropout)

  softmax = L.fully_connected(
      num_classes, stddev=spec.stddevs[-1], bias=spec.biases[-1])
  return conv, full, softmax


def bottleneck(spec: AlexNetSpec) -> tuple[Layer, ...]:
  """Returns a linear layer that reads all columns, or () if there is none.

  It serves networks with very many classes. Between fc7 and the 21,843 outputs,
  the program has 1024 units per column without nonlinearity or dropout and with
  biases of 0 (net #146-2011). The paper does not mention this layer.
  """
  if not spec.bottleneck:
    return ()
  module = L.fully_connected(
      spec.bottleneck, stddev=spec.stddevs[-1], bias=0.0)
  return (Layer('bottleneck', module, True, ()),)


def response_norm(spec: Any) -> tuple[Any, ...]:
  """Returns the operations of the norm (3.3): one, or none.

  Batch normalization has parameters; its class stands for it until
  `separate_batch_norms` makes a layer of it.

  Args:
    spec: the fields of the norm, of either AlexNet.

  Raises:
    InputError: it has no such norm.
  """
  if spec.norm not in ('response', 'batch'):
    raise InputError(
        f"config.model.norm={spec.norm!r} does not suit an AlexNet: give"
        " 'response', 'batch', or config.model.response_norm=False for none.")
  if not spec.response_norm:
    return ()
  if spec.norm == 'batch':
    return (BatchNorm,)
  return (functools.partial(
      local_response_norm, k=spec.norm_k, n=spec.norm_n,
      alpha=spec.norm_alpha, beta=spec.norm_beta),)


def separate_batch_norms(layers: Sequence[Layer]) -> tuple[Layer, ...]:
  """Makes layers of batch norms: 'norm1' after conv1, with what follows it."""
  separated = []
  for layer in layers:
    if BatchNorm not in layer.post_ops:
      separated.append(layer)
      continue
    place = layer.post_ops.index(BatchNorm)
    separated += [
        layer._replace(post_ops=layer.post_ops[:place]),
        Layer(layer.name.replace('conv', 'norm'), BatchNorm(), False,
              layer.post_ops[place + 1:])]
  return tuple(separated)


def leave_out(layers: Sequence[Layer], without: Sequence[str],
              pool: Callable) -> tuple[Layer, ...]:
  """Removes layers from a column (section 7).

  The nonlinearity and norm of a removed layer are removed with it. Its pooling
  moves to the layer below, so that the layers above keep their sizes.

  Args:
    layers: layers of one column.
    without: names of the layers to remove.
    pool: the pooling function to keep.

  Raises:
    InputError: a name is not that of a layer, or is conv1, which reads the
      pixels and cannot be removed.
  """
  names = [layer.name for layer in layers[1:]]
  remaining = list(layers[:1])
  for name in without:
    if name not in names:
      raise InputError(f'config.model.without names {name!r}: choose from'
                       f' {", ".join(names)}.')
  for layer in layers[1:]:
    if layer.name not in without:
      remaining.append(layer)
    elif pool in layer.post_ops:
      below = remaining[-1]
      remaining[-1] = below._replace(post_ops=(*below.post_ops, pool))
  return tuple(remaining)
