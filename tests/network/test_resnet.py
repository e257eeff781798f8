"""ResNets and plain networks: counts, sizes and shortcuts as printed."""

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.network import (
  classifier,
  describe,
  initial,
  placement,
  resnet,
)
from alexnet_jax.network.shapes import layer_shapes
from configs.history import cifar_resnet
from configs.history import resnet as imagenet_resnet


def build(config, classes=1000):
  """The network of a config, on one device."""
  fields = config.model.to_dict()
  return nets.build(fields.pop('name'), placement.make_mesh(1, 1, 1), classes,
                    config.augment.crop, **fields)


def parameters(model):
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  return sum(leaf.size for leaf in jax.tree.leaves(classifier.split(shapes)[0]))


# Millions of parameters and GFLOP per image; the paper counts a multiplication
# and an addition as one (Table 1: 1.8, 3.6, 3.8, 7.6 and 11.3 * 10^9).
@pytest.mark.slow
@pytest.mark.parametrize('form, count, billions', [
    ('18', 11_689_512, 1.8), ('34', 21_797_672, 3.6),
    ('50', 25_557_032, 3.8), ('101', 44_549_160, 7.6),
    ('152', 60_192_808, 11.3), ('plain34', 21_623_848, 3.6)])
def test_parameters_and_flops_are_those_of_table_1(form, count, billions):
  rows = describe.layer_rows(build(imagenet_resnet.get_config(form)), 1000)
  whole = describe.totals(rows)
  assert whole['parameters'] == count
  assert whole['flops'] / 2e9 == pytest.approx(billions, abs=0.07)


@pytest.mark.parametrize('depth, millions', [
    ('20', 0.27), ('56', 0.85), ('110', 1.7)])
def test_networks_for_cifar_have_the_parameters_of_table_6(depth, millions):
  model = build(cifar_resnet.get_config(depth), 10)
  assert parameters(model) / 1e6 == pytest.approx(millions, rel=0.02)
  assert len(model.layers) == 1 + (int(depth) - 2) // 2


def test_maps_shrink_as_in_table_1():
  model = build(imagenet_resnet.get_config('34'))
  sizes = {at.layer.name: at.neurons for at in layer_shapes(
      model.layers, 1, 224)}
  assert sizes['conv1'] == (112, 112, 64)
  assert [sizes[name] for name in (
      'conv2_3', 'conv3_4', 'conv4_6', 'conv5_3')] == [
          (56, 56, 64), (28, 28, 128), (14, 14, 256), (7, 7, 512)]


@pytest.mark.parametrize('shortcut, projections', [
    ('none', []), ('A', []), ('B', ['conv3_1']),
    ('C', ['conv2_1', 'conv2_2', 'conv3_1', 'conv3_2'])])
def test_an_option_decides_which_shortcuts_have_weights(shortcut, projections):
  model = nets.build('resnet', placement.make_mesh(1, 1, 1), 5, 16,
                     kernels=(4, 6), blocks=(2, 2), shortcut=shortcut,
                     small_images=True)
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  assert [name for name, leaves in shapes['columns'].items()
          if 'shortcut_conv' in leaves] == projections


@pytest.mark.parametrize('shortcut', ['none', 'A'])
def test_a_block_without_residual_passes_its_input(shortcut):
  block = resnet.Block(resnet.Spec(shortcut=shortcut), 6, 2)
  x = jax.random.normal(jax.random.key(0), (2, 8, 8, 4))
  variables = block.init(jax.random.key(1), x)
  variables['params']['bn2']['scale'] = jnp.zeros(6)
  expected = np.zeros((2, 4, 4, 6))
  if shortcut == 'A':
    expected[..., :4] = np.maximum(x[:, ::2, ::2], 0)
  np.testing.assert_array_equal(block.apply(variables, x), expected)


@pytest.mark.parametrize('in_3x3, sizes', [(False, [4, 4]), (True, [8, 4])])
def test_a_bottleneck_strides_in_its_first_or_its_second(in_3x3, sizes):
  block = resnet.Block(resnet.Spec(bottlenecks=True, stride_in_3x3=in_3x3),
                       6, 2)
  x = jnp.zeros((1, 8, 8, 4))
  variables = block.init(jax.random.key(1), x)
  y, kept = block.apply(variables, x, capture_intermediates=True)
  assert y.shape == (1, 4, 4, 24)
  seen = kept['intermediates']
  assert [seen[name]['__call__'][0].shape[1]
          for name in ('conv1', 'conv2')] == sizes


def test_first_weights_keep_the_variance_of_rectified_maps():
  kernel = initial.he_normal(jax.random.key(0), (3, 3, 64, 128))
  assert float(kernel.std()) == pytest.approx((2 / (9 * 64))**0.5, rel=0.01)


@pytest.mark.parametrize('fields, parts', [
    ({'num_columns': 2}, ['num_columns=2', 'give 1']),
    ({'blocks': (1, 2)}, ['config.model.blocks has 2 numbers: give 4',
                          'each stage']),
    ({'blocks': (), 'kernels': ()}, ['model.blocks has 0 numbers: give 1']),
    ({'blocks': (1,), 'kernels': ()}, ['model.kernels has 0 numbers: give 1']),
    ({'blocks': (), 'kernels': (4,)}, ['model.blocks has 0 numbers: give 1']),
])
def test_fields_that_do_not_fit_are_refused(fields, parts):
  with pytest.raises(InputError) as error:
    nets.build('resnet', placement.make_mesh(1, 1, 1), 5, 32, **fields)
  for part in parts:
    assert part in str(error.value)
