"""Residual networks (He, Zhang, Ren and Sun, 2015), and plain ones beside them.

Table 1 of the paper, from ResNet-18 to ResNet-152, and the small networks for
CIFAR-10 of its section 4.2. A plain network is the same without shortcuts; both
have batch normalization after every convolution.
"""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax.sharding import Mesh

from alexnet_jax.network import classifier, pixels
from alexnet_jax.network import layers as L
from alexnet_jax.network.batch_norm import EPSILON, MOMENTUM, BatchNorm
from alexnet_jax.network.classifier import Model, check_length
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.initial import he_normal
from alexnet_jax.network.pooling import max_pool

# A: zeros fill new maps; B: a convolution of 1 x 1 where the shape changes;
# C: such a convolution in every block (section 4.1).
SHORTCUTS = ('none', 'A', 'B', 'C')


@dataclasses.dataclass(frozen=True)
class Spec:
  """The fields of config.model. The defaults are ResNet-34 of Table 1."""

  num_columns: int = 1  # always
  crossings: tuple[str, ...] = ('fc8',)
  kernels: tuple[int, ...] = (64, 128, 256, 512)  # of each stage of blocks
  blocks: tuple[int, ...] = (3, 4, 6, 3)  # in each stage
  bottlenecks: bool = False  # blocks of 1x1, 3x3 and 1x1 with 4 times the maps
  shortcut: str = 'B'  # one of SHORTCUTS; 'none' for a plain network
  small_images: bool = False  # 4.2: conv1 is 3x3 with stride 1, without pooling
  # torchvision's form: a bottleneck strides in its 3x3 convolution, not in the
  # first, and the windows of pooling begin one unit before the edge.
  stride_in_3x3: bool = False
  centered_pooling: bool = False
  norm_momentum: float = MOMENTUM  # of the running averages
  norm_epsilon: float = EPSILON
  pixel_stddevs: tuple[float, ...] = ()  # what colors are divided by


class Stem(nn.Module):
  """The convolution below all blocks, [B, H, W, 3] -> [B, H/s, W/s, maps]."""

  spec: Spec
  size: int
  stride: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    x = pixels.divide(x, self.spec.pixel_stddevs)
    return _conv_norm(self.spec, x, self.spec.kernels[0], self.size,
                      self.stride)


class Block(nn.Module):
  """A building block of Figure 5: [B, H, W, C] -> [B, H/s, W/s, maps]."""

  spec: Spec
  kernels: int
  stride: int

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    spec, stride = self.spec, self.stride
    conv = functools.partial(_conv_norm, spec)
    maps = self.kernels * (4 if spec.bottlenecks else 1)
    if spec.bottlenecks:
      first, middle = (1, stride) if spec.stride_in_3x3 else (stride, 1)
      y = nn.relu(conv(x, self.kernels, 1, first, 'conv1'))
      y = nn.relu(conv(y, self.kernels, 3, middle, 'conv2'))
      y = conv(y, maps, 1, 1, 'conv3')
    else:
      y = nn.relu(conv(x, maps, 3, stride, 'conv1'))
      y = conv(y, maps, 3, 1, 'conv2')
    changes = stride > 1 or x.shape[-1] != maps
    if spec.shortcut == 'none':
      return nn.relu(y)
    if spec.shortcut == 'C' or (spec.shortcut == 'B' and changes):
      x = conv(x, maps, 1, stride, 'shortcut_conv')
    elif changes:
      x = jnp.pad(x[:, ::stride, ::stride],
                  ((0, 0), (0, 0), (0, 0), (0, maps - x.shape[-1])))
    return nn.relu(x + y)


def build(spec: Spec, mesh: Mesh, num_classes: int, patch: int) -> Model:
  """Builds a residual or a plain network.

  Args:
    spec: sizes and options of the network.
    mesh: devices that run the network.
    num_classes: number of outputs of the softmax layer.
    patch: side of the square input in pixels; 224, or 32 for CIFAR-10.

  Raises:
    InputError: a field is inconsistent with the others.
  """
  classifier.check_one_column('resnet', spec.num_columns)
  pixels.check(spec.pixel_stddevs)
  check_length('blocks', spec.blocks, len(spec.kernels) or 1, 'stage')
  check_length('kernels', spec.kernels, len(spec.blocks), 'stage')
  # Stage 1 is a single convolution; blocks are in the stages from 2 on.
  size, stride = (3, 1) if spec.small_images else (7, 2)
  pool = () if spec.small_images else (
      *((pad_before,) if spec.centered_pooling else ()), max_pool)
  conv1 = Layer('conv1', Stem(spec, size, stride), False, (nn.relu, *pool))
  #                                            18  34  50 101 152    224 224
  # conv1, 7 x 7                                                  64  112 112
  # conv2_1, conv2_2, ... of  64 (256) maps     2   3   3   3   3      56  56
  # conv3_1, ...          of 128 (512)          2   4   4   4   8      28  28
  # conv4_1, ...          of 256 (1024)         2   6   6  23  36      14  14
  # conv5_1, ...          of 512 (2048)         2   3   3   3   3       7   7
  blocks = [
      Layer(f'conv{stage}_{i + 1}',
            Block(spec, kernels, 2 if stage > 2 and i == 0 else 1), False, ())
      for stage, (kernels, count) in enumerate(
          zip(spec.kernels, spec.blocks, strict=True), 2)
      for i in range(count)]
  blocks[-1] = blocks[-1]._replace(post_ops=(average,))  # 512 (2048)
  # The paper has no other weights here; with small ones the first outputs are
  # uniform (Goyal et al., 2017, section 5.1).
  softmax = L.fully_connected(num_classes, stddev=0.01, bias=0.0)
  return classifier.build((conv1, *blocks), softmax, spec, mesh, patch)


def pad_before(x: jax.Array) -> jax.Array:
  """Lets the windows of a pooling begin one unit before the edge."""
  return jnp.pad(x, ((0, 0), (1, 0), (1, 0), (0, 0)),
                 constant_values=-jnp.inf)


def average(x: jax.Array) -> jax.Array:
  """Global average pooling: [B, H, W, C] -> [B, C]."""
  return x.mean((1, 2))


def _conv_norm(spec, x, maps, size, stride, name='conv'):
  x = nn.Conv(maps, (size, size), stride, size // 2, use_bias=False,
              kernel_init=he_normal, name=name)(x)
  return BatchNorm(spec.norm_momentum, spec.norm_epsilon,
                   name=name.replace('conv', 'bn'))(x)
