"""The published networks: where dropout stands, how it scales, what pools."""

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest

from alexnet_jax.analysis import projection, receptive_fields
from alexnet_jax.errors import InputError
from alexnet_jax.network import layers, published, rng
from alexnet_jax.network.pooling import max_pool
from alexnet_jax.network.shapes import layer_shapes

NARROW = {'kernels': (4, 6, 8, 6, 8), 'neurons': (64, 128)}


def net(mesh_of, patch=64, **fields):
  return nets.build('published', mesh_of(1, 1, 1), 10, patch,
                    **NARROW | fields)


def test_dropout_doubles_in_training_and_leaves_all_at_test():
  x = jnp.ones((4, 3, 3, 50))
  keys = rng.per_example(rng.stream(0, 'dropout', 1), 4)
  kept = np.asarray(layers.dropout(x, keys, inverted=True))
  assert set(np.unique(kept)) == {0, 2}
  assert abs(kept.mean() - 1) < 5 / np.sqrt(kept.size)
  assert layers.dropout(x, None, inverted=True) is x
  # Positions of maps are dropped one by one, and so are examples.
  assert 0 < np.ptp(kept, axis=(1, 2)).mean() <= 2
  assert (kept[0] != kept[1]).any()


@pytest.mark.slow
@pytest.mark.parametrize('before, dropped', [
    (('fc6', 'fc7'), ['conv5', 'fc6']), (('fc7', 'fc8'), ['fc6', 'fc7']),
    ((), [])])
def test_dropout_is_on_the_inputs_of_the_layers_that_the_config_names(
    mesh_of, before, dropped):
  model = net(mesh_of, dropout_before=before)
  assert [layer.name for layer in model.layers if layer.dropout] == dropped
  params = jax.jit(model.init)(jax.random.key(0))
  patches = jnp.ones((2, 64, 64, 3))
  keys = rng.per_example(rng.stream(0, 'dropout', 1), 2)
  outputs = [jax.jit(model.apply)(params, patches, k)[0] for k in (None, keys)]
  assert (outputs[0] == outputs[1]).all() == (not dropped)


def test_only_whole_windows_are_pooled_if_their_number_is_rounded_down():
  x = jnp.arange(2 * 8 * 9.0).reshape(2, 8, 9, 1)
  kept = published.keep_whole_windows(x)
  assert kept.shape == (2, 7, 9, 1)
  assert max_pool(kept).shape == (2, 3, 4, 1)
  assert max_pool(x).shape == (2, 4, 4, 1)
  assert published.keep_whole_windows(x[:, :2, :2]).shape == (2, 2, 2, 1)


def test_colors_are_divided_within_conv1(mesh_of):
  divided = net(mesh_of, pixel_stddevs=(2.0, 4.0, 8.0))
  plain = net(mesh_of, pixel_stddevs=())
  params = jax.jit(plain.init)(jax.random.key(0))
  patches = jax.random.normal(jax.random.key(1), (2, 64, 64, 3))
  stddevs = jnp.asarray([2.0, 4.0, 8.0]).reshape(1, 1, 1, 3)
  np.testing.assert_allclose(
      jax.jit(divided.apply)(params, patches)[0],
      jax.jit(plain.apply)(params, patches / stddevs)[0], rtol=1e-5)
  assert jax.tree.map(jnp.shape, params) == jax.tree.map(
      lambda leaf: leaf.shape,
      jax.eval_shape(divided.init, jax.random.key(0)))


def test_units_of_every_convolution_can_be_projected(mesh_of):
  model = net(mesh_of, patch=72, groups=(1, 2, 1, 2, 2), response_norm=True,
              norm_groups=2, norm_after_pooling=True)
  params = jax.eval_shape(model.init, jax.random.key(0))['columns']
  patches = jax.ShapeDtypeStruct((1, 72, 72, 3), jnp.float32)
  for name in published.CONVOLUTIONS:
    down = jax.eval_shape(
        lambda params, patches, name=name: projection.project(
            model.layers, params, patches, name, jnp.array([1]),
            jnp.array([[0, 0]])), params, patches)
    assert down.shape == patches.shape
  fields = receptive_fields.fields(model.layers, 1, 72)
  assert fields['conv1'] == receptive_fields.Field(-2, 4, 11)


def test_shapes_of_torchvision_at_full_size(mesh_of):
  model = nets.build('published', mesh_of(1, 1, 1), 1000, 224)
  walk = list(layer_shapes(model.layers, 1, 224))
  assert [at.neurons for at in walk] == [
      (55, 55, 64), (27, 27, 192), (13, 13, 384), (13, 13, 256),
      (13, 13, 256), (4096,), (4096,)]
  assert walk[4].outputs == (6, 6, 256)


@pytest.mark.parametrize('fields, reason', [
    ({'groups': (1, 1)}, 'config.model.groups has 2 numbers'),
    ({'groups': (1, 3, 1, 1, 1)}, 'divisors'),
    ({'groups': (1, 0, 1, 1, 1)}, 'divisors'),
    ({'kernels': (4,)}, 'config.model.kernels has 1 numbers'),
    ({'stddevs': (0.1,)}, 'config.model.stddevs has 1 numbers'),
    ({'response_norm': True, 'norm_groups': 4}, 'norm_groups=4'),
    ({'num_columns': 2}, 'num_columns=2'),
    ({'dropout_before': ('fc9',)}, "names 'fc9'"),
    ({'pixel_stddevs': (1.0,)}, 'pixel_stddevs'),
    ({'nonlinearity': 'sine'}, 'nonlinearity')])
def test_fields_that_disagree_are_refused(mesh_of, fields, reason):
  with pytest.raises(InputError, match=reason):
    nets.build('published', mesh_of(1, 1, 1), 10, 64, **NARROW | fields)
