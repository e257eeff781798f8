"""AlexNet as other programs have published its weights.

One column holds all kernels, and groups of a convolution replace the two GPUs.
The fields describe torchvision's `alexnet`, Caffe's `bvlc_alexnet` and its
`bvlc_reference_caffenet`; configs/published/ has their values. The weights stay
as they were trained, but for the order of their axes and colors, so that
fine-tuning has the learning rates of the original.
"""

import dataclasses
import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from alexnet_jax.errors import InputError
from alexnet_jax.network import classifier, pixels
from alexnet_jax.network import layers as L
from alexnet_jax.network.cifar import initial_values
from alexnet_jax.network.classifier import Model, check_length
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.pooling import max_pool
from alexnet_jax.network.response_norm import local_response_norm

CONVOLUTIONS = ('conv1', 'conv2', 'conv3', 'conv4', 'conv5')
FULL = ('fc6', 'fc7', 'fc8')


@dataclasses.dataclass(frozen=True)
class Spec:
  """The fields of config.model. The defaults are torchvision's network."""

  num_columns: int = 1  # always: the groups are within it
  crossings: tuple[str, ...] = ('fc8',)
  kernels: tuple[int, ...] = (64, 192, 384, 256, 256)  # conv1 to conv5
  groups: tuple[int, ...] = (1, 1, 1, 1, 1)  # of maps that do not mix
  neurons: tuple[int, ...] = (4096, 4096)  # fc6, fc7
  stddevs: tuple[float, ...] = (0.01,) * 8  # of initial weights, conv1 to fc8
  biases: tuple[float, ...] = (0.0,) * 8  # initial
  nonlinearity: str = 'relu'  # of classifier.NONLINEARITIES
  conv1_padding: int = 2  # zeros on each of the four sides
  response_norm: bool = False  # in layers 1 and 2
  norm_after_pooling: bool = False
  norm_groups: int = 1  # 2: windows stay within each half of the maps
  norm_k: float = 1.0
  norm_n: int = 5
  norm_alpha: float = 2e-5  # per squared term: Caffe's alpha over its n
  norm_beta: float = 0.75
  pooling_rounds_up: bool = False  # the number of windows, if one is not whole
  dropout_before: tuple[str, ...] = ('fc6', 'fc7')  # layers that read half
  # What the three colors are divided by after the mean is subtracted, in
  # 0..255; () divides by nothing.
  pixel_stddevs: tuple[float, ...] = (58.395, 57.12, 57.375)


def build(spec: Spec, mesh: Mesh, num_classes: int, patch: int) -> Model:
  """Builds the network.

  Args:
    spec: sizes and options of the network.
    mesh: devices that run the network.
    num_classes: number of outputs of the softmax layer.
    patch: side of the square input in pixels; 224 in torchvision, 227 in Caffe.

  Raises:
    InputError: a field is inconsistent with the others.
  """
  _check(spec)
  initial = initial_values((*CONVOLUTIONS, *FULL), spec.stddevs, spec.biases)
  f = classifier.nonlinearity(spec.nonlinearity)
  pool = (max_pool,) if spec.pooling_rounds_up else (
      keep_whole_windows, max_pool)
  norm_and_pool = ((*pool, *_norm(spec)) if spec.norm_after_pooling
                   else (*_norm(spec), *pool))

  def conv(number, size, post_ops, stride=1, padding=1):
    name = CONVOLUTIONS[number - 1]
    module = L.conv(spec.kernels[number - 1], size, stride=stride,
                    padding=padding, **initial[name]).clone(
                        feature_group_count=spec.groups[number - 1])
    return Layer(name, module, False, post_ops)

  def full(number):
    name = f'fc{number}'
    module = L.fully_connected(spec.neurons[number - 6], **initial[name])
    return Layer(name, module, False, (f,))

  layers = (
      #                                             torchvision's     Caffe's
      #                                           224 224   3   227 227   3
      conv(1, 11, (f, *norm_and_pool), 4, spec.conv1_padding),  # 55  55
      conv(2, 5, (f, *norm_and_pool), padding=2),               # 27  27
      conv(3, 3, (f,)),                                         # 13  13
      conv(4, 3, (f,)),                                         # 13  13
      conv(5, 3, (f, *pool)),                                   # 13  13
      full(6),                                                  # 4096
      full(7),                                                  # 4096
  )
  first = layers[0]._replace(
      module=pixels.before_conv(layers[0].module, spec.pixel_stddevs))
  readers = [layer.name for layer in layers[1:]] + ['fc8']
  layers = [layer._replace(dropout=reader in spec.dropout_before, inverted=True)
            for layer, reader in zip((first, *layers[1:]), readers,
                                     strict=True)]
  softmax = L.fully_connected(num_classes, **initial['fc8'])
  return classifier.build(layers, softmax, spec, mesh, patch)


def keep_whole_windows(x: jax.Array, size: int = 3,
                       stride: int = 2) -> jax.Array:
  """Drops the last units of maps that only a partial window would read.

  Args:
    x: maps [B, H, W, C].
    size: side of the square windows of the pooling that follows.
    stride: distance between adjacent windows.
  """
  sides = [max(0, side - size) // stride * stride + size
           for side in x.shape[1:3]]
  return x[:, :sides[0], :sides[1]]


def norm_in_groups(x: jax.Array, norm: Callable[[jax.Array], jax.Array],
                   groups: int) -> jax.Array:
  """Normalizes equal groups of adjacent maps, each without the others.

  Args:
    x: maps [B, H, W, C].
    norm: the norm of one group.
    groups: number of groups.
  """
  return jnp.concatenate(
      [norm(group) for group in jnp.split(x, groups, axis=-1)], axis=-1)


def _norm(spec):
  if not spec.response_norm:
    return ()
  norm = functools.partial(
      local_response_norm, k=spec.norm_k, n=spec.norm_n,
      alpha=spec.norm_alpha, beta=spec.norm_beta)
  if spec.norm_groups == 1:
    return (norm,)
  return (functools.partial(
      norm_in_groups, norm=norm, groups=spec.norm_groups),)


def _check(spec):
  classifier.check_one_column('published', spec.num_columns,
                              'give 1, and config.model.groups.')
  for field, values, length in (
      ('kernels', spec.kernels, 5), ('groups', spec.groups, 5),
      ('neurons', spec.neurons, 2)):
    check_length(field, values, length)
  reads = (3, *spec.kernels[:-1])
  for count, maps, groups in zip(spec.kernels, reads, spec.groups, strict=True):
    if groups < 1 or count % groups or maps % groups:
      raise InputError(
          f'config.model.groups={spec.groups} do not divide the maps of every'
          f' convolution, {(3, *spec.kernels)}: give divisors of both the maps'
          ' that it reads and those that it makes.')
  if spec.response_norm and (
      spec.norm_groups < 1 or any(
          maps % spec.norm_groups for maps in spec.kernels[:2])):
    raise InputError(
        f'config.model.norm_groups={spec.norm_groups} does not divide the maps'
        f' of conv1 and conv2, {spec.kernels[:2]}: give a divisor, such as 1.')
  unknown = [name for name in spec.dropout_before if name not in FULL]
  if unknown:
    raise InputError(
        f'config.model.dropout_before names {unknown[0]!r}: choose from'
        f' {", ".join(FULL)}.')
  pixels.check(spec.pixel_stddevs)
