"""GoogLeNet (Szegedy et al., 2014): nine inception modules of Table 1.

Two side classifiers read the maps of modules 4a and 4d in training; each adds
0.3 of its loss (section 5). What the paper does not give is from Caffe's
`bvlc_googlenet`: initial weights and biases, and the constants of the norm.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.sharding import Mesh

from alexnet_jax.network import classifier, pixels
from alexnet_jax.network import layers as L
from alexnet_jax.network.batch_norm import EPSILON, BatchNorm
from alexnet_jax.network.classifier import Model
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.initial import xavier
from alexnet_jax.network.pooling import avg_pool, max_pool
from alexnet_jax.network.resnet import average
from alexnet_jax.network.response_norm import local_response_norm

# Maps of 1x1; 3x3 reduce, 3x3; 5x5 reduce, 5x5; pool proj (Table 1).
INCEPTIONS = {
    '3a': (64, 96, 128, 16, 32, 32),      # 28 28  256
    '3b': (128, 128, 192, 32, 96, 64),    # 28 28  480, pooled: 14 14
    '4a': (192, 96, 208, 16, 48, 64),     # 14 14  512, a side classifier
    '4b': (160, 112, 224, 24, 64, 64),    # 14 14  512
    '4c': (128, 128, 256, 24, 64, 64),    # 14 14  512
    '4d': (112, 144, 288, 32, 64, 64),    # 14 14  528, a side classifier
    '4e': (256, 160, 320, 32, 128, 128),  # 14 14  832, pooled: 7 7
    '5a': (256, 160, 320, 32, 128, 128),  #  7  7  832
    '5b': (384, 192, 384, 48, 128, 128),  #  7  7 1024, averaged
}
SIDES = {'4a': 'side1', '4d': 'side2'}


@dataclasses.dataclass(frozen=True)
class Spec:
  """The fields of config.model. The defaults are the paper's network."""

  num_columns: int = 1  # always
  crossings: tuple[str, ...] = ('fc8',)
  width: float = 1.0  # factor of the numbers of maps in Table 1
  norm: str = 'response'  # after conv1 and conv2; 'batch' after all; or 'none'
  large_kernel: int = 5  # of the third branch; torchvision's is 3
  dropout_rate: float = 0.4  # before the softmax layer
  side_classifiers: bool = True
  side_weight: float = 0.3  # of the loss of each
  bias: float = 0.2  # initial; networks with batch normalization have none
  # What torchvision has in another form, beside `norm` and `large_kernel`.
  norm_epsilon: float = EPSILON  # torchvision's is 1e-3
  last_pooling: int = 3  # side of the windows after module 4e; torchvision's: 2
  pixel_stddevs: tuple[float, ...] = ()  # what colors are divided by


class Conv(nn.Module):
  """A rectified convolution: [B, H, W, C] -> [B, H', W', maps]."""

  spec: Spec
  maps: int
  size: int
  stride: int = 1
  pixel_stddevs: tuple[float, ...] = ()  # of the first

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    x = pixels.divide(x, self.pixel_stddevs)
    batch_norm = self.spec.norm == 'batch'
    x = nn.Conv(self.maps, (self.size, self.size), self.stride, self.size // 2,
                use_bias=not batch_norm, kernel_init=xavier,
                bias_init=nn.initializers.constant(self.spec.bias),
                name='conv')(x)
    if batch_norm:
      x = BatchNorm(epsilon=self.spec.norm_epsilon, name='bn')(x)
    return nn.relu(x)


class Inception(nn.Module):
  """Four branches side by side (Figure 2b): [B, H, W, C] -> [B, H, W, maps]."""

  spec: Spec
  maps: tuple[int, ...]

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    one, reduce3, three, reduce5, five, projected = self.maps
    conv = functools.partial(Conv, self.spec)
    around = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)),
                     constant_values=-jnp.inf)
    y1 = conv(one, 1, name='branch1')(x)
    y2 = conv(reduce3, 1, name='branch2_reduce')(x)
    y2 = conv(three, 3, name='branch2_3x3')(y2)
    y3 = conv(reduce5, 1, name='branch3_reduce')(x)
    y3 = conv(five, self.spec.large_kernel, name='branch3_5x5')(y3)
    y4 = max_pool(around, 3, 1)
    y4 = conv(projected, 1, name='branch4_projection')(y4)
    return jnp.concatenate([y1, y2, y3, y4], axis=-1)


class SideConv(nn.Module):
  """Means of 5 x 5 units, every 3 units, then a convolution of 1 x 1."""

  spec: Spec
  maps: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    return Conv(self.spec, self.maps, 1, name='conv')(avg_pool(x, 5, 3))


def build(spec: Spec, mesh: Mesh, num_classes: int, patch: int) -> Model:
  """Builds GoogLeNet.

  Args:
    spec: sizes and options of the network.
    mesh: devices that run the network.
    num_classes: number of outputs of the softmax layer.
    patch: side of the square input in pixels; 224 in the paper.

  Raises:
    InputError: a field has an invalid value.
  """
  classifier.check_one_column('googlenet', spec.num_columns)
  pixels.check(spec.pixel_stddevs)
  wide = lambda maps: max(1, round(spec.width * maps))
  pool, norm = max_pool, ()
  if spec.norm == 'response':
    norm = (functools.partial(local_response_norm, k=1.0, n=5, alpha=2e-5),)

  pooled = {'3b': pool, '4e': functools.partial(pool, size=spec.last_pooling)}

  def conv(name, maps, size, stride, post_ops, stddevs=()):
    module = Conv(spec, wide(maps), size, stride, stddevs)
    return Layer(name, module, False, post_ops)

  def full(neurons, bias=0.0):
    return L.FullyConnected(neurons, kernel_init=xavier,
                            bias_init=nn.initializers.constant(bias))

  def inception(name):
    module = Inception(spec, tuple(map(wide, INCEPTIONS[name])))
    return Layer(f'inception{name}', module, False,
                 (pooled[name],) if name in pooled else (), side=side(name))

  def side(name):  # reads 14 14 maps
    if not spec.side_classifiers or name not in SIDES:
      return ()
    name = SIDES[name]
    return (
        Layer(f'{name}_conv', SideConv(spec, wide(128)), False,
              ()),                                               #  4  4 128
        Layer(f'{name}_fc1', full(wide(1024), spec.bias), False, (nn.relu,),
              dropout=True, drop_rate=0.7),                      #      1024
        Layer(f'{name}_fc2', full(num_classes), False, ()))

  *layers, last = (
      #                                                      224 224   3
      conv('conv1', 64, 7, 2, (pool, *norm),          # 112 112  64,  56  56
           spec.pixel_stddevs),
      conv('conv2_reduce', 64, 1, 1, ()),             #  56  56  64
      conv('conv2', 192, 3, 1, (*norm, pool)),        #  56  56 192,  28  28
      *map(inception, INCEPTIONS))
  last = last._replace(post_ops=(average,), dropout=True, inverted=True,
                       drop_rate=spec.dropout_rate)
  return classifier.build((*layers, last), full(num_classes), spec, mesh, patch,
                          spec.side_weight)
