"""LeNet-5 of 1998 (Figure 2), as printed and as it is usually taught.

LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
recognition", section II.B. C layers are convolutions, S layers subsample and F6
is full; the layer of the ten classes is called fc8, as in every network here.
The simplified form has ReLUs, max-pooling, and a C3 that reads all maps.

As every network here, it gets three colors, which are equal in a gray image:
C1 reads their mean, divided by 200. Ink and paper of 0 and 255 are then 1.275
apart, as in the paper; not a constant but the mean image was subtracted.
"""

import dataclasses
import functools

import jax
from flax import linen as nn
from jax.sharding import Mesh

from alexnet_jax.errors import InputError
from alexnet_jax.network import classifier
from alexnet_jax.network import layers as L
from alexnet_jax.network.classifier import Model, check_length
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.initial import he_normal
from alexnet_jax.network.layers_1998 import (
  GrayConv,
  Subsampling,
  TableConv,
  code_weights,
  scaled_tanh,
  uniform_by_inputs,
)
from alexnet_jax.network.pooling import max_pool

# Table I: the maps of S2 that each map of C3 reads.
TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5),
    (0, 1, 2, 5), (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5))


@dataclasses.dataclass(frozen=True)
class Spec:
  """The fields of config.model. The defaults are those of the paper."""

  num_columns: int = 1  # always
  crossings: tuple[str, ...] = ('fc8',)
  kernels: tuple[int, ...] = (6, 16, 120)  # maps of C1, C3 and C5
  neurons: tuple[int, ...] = (84,)  # of F6
  simplified: bool = False  # the form that is usually taught
  # fc8 as radial basis functions around random codes of +-1, as fixed as those
  # of the paper if it is one of config.optimizer.frozen; or a softmax layer.
  codes: bool = True
  pixel_scale: float = 200.0  # what C1 divides gray levels by


def build(spec: Spec, mesh: Mesh, num_classes: int, patch: int) -> Model:
  """Builds LeNet-5.

  Args:
    spec: sizes and options of the network.
    mesh: devices that run the network.
    num_classes: number of outputs; 10 in the paper.
    patch: side of the square input in pixels; 32 in the paper.

  Raises:
    InputError: a field is inconsistent with the others.
  """
  check_length('kernels', spec.kernels, 3)
  check_length('neurons', spec.neurons, 1)
  classifier.check_one_column('lenet', spec.num_columns)
  if not spec.simplified and spec.kernels[:2] != (6, 16):
    raise InputError(
        f'config.model.kernels={spec.kernels} do not suit the table of C3, with'
        ' 16 maps that each read some of 6: give (6, 16, 120), or'
        ' config.model.simplified=True.')
  (c1, c3, c5), (f6,) = spec.kernels, spec.neurons
  init = he_normal if spec.simplified else uniform_by_inputs
  conv = functools.partial(
      nn.Conv, kernel_size=(5, 5), padding='VALID', kernel_init=init)
  first = GrayConv(c1, (5, 5), padding='VALID', kernel_init=init,
                   pixel_scale=spec.pixel_scale)
  full = L.FullyConnected(f6, kernel_init=init)

  def layer(name, module, *post_ops):
    return Layer(name, module, name in spec.crossings, post_ops)

  if spec.simplified:
    f = jax.nn.relu
    pool = functools.partial(max_pool, size=2)
    layers = (
        #                                              32 32   1
        layer('c1', first, f, pool),                 # 28 28   6,   14 14
        layer('c3', conv(c3), f, pool),              # 10 10  16,    5  5
        layer('c5', conv(c5), f),                    #  1  1 120
        layer('f6', full, f),                        #        84
    )
  else:
    f = scaled_tanh
    layers = (
        #                                              32 32   1
        layer('c1', first, f),                       # 28 28   6
        layer('s2', Subsampling(), f),               # 14 14   6
        layer('c3', TableConv(TABLE, 5), f),         # 10 10  16
        layer('s4', Subsampling(), f),               #  5  5  16
        layer('c5', conv(c5), f),                    #  1  1 120
        layer('f6', full, f),                        #        84
    )
  softmax = L.FullyConnected(
      num_classes, kernel_init=code_weights if spec.codes else init)
  return classifier.build(layers, softmax, spec, mesh, patch)
