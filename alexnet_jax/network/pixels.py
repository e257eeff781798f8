"""Colors divided by their standard deviations, as torchvision's networks do.

The mean has been subtracted by then. The division is a part of the network, so
that published kernels stay as they are and fine-tuning has the learning rates
of the original.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import linen as nn

from alexnet_jax.errors import InputError


class PixelConv(nn.Conv):
  """A first convolution that divides colors by their standard deviations."""

  pixel_stddevs: tuple[float, ...] = ()

  def __call__(self, inputs: jax.Array) -> jax.Array:
    return super().__call__(divide(inputs, self.pixel_stddevs))


def divide(x: jax.Array, stddevs: Sequence[float]) -> jax.Array:
  """Divides each color of [B, H, W, 3] by its number; () divides by none."""
  if not stddevs:
    return x
  return x / jnp.asarray(stddevs, x.dtype).reshape(1, 1, 1, -1)


def before_conv(conv: nn.Module, stddevs: Sequence[float]) -> nn.Module:
  """Returns a convolution that divides colors first, unless stddevs is ()."""
  if not stddevs:
    return conv
  fields = {field: getattr(conv, field) for field in (
      'features', 'kernel_size', 'strides', 'padding', 'feature_group_count',
      'kernel_init', 'bias_init')}
  return PixelConv(**fields, pixel_stddevs=tuple(stddevs))


def check(stddevs: Sequence[float]) -> None:
  """Checks config.model.pixel_stddevs.

  Raises:
    InputError: it is neither () nor three positive numbers.
  """
  if len(stddevs) not in (0, 3) or not all(
      0 < stddev < math.inf for stddev in stddevs):
    raise InputError(
        f'config.model.pixel_stddevs={stddevs!r} is not one positive number for'
        ' each of three colors: give three, or () to divide by none.')
