"""The four-layer CIFAR-10 net of section 3.3: 13 % error, 11 % with the norm.

The nets are conv-local-13pct and conv-local-11pct of the program that the
paper names in footnote 3. They have two convolutions, then two locally
connected layers, whose positions do not share weights. The softmax layer is
called fc8 here; see `cifar.py`.
"""

import dataclasses
import functools

from jax.sharding import Mesh

from alexnet_jax.network import classifier
from alexnet_jax.network import layers as L
from alexnet_jax.network.cifar import initial_values
from alexnet_jax.network.classifier import Model, check_length
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.pooling import max_pool
from alexnet_jax.network.response_norm import local_response_norm


@dataclasses.dataclass(frozen=True)
class Spec:
  """conv-local-11pct; conv-local-13pct has no norm and 32 local maps."""

  num_columns: int = 1
  crossings: tuple[str, ...] = ('fc8',)
  kernels: tuple[int, ...] = (64, 64)  # maps per column of conv1 and conv2
  local_kernels: tuple[int, ...] = (64, 32)  # of local3 and local4
  stddevs: tuple[float, ...] = (0.0001, 0.01, 0.04, 0.04, 0.01)  # conv1 to fc8
  biases: tuple[float, ...] = (0.0,) * 5
  nonlinearity: str = 'relu'  # of classifier.NONLINEARITIES
  # Section 3.3, after the first pooling and before the second. The constants
  # differ from those of the paper's large net.
  response_norm: bool = True
  norm_k: float = 1.0
  norm_n: int = 9
  norm_alpha: float = 0.001 / 9  # per squared term; the program's 0.001 / 9
  norm_beta: float = 0.75


def build(spec: Spec, mesh: Mesh, num_classes: int, patch: int) -> Model:
  """Builds two convolutions, two locally connected layers and a softmax layer.

  Args:
    spec: sizes and options of the network.
    mesh: devices that run the network.
    num_classes: number of outputs of the softmax layer.
    patch: side of the square input in pixels; 24, cropped from 32.

  Raises:
    InputError: a field has the wrong length.
  """
  check_length('kernels', spec.kernels, 2)
  check_length('local_kernels', spec.local_kernels, 2)
  initial = initial_values(('conv1', 'conv2', 'local3', 'local4', 'fc8'),
                           spec.stddevs, spec.biases)
  f = classifier.nonlinearity(spec.nonlinearity)
  norm = functools.partial(
      local_response_norm, k=spec.norm_k, n=spec.norm_n,
      alpha=spec.norm_alpha, beta=spec.norm_beta)
  norm = (norm,) if spec.response_norm else ()

  def conv(number, post_ops):
    name = f'conv{number}'
    module = L.conv(spec.kernels[number - 1], 5, **initial[name])
    return Layer(name, module, name in spec.crossings, post_ops)

  def local(number, post_ops):
    name = f'local{number}'
    module = L.locally_connected(
        spec.local_kernels[number - 3], 3, **initial[name])
    return Layer(name, module, name in spec.crossings, post_ops)

  pool = max_pool
  layers = (
      #                                             24 24  3   (32 32)
      conv(1, (f, pool, *norm)),     # 24 24 64,    12 12      (16 16)
      conv(2, (f, *norm, pool)),     # 12 12 64,     6  6      ( 8  8)
      local(3, (f,)),                #  6  6 64
      local(4, (f, L.flatten)),      #  6  6 32
  )
  softmax = L.fully_connected(num_classes, **initial['fc8'])
  return classifier.build(layers, softmax, spec, mesh, patch)
