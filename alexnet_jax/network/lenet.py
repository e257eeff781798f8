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
import math

import jax
from flax import linen as nn
from jax.sharding import Mesh

from alexnet_jax.errors import InputError
from alexnet_jax.network import classifier
from alexnet_jax.network import layers as L
from alexnet_jax.network.classifier import Model, check_length
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.layers_1998 import (
    GrayConv,
    Subsampling,
    TableConv,
    scaled_tanh,
    twice_a_code,
    uniform,
)

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
  _check(spec)
  c1, c3, c5 = spec.kernels
  f6, = spec.neurons
  init = _for_relu if spec.simplified else uniform

  def layer(name, module, *post_ops):
    return Layer(name, module, name in spec.crossings, post_ops)

  def conv(maps, reads, form=nn.Conv, **fields):
    return form(maps, (5, 5), padding='VALID', kernel_init=init(25 * reads),
                **fields)

  first = conv(c1, 1, GrayConv, pixel_scale=spec.pixel_scale)
  # A patch above 32 pixels gives C5 several positions, all of which F6 reads.
  full = L.FullyConnected(f6, kernel_init=lambda key, shape, dtype: init(
      shape[0])(key, shape, dtype))
  if spec.simplified:
    f = jax.nn.relu
    pool = functools.partial(L.max_pool, size=2)
    layers = (
        #                                              32 32   1
        layer('c1', first, f, pool),                 # 28 28   6,   14 14
        layer('c3', conv(c3, c1), f, pool),          # 10 10  16,    5  5
        layer('c5', conv(c5, c3), f),                #  1  1 120
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
        layer('c5', conv(c5, c3), f),                #  1  1 120
        layer('f6', full, f),                        #        84
    )
  softmax = L.FullyConnected(
      num_classes, kernel_init=twice_a_code if spec.codes else init(f6))
  return classifier.build(layers, softmax, spec, mesh, patch)


def _for_relu(inputs):
  """He and others' deviation (2015); 2.4 / F is for squashing functions."""
  return L.gaussian(math.sqrt(2 / inputs))


def _check(spec):
  check_length('kernels', spec.kernels, 3)
  check_length('neurons', spec.neurons, 1)
  classifier.check_one_column('lenet', spec.num_columns)
  if not spec.simplified and spec.kernels[:2] != (6, 16):
    raise InputError(
        f'config.model.kernels={spec.kernels} do not suit the table of C3, with'
        ' 16 maps that each read some of 6: give (6, 16, 120), or'
        ' config.model.simplified=True.')
