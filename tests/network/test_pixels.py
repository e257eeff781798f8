"""Colors divided by their standard deviations."""

import math

import jax
import numpy as np
import pytest
from flax import linen as nn

from alexnet_jax.errors import InputError
from alexnet_jax.network import pixels

STDDEVS = (2.0, 4.0, 8.0)


@pytest.fixture(scope='module')
def images():
  return np.random.default_rng(0).normal(
      0, 50, (2, 8, 9, 3)).astype(np.float32)


def test_each_color_is_divided_by_its_own_number(images):
  for kind in ('float32', 'bfloat16'):
    x = images.astype(kind)
    divided = pixels.divide(x, STDDEVS)
    assert divided.dtype == kind
    for color, stddev in enumerate(STDDEVS):
      np.testing.assert_array_equal(divided[..., color], x[..., color] / stddev)
  assert pixels.divide(images, ()) is images


def test_a_convolution_reads_divided_colors_and_is_the_same_otherwise(images):
  conv = nn.Conv(
      6, (3, 2), strides=(2, 1), padding=((1, 0), (2, 1)),
      feature_group_count=3, kernel_init=nn.initializers.normal(0.1),
      bias_init=nn.initializers.normal(1.0))
  divides = pixels.before_conv(conv, STDDEVS)
  params = conv.init(jax.random.key(0), images)
  jax.tree.map(np.testing.assert_array_equal,
               divides.init(jax.random.key(0), images), params)
  np.testing.assert_array_equal(
      divides.apply(params, images),
      conv.apply(params, images / np.float32(STDDEVS)))


def test_without_numbers_a_convolution_stays_as_it_is():
  conv = nn.Conv(4, (3, 3))
  assert pixels.before_conv(conv, ()) is conv


@pytest.mark.parametrize('stddevs', [(), STDDEVS, (1e-3, 1, 1e6)], ids=str)
def test_none_or_three_positive_numbers_are_accepted(stddevs):
  pixels.check(stddevs)


@pytest.mark.parametrize('stddevs', [
    (2.0,), (2.0,) * 4, (0.0, 2.0, 3.0), (2.0, 3.0, -1.0),
    (math.nan, 2.0, 3.0), (2.0, math.inf, 3.0)], ids=str)
def test_other_numbers_are_refused(stddevs):
  with pytest.raises(InputError) as refused:
    pixels.check(stddevs)
  assert str(refused.value) == (
      f'config.model.pixel_stddevs={stddevs!r} is not one positive number for'
      ' each of three colors: give three, or () to divide by none.')
