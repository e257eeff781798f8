"""VGG-16 and VGG-19, and their shallower forms: only 3 x 3 convolutions.

Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
recognition" (2014), section 2 and Table 1. `convolutions` of (1, 1, 2, 2, 2)
are its configuration A, (2, 2, 2, 2, 2) B, (2, 2, 3, 3, 3) D, which is VGG-16,
and (2, 2, 4, 4, 4) E, VGG-19. conv3_1 is the first layer of the third block.
"""

import dataclasses
import functools

import jax
from flax import linen as nn
from jax.sharding import Mesh

from alexnet_jax.network import classifier, pixels
from alexnet_jax.network import layers as L
from alexnet_jax.network.classifier import Model, check_length
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.initial import gaussian, glorot
from alexnet_jax.network.pooling import max_pool


@dataclasses.dataclass(frozen=True)
class Spec:
  """The fields of config.model. The defaults are VGG-16."""

  num_columns: int = 1
  crossings: tuple[str, ...] = ('fc8',)
  convolutions: tuple[int, ...] = (2, 2, 3, 3, 3)  # layers of each block
  kernels: tuple[int, ...] = (64, 128, 256, 512, 512)  # maps of each block
  neurons: tuple[int, ...] = (4096, 4096)  # of fc6 and fc7
  # Of initial weights. 0: those of Glorot and Bengio (2010), which the paper
  # recommends in a note on section 3.1; it used 0.1 for A, and A for the rest.
  stddev: float = 0.0
  dropout: bool = True  # on fc6 and fc7
  # torchvision's form: dropout is scaled in training instead of at the test,
  # and colors are divided by standard deviations; () divides by none.
  inverted_dropout: bool = False
  pixel_stddevs: tuple[float, ...] = ()


def build(spec: Spec, mesh: Mesh, num_classes: int, patch: int) -> Model:
  """Builds a network of Table 1.

  Args:
    spec: sizes and options of the network.
    mesh: devices that run the network.
    num_classes: number of outputs of the softmax layer.
    patch: side of the square input in pixels; 224 in the paper.

  Raises:
    InputError: a field has the wrong length.
  """
  check_length('kernels', spec.kernels, 5, 'block')
  check_length('convolutions', spec.convolutions, 5, 'block')
  check_length('neurons', spec.neurons, 2)
  pixels.check(spec.pixel_stddevs)
  init = gaussian(spec.stddev) if spec.stddev else glorot
  f = jax.nn.relu
  pool = functools.partial(max_pool, size=2)

  def block(number) -> list[Layer]:
    count, maps = (sizes[number - 1]
                   for sizes in (spec.convolutions, spec.kernels))
    names = [f'conv{number}_{i}' for i in range(1, count + 1)]
    module = nn.Conv(maps, (3, 3), kernel_init=init)
    *below, last = [Layer(name, module, name in spec.crossings, (f,))
                    for name in names]
    return [*below, last._replace(post_ops=(f, pool))]

  def full(number) -> Layer:
    name = f'fc{number}'
    module = L.FullyConnected(spec.neurons[number - 6], kernel_init=init)
    return Layer(name, module, name in spec.crossings, (f,), spec.dropout,
                 spec.inverted_dropout)

  layers = (
      #               224 224   3
      *block(1),    # 224 224  64,   112 112
      *block(2),    # 112 112 128,    56  56
      *block(3),    #  56  56 256,    28  28
      *block(4),    #  28  28 512,    14  14
      *block(5),    #  14  14 512,     7   7
      full(6),      #        4096
      full(7),      #        4096
  )
  first = layers[0]._replace(
      module=pixels.before_conv(layers[0].module, spec.pixel_stddevs))
  softmax = L.FullyConnected(num_classes, kernel_init=init)
  return classifier.build((first, *layers[1:]), softmax, spec, mesh, patch)
