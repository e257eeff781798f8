"""The program's CIFAR-10 nets with three convolutions (cuda-convnet).

These nets are not in the paper; its four-layer net on the same data is
`cifar_local.py`. The program names 19pct and 18pct after their error rates and
80sec after its training time. They differ in their norms and in whether they
have a hidden layer.

The program calls the softmax layer fc10, after its ten outputs. Here the layer
above the columns is called fc8 in every network, as in the paper.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

from jax.sharding import Mesh

from alexnet_jax.errors import InputError
from alexnet_jax.network import classifier
from alexnet_jax.network import layers as L
from alexnet_jax.network.classifier import Model, check_length
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.pooling import avg_pool, max_pool
from alexnet_jax.network.response_norm import within_map_norm


@dataclasses.dataclass(frozen=True)
class Spec:
  """19pct; 18pct with `response_norm`; 80sec with `neurons` of (64,)."""

  num_columns: int = 1
  crossings: tuple[str, ...] = ('fc8',)
  kernels: tuple[int, ...] = (32, 32, 64)  # maps per column, conv1 to conv3
  neurons: tuple[int, ...] = ()  # of the hidden layer fc4; () leaves it out
  stddevs: tuple[float, ...] = (0.0001, 0.01, 0.01, 0.01)  # conv1 to fc8
  biases: tuple[float, ...] = (0.0,) * 4
  nonlinearity: str = 'relu'  # of classifier.NONLINEARITIES
  response_norm: bool = False  # within each map, after the first two poolings
  norm_size: int = 3  # side of the square window
  norm_alpha: float = 5e-5 / 9  # per squared term; the program's 5e-5 / (3 x 3)
  norm_beta: float = 0.75  # exponent; the additive constant is 1


def build(spec: Spec, mesh: Mesh, num_classes: int, patch: int) -> Model:
  """Builds a net of three convolutions and a softmax layer.

  Args:
    spec: sizes and options of the network.
    mesh: devices that run the network.
    num_classes: number of outputs of the softmax layer.
    patch: side of the square input in pixels; 32, or 24 if images are cropped.

  Raises:
    InputError: a field has the wrong length.
  """
  check_length('kernels', spec.kernels, 3)
  if len(spec.neurons) > 1:
    raise InputError(
        f'config.model.neurons has {len(spec.neurons)} numbers: give one, for'
        ' fc4, or () for no hidden layer.')
  initial = initial_values(
      ('conv1', 'conv2', 'conv3', *(('fc4',) * len(spec.neurons)), 'fc8'),
      spec.stddevs, spec.biases)
  f = classifier.nonlinearity(spec.nonlinearity)
  norm = functools.partial(within_map_norm, size=spec.norm_size,
                           alpha=spec.norm_alpha, beta=spec.norm_beta)
  norm = (norm,) if spec.response_norm else ()

  def conv(number, post_ops):
    name = f'conv{number}'
    module = L.conv(spec.kernels[number - 1], 5, **initial[name])
    return Layer(name, module, name in spec.crossings, post_ops)

  def full(neurons):
    module = L.fully_connected(neurons, **initial['fc4'])
    return Layer('fc4', module, 'fc4' in spec.crossings, (f,))

  layers = (
      #                                                     32 32  3   (24 24)
      conv(1, (f, max_pool, *norm)),       # 32 32 32,    16 16      (12 12)
      conv(2, (f, avg_pool, *norm)),       # 16 16 32,     8  8      ( 6  6)
      conv(3, (f, avg_pool, L.flatten)),   #  8  8 64,     4  4      ( 3  3)
      *map(full, spec.neurons),              #       64
  )
  softmax = L.fully_connected(num_classes, **initial['fc8'])
  return classifier.build(layers, softmax, spec, mesh, patch)


def initial_values(names: Sequence[str], stddevs: Sequence[float],
                   biases: Sequence[float]) -> dict[str, dict[str, Any]]:
  """Returns {layer: arguments of its constructor in `layers.py`}.

  Args:
    names: names of the layers.
    stddevs: standard deviation of the initial weights, one per layer.
    biases: initial biases, one per layer.

  Raises:
    InputError: the count of stddevs or biases differs from that of the layers.
  """
  check_length('stddevs', stddevs, len(names))
  check_length('biases', biases, len(names))
  return {name: {'stddev': stddev, 'bias': bias} for name, stddev, bias in
          zip(names, stddevs, biases, strict=True)}
