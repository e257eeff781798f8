"""VGG-16 and VGG-19: the numbers of the paper's Table 1 and 2."""

import functools

import jax
import nets
import numpy as np
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.network import describe, placement
from alexnet_jax.network.shapes import layer_shapes

BLOCKS = {'A': (1, 1, 2, 2, 2), 'B': (2, 2, 2, 2, 2), 'D': (2, 2, 3, 3, 3),
          'E': (2, 2, 4, 4, 4)}
SMALL = {'kernels': (4, 6, 8, 8, 8), 'neurons': (16, 16)}


@functools.cache
def build(form='D', patch=224, classes=1000, **fields):
  return nets.build('vgg', placement.make_mesh(1, 1, 1), classes, patch,
                    convolutions=BLOCKS[form], **fields)


@pytest.mark.parametrize('form, parameters', [
    ('A', 132_863_336), ('B', 133_047_848), ('D', 138_357_544),
    ('E', 143_667_240)])
def test_parameters_are_as_many_as_published(form, parameters):
  shapes = jax.eval_shape(build(form).init, jax.random.key(0))
  assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == parameters
  # 16 and 19 layers with weights: the name.
  count = len(build(form).layers) + 1
  assert count == {'A': 11, 'B': 13, 'D': 16, 'E': 19}[form]


def test_each_block_halves_the_maps():
  walk = list(layer_shapes(build().layers, 1, 224))
  assert {at.layer.name: at.outputs for at in walk
          if len(at.outputs) == 3 and at.outputs[:2] != at.neurons[:2]} == {
      'conv1_2': (112, 112, 64), 'conv2_2': (56, 56, 128),
      'conv3_3': (28, 28, 256), 'conv4_3': (14, 14, 512),
      'conv5_3': (7, 7, 512)}
  assert all(at.layer.module.kernel_size == (3, 3) for at in walk[:-2])
  assert [at.layer.dropout for at in walk[-3:]] == [False, True, True]


def test_the_maps_of_an_image_take_61_megabytes_and_not_96():
  # An often copied list adds the same layers up to 24 million numbers: 96 MB.
  walk = list(layer_shapes(build().layers, 1, 224))
  pooled = sum(np.prod(at.outputs) for at in walk if at.outputs != at.neurons)
  numbers = (224 * 224 * 3 + sum(np.prod(at.neurons) for at in walk)
             + pooled + 1000)
  assert numbers == 15_237_608 and round(4 * numbers / 1e6) == 61


def test_a_forward_pass_takes_fifteen_and_a_half_billion_multiplications():
  assert describe.totals(describe.layer_rows(build(), 1000))['flops'] == (
      2 * 15_470_264_320)


def test_first_weights_are_those_of_glorot_and_bengio_unless_told():
  of_layer = lambda name, **fields: next(
      layer.module.kernel_init for layer in build(**fields).layers
      if layer.name == name)
  for name, shape, stddev in (
      ('conv5_3', (3, 3, 30, 70), np.sqrt(2 / 900)),
      ('fc7', (100, 60), np.sqrt(2 / 160))):
    for told in (0.0, 0.1):
      kernel = np.asarray(
          of_layer(name, stddev=told)(jax.random.key(0), shape))
      # Five standard deviations of a standard deviation of that many draws.
      assert kernel.std() == pytest.approx(
          told or stddev, rel=5 / np.sqrt(2 * kernel.size))


@pytest.mark.parametrize('fields, part', [
    ({'kernels': (4,) * 4}, 'config.model.kernels has 4 numbers: give 5'),
    ({'neurons': (4,)}, 'config.model.neurons has 1 numbers: give 2')], ids=str)
def test_a_net_that_cannot_be_built_says_what_to_change(fields, part):
  with pytest.raises(InputError) as error:
    build(**fields)
  assert part in str(error.value)


def test_patches_that_leave_a_layer_nothing_are_refused():
  model = build(patch=0, classes=10, **SMALL)
  with pytest.raises(InputError, match='0-pixel patches leave conv1_1 no'):
    jax.eval_shape(model.init, jax.random.key(0))
