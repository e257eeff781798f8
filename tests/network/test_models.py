"""The networks: sizes as printed, first values, wiring, and a plain twin."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.network import alexnet, models, rng
from alexnet_jax.network import plain as grouped
from alexnet_jax.network.pooling import max_pool
from alexnet_jax.network.response_norm import (
  local_response_norm,
  within_map_norm,
)
from alexnet_jax.network.shapes import layer_shapes

ONE_GPU = {'num_columns': 1, 'kernels': (48, 128, 192, 192, 256),
           'neurons': (4096, 4096)}
ALL = ('conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7', 'fc8')
WIRINGS = ('alexnet', 'alexnet_2012')


def paper_size(mesh_of, name='alexnet', **fields):
  mesh = mesh_of(1, 1, fields.get('num_columns', 2))
  return nets.build(name, mesh, 1000, 224, **fields)


def shapes_of(model):
  """The parameters' shapes; nothing is drawn."""
  return jax.eval_shape(model.init, jax.random.key(0))


def count(tree):
  return sum(leaf.size for leaf in jax.tree.leaves(tree))


# --- Sizes as printed ---------------------------------------------------------


@pytest.mark.parametrize('name', WIRINGS)
def test_every_layer_has_as_many_parameters_as_in_2012(mesh_of, name):
  params = shapes_of(paper_size(mesh_of, name))
  layers = params['columns'] | {'fc8': params['fc8']}
  assert {layer: count(leaves) for layer, leaves in layers.items()} == {
      'conv1': 34_944, 'conv2': 307_456, 'conv3': 885_120, 'conv4': 663_936,
      'conv5': 442_624, 'fc6': 37_752_832, 'fc7': 16_781_312,
      'fc8': 4_097_000}
  assert count(params) == 60_965_224


def test_kernels_are_the_numbers_of_figure_2_with_the_gpu_in_front(mesh_of):
  params = shapes_of(paper_size(mesh_of))
  kernels = {layer: leaves['kernel'].shape
             for layer, leaves in params['columns'].items()}
  assert kernels == {
      'conv1': (2, 11, 11, 3, 48), 'conv2': (2, 5, 5, 48, 128),
      'conv3': (2, 3, 3, 256, 192), 'conv4': (2, 3, 3, 192, 192),
      'conv5': (2, 3, 3, 192, 128), 'fc6': (2, 9216, 2048),
      'fc7': (2, 4096, 2048)}
  assert params['fc8']['kernel'].shape == (4096, 1000)


@pytest.mark.parametrize('name', WIRINGS)
def test_maps_shrink_as_in_figure_2(mesh_of, name):
  model = paper_size(mesh_of, name)
  walk = list(layer_shapes(model.layers, 2, 224))
  assert [at.neurons for at in walk] == [
      (55, 55, 48), (27, 27, 128), (13, 13, 192), (13, 13, 192),
      (13, 13, 128), (2048,), (2048,)]
  assert [at.outputs for at in walk] == [
      (27, 27, 48), (13, 13, 128), (13, 13, 192), (13, 13, 192),
      (6, 6, 128), (2048,), (2048,)]


def test_the_one_gpu_net_has_as_many_parameters_as_net_145_half(mesh_of):
  assert count(shapes_of(paper_size(mesh_of, **ONE_GPU))) == 59_798_312


def test_the_net_without_cross_talk_still_meets_in_one_softmax(mesh_of):
  params = shapes_of(paper_size(mesh_of, crossings=('fc8',)))
  assert params['columns']['conv3']['kernel'].shape == (2, 3, 3, 128, 192)
  assert params['columns']['fc6']['kernel'].shape == (2, 4608, 2048)
  assert params['fc8']['kernel'].shape == (4096, 1000)


# --- First values -------------------------------------------------------------


STDDEVS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
BIASES = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)


@pytest.fixture(scope='module')
def init(net):
  """seed -> first values; compiled once."""
  compiled = jax.jit(net(stddevs=STDDEVS, biases=BIASES).init)
  return lambda seed: compiled(rng.stream(seed, 'init'))


def test_first_values_follow_the_fields(init):
  params = init(0)
  leaves = [*params['columns'].values(), params['fc8']]
  for layer, stddev, bias in zip(leaves, STDDEVS, BIASES, strict=True):
    kernel = np.asarray(layer['kernel'])
    # Five standard deviations of a standard deviation of that many draws.
    assert abs(kernel.std() / stddev - 1) < 5 / np.sqrt(2 * kernel.size)
    assert (layer['bias'] == bias).all()


def test_columns_and_layers_draw_different_kernels(init):
  held = init(0)['columns']
  firsts = np.concatenate([
      np.asarray(leaves['kernel']).reshape(2, -1)[:, :400] / stddev
      for leaves, stddev in zip(held.values(), STDDEVS[:-1], strict=True)])
  correlations = np.corrcoef(firsts) - np.eye(14)
  assert np.abs(correlations).max() < 5 / np.sqrt(400)


def test_the_seed_decides_the_first_values(init):
  one, again, other = (init(seed) for seed in (0, 0, 1))
  assert jax.tree.all(jax.tree.map(np.array_equal, one, again))
  assert not np.isclose(one['fc8']['kernel'], other['fc8']['kernel']).any()


# --- Wiring -------------------------------------------------------------------


def after(model, number, x):
  """What a layer does to its responses after the weights."""
  for f in model.layers[number - 1].post_ops:
    x = f(x)
  return np.asarray(x)


A2 = np.float32([-100, 200, -300, 400, 500, -600, 0, 50])


@pytest.mark.parametrize('name, expected', [
    ('alexnet',
     [0, 19.6885161, 0, 22.28366382, 29.77615816, 0, 0, 27.2165527]),
    ('alexnet_2012',
     [0, 42.04482076, 0, 42.29485054, 54.51224684, 0, 0, 9.42678723]),
])
def test_layer_1_rectifies_before_the_norm_or_after_it(net, name, expected):
  x = jnp.broadcast_to(jnp.asarray(A2), (1, 3, 3, 8))
  np.testing.assert_allclose(after(net(name), 1, x)[0, 0, 0], expected,
                             rtol=2e-6)


def test_layer_1_of_the_program_pools_what_the_norm_left_signed(net):
  # Norm first: among equal maps the largest response need not stay largest.
  x = 300 * jax.random.normal(jax.random.key(0), (1, 7, 7, 8))
  expected = jax.nn.relu(max_pool(
      local_response_norm(x, alpha=2e-5)))
  np.testing.assert_array_equal(after(net('alexnet_2012'), 1, x), expected)
  other = local_response_norm(
      jax.nn.relu(max_pool(x)), alpha=2e-5)
  assert not np.allclose(other, expected)


def test_layer_2_of_the_program_has_a_second_norm_within_each_map(net):
  x = 300 * jax.random.normal(jax.random.key(0), (1, 7, 7, 8))
  once = local_response_norm(jax.nn.relu(x), alpha=2e-5)
  twice = within_map_norm(once)
  model = net('alexnet_2012')
  np.testing.assert_array_equal(after(model, 2, x), max_pool(twice))
  without = net('alexnet_2012', within_map_alpha=0.0)
  np.testing.assert_array_equal(after(without, 2, x), max_pool(once))


@pytest.mark.parametrize('name', WIRINGS)
@pytest.mark.parametrize('number', [1, 2])
def test_without_response_norm_a_layer_only_rectifies_and_pools(
    net, name, number):
  x = 300 * jax.random.normal(jax.random.key(0), (1, 7, 7, 8))
  np.testing.assert_array_equal(
      after(net(name, response_norm=False), number, x),
      jax.nn.relu(max_pool(x)))


def test_tanh_can_take_the_place_of_relu(net):
  x = jax.random.normal(jax.random.key(0), (1, 3, 3, 12))
  np.testing.assert_array_equal(after(net(nonlinearity='tanh'), 3, x),
                                jnp.tanh(x))


def test_dropout_is_on_fc6_and_fc7_and_can_be_left_out(net):
  dropped = [layer.name for layer in net().layers if layer.dropout]
  assert dropped == ['fc6', 'fc7']
  assert not any(layer.dropout for layer in net(dropout=False).layers)


# --- Against the plain form ---------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize('fields', [
    {}, {'crossings': ALL}, {'crossings': ('fc8',)}, {'num_columns': 1}],
    ids=str)
def test_loss_and_gradients_are_those_of_the_plain_form(
    problem, solve_on, loss_and_gradients, close, fields):
  plain = jax.jit(loss_and_gradients(grouped.build(alexnet.Spec(**fields))))
  close(solve_on(**fields), plain(*problem(**fields)))


def test_test_time_logits_and_features_are_those_of_the_plain_form(
    net, problem, close):
  params, patches, *_ = problem()
  close(jax.jit(net().apply)(params, patches),
        jax.jit(grouped.build(alexnet.Spec()))(params, patches))


def test_features_are_all_columns_side_by_side(net, problem):
  params, patches, *_ = problem()
  logits, features = jax.jit(net().apply)(params, patches)
  assert logits.shape == (8, 10) and features.shape == (8, 64)


# --- What cannot be built -----------------------------------------------------


@pytest.mark.parametrize('fields, parts', [
    ({'nonlinearity': 'sine'},
     ["config.model.nonlinearity='sine'", 'relu, tanh']),
    ({'crossings': ('conv33', 'fc8')},
     ["config.model.crossings has 'conv33'", 'conv2, conv3', 'keep fc8']),
    ({'crossings': ('conv1', 'fc8')},  # the pixels are no column's
     ["config.model.crossings has 'conv1'", 'conv2, conv3', 'keep fc8']),
    ({'crossings': ('conv3',)},
     ['config.model.crossings has no fc8', 'one softmax', 'keep fc8']),
    ({'kernels': (48, 128, 192, 192)},
     ['config.model.kernels has 4 numbers', 'give 5']),
    ({'neurons': (2048,)}, ['config.model.neurons has 1 numbers', 'give 2']),
    ({'stddevs': (0.01,) * 9}, ['config.model.stddevs has 9', 'give 8']),
    ({'biases': (0.0,)}, ['config.model.biases has 1 numbers', 'give 8']),
    *(({'partners': partners, 'partner_layers': ('conv4',)},
       [f'config.model.partners={partners} does not suit 2 columns: give each'])
      for partners in (((0, 1),), ((0, 2), (0, 1)), ((0, 1), (1,)),
                       ((0, 0), (0, 1)), ((), ()), (), ((1,), (0,)))),
    *(({'partners': ((0, 1), (1, 0)), 'partner_layers': layers},
       [f'config.model.partner_layers={layers} has {wrong}', 'choose from'
        ' conv2, conv4, conv5, which read no other'])
      for layers, wrong in ((('conv1',), "'conv1'"), (('conv3',), "'conv3'"),
                            (('fc8',), "'fc8'"), ((), 'no layer'))),
], ids=str)
def test_a_net_that_cannot_be_built_says_what_to_change(mesh_of, fields, parts):
  with pytest.raises(InputError) as error:
    nets.build('alexnet', mesh_of(1, 1), 10, 64, **fields)
  for part in parts:
    assert part in str(error.value)


@pytest.mark.parametrize('fields, parts', [
    ({'name': 'alexnot'},
     ["config.model.name='alexnot'", 'alexnet, alexnet_2012']),
    ({'name': 'cifar'}, ["config.model of 'cifar'", 'kernels', 'give exactly']),
], ids=str)
def test_a_specification_is_read_with_exactly_its_fields(fields, parts):
  with pytest.raises(InputError) as error:
    models.read_spec(fields)
  for part in parts:
    assert part in str(error.value)


def test_a_specification_from_json_has_tuples():
  fields = dataclasses.asdict(alexnet.Spec()) | {'name': 'alexnet'}
  spec = models.read_spec(json.loads(json.dumps(fields)))
  assert spec == alexnet.Spec() and hash(spec) == hash(alexnet.Spec())


@pytest.mark.parametrize('patch', [1, 4, 7])
def test_patches_that_leave_a_layer_nothing_are_refused(net, patch, mesh_of):
  model = nets.build('alexnet', mesh_of(1, 1), 10, patch)
  with pytest.raises(InputError) as error:
    shapes_of(model)
  for part in (f'{patch}-pixel patches', 'conv1', 'config.augment.crop'):
    assert part in str(error.value)
