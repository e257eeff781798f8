"""The walk down from a unit to the pixels, against arithmetic and jax.vjp."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest

from alexnet_jax.analysis import projection, receptive_fields
from alexnet_jax.analysis.receptive_fields import Field
from alexnet_jax.errors import InputError
from alexnet_jax.network import classifier, columns
from alexnet_jax.network import layers as L
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.pooling import avg_pool, max_pool
from alexnet_jax.network.response_norm import (
  local_response_norm,
  within_map_norm,
)

NARROW = {'kernels': (2,) * 5, 'neurons': (2, 2)}


@functools.partial(jax.jit, static_argnums=(0, 3))
def seen(model, params, patches, name, maps, places):
  """(activations, projections) of one unit of every patch."""
  layers, params = model.layers, params['columns']
  found = projection.activations(layers, params, patches, (name,))[name]
  return (found[jnp.arange(len(maps)), places[:, 0], places[:, 1], maps],
          projection.project(layers, params, patches, name, maps, places))


# --- What a unit reads --------------------------------------------------------


def test_fields_of_the_papers_network(mesh_of):
  model = nets.build('alexnet', mesh_of(), 10, 224)
  assert receptive_fields.fields(model.layers, 2, 224) == {
      'conv1': Field(0, 4, 11), 'conv2': Field(-16, 8, 51),
      'conv3': Field(-32, 16, 99), 'conv4': Field(-48, 16, 131),
      'conv5': Field(-64, 16, 163)}


@pytest.mark.parametrize('name, patch, last, given', [
    ('alexnet', 112, 'conv3', NARROW),
    ('alexnet_2012', 96, 'conv3', NARROW | {'overlapping_pooling': False}),
    ('cifar', 32, 'conv3', {'kernels': (2, 2, 2)}),
    ('cifar_local', 24, 'local3', {'kernels': (2, 2), 'local_kernels': (2, 2)}),
])
def test_a_unit_reads_its_field_and_nothing_else(
    mesh_of, name, patch, last, given):
  model = nets.build(name, mesh_of(1, 1, 1), 10, patch, num_columns=1,
                       response_norm=False, **given)
  # Averages read all that maxima are taken of.
  layers = [layer._replace(post_ops=[
      functools.partial(avg_pool, **getattr(f, 'keywords', {}))
      if getattr(f, 'func', f) is max_pool else f for f in layer.post_ops])
            for layer in model.layers]
  params = jax.tree.map(
      lambda leaf: np.full(leaf.shape, 0.1, np.float32),
      jax.eval_shape(model.init, jax.random.key(0))['columns'])

  @jax.jit
  def gradients(patches):
    maps, down = jax.vjp(lambda patches: projection.activations(
        layers, params, patches, (last,))[last], patches)
    end = maps.shape[1] - 1
    one = jnp.zeros_like(maps).at
    return [(place, down(one[0, *place, 0].set(1.0))[0][0])
            for place in ((0, end), (end // 2, end // 2))]

  field = receptive_fields.fields(layers, 1, patch)[last]
  for place, gradient in gradients(jnp.ones((1, patch, patch, 3))):
    top, left, side = receptive_fields.square_of(
        field, np.array(place).tolist())
    expected = np.zeros((patch, patch), bool)
    expected[max(top, 0):top + side, max(left, 0):left + side] = True
    np.testing.assert_array_equal((gradient > 0).all(-1), expected)


def test_a_square_that_hangs_over_is_moved_into_the_patch():
  assert receptive_fields.moved_inside((-16, 40, 51), 64) == (0, 13, 51)
  assert receptive_fields.moved_inside((3, 4, 11), 64) == (3, 4, 11)
  assert receptive_fields.moved_inside((-64, 0, 163), 64) == (0, 0, 64)


# --- The way down -------------------------------------------------------------


def test_a_unit_of_conv1_projects_to_its_kernel_where_it_stands(net, problem):
  params, patches, *_ = problem()
  maps, places = np.arange(8) + 4, np.arange(16).reshape(8, 2) % 14
  strengths, found = seen(net(), params, patches, 'conv1', maps, places)
  kernels = np.asarray(params['columns']['conv1']['kernel'])
  expected = np.zeros((8, 67, 67, 3), np.float32)  # three hang over
  for i, (y, x) in enumerate(4 * places):
    column, own = divmod(int(maps[i]), 8)
    expected[i, y:y + 11, x:x + 11] = strengths[i] * kernels[column, ..., own]
  np.testing.assert_allclose(
      found, expected[:, :64, :64], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize('name', ['alexnet', 'alexnet_2012'])
def test_without_norm_and_below_nothing_it_is_the_gradient(net, problem, name):
  # Weights above zero leave ReLU nothing to stop, on the way up or down.
  params, patches, *_ = problem(name)
  params, patches = jax.tree.map(np.abs, (params, patches))
  model = net(name, response_norm=False)
  maps, places = np.arange(8) + 8, np.array([[0, 1], [2, 2]] * 4)

  @jax.jit
  def gradient(patches):
    found, down = jax.vjp(lambda patches: projection.activations(
        model.layers, params['columns'], patches, ('conv3',))['conv3'], patches)
    at = (np.arange(8), places[:, 0], places[:, 1], maps)
    return down(jnp.zeros_like(found).at[at].set(found[at]))[0]

  expected = np.asarray(gradient(patches))
  _, found = seen(model, params, patches, 'conv3', maps, places)
  np.testing.assert_allclose(
      found, expected, rtol=0, atol=1e-4 * expected.max())


class Only(NamedTuple):
  """A network as far as the projection looks at it."""

  layers: tuple[Layer, ...]


def one_by_one(*weights):
  """A convolution without a bias that reads one unit, and its parameters."""
  kernel = np.array(weights, np.float32)  # [reads, maps]
  module = L.conv(kernel.shape[1], 1, stddev=0.0, bias=0.0)
  return module, {'kernel': kernel[None, None, None],
                  'bias': np.zeros((1, kernel.shape[1]), np.float32)}


def down_from_two_maps(*then):
  """Of one pixel (3, 5, 0), where conv1 puts out 3 and 5 - 3 = 2."""
  first, one = one_by_one((1, -1), (0, 1), (0, 0))
  second, two = one_by_one((-1,), (4,))
  layers = (Layer('conv1', first, False, then),
            Layer('conv2', second, False, ()))
  params = {'columns': {'conv1': one, 'conv2': two}}
  pixel = np.array([3, 5, 0], np.float32).reshape(1, 1, 1, 3)
  strengths, found = seen(Only(layers), params, pixel, 'conv2',
                          np.array([0]), np.array([[0, 0]]))
  return float(strengths[0]), np.asarray(found)[0, 0, 0]


def test_signals_below_zero_end_at_a_relu():
  strength, pixel = down_from_two_maps(jax.nn.relu)
  assert strength == 5  # 4 * 2 - 3
  # Down go -5 and 20; -5 is stopped, 20 reaches the pixel as (-20, 20, 0).
  np.testing.assert_allclose(pixel, (-20, 20, 0))


def test_signals_below_zero_pass_a_tanh():
  strength, pixel = down_from_two_maps(jnp.tanh)
  np.testing.assert_allclose(
      pixel, strength * np.array((-5, 4, 0)), rtol=1e-5)


@pytest.mark.parametrize('name', [
    name for name in classifier.NONLINEARITIES if name != 'log_sigmoid'])
def test_signals_below_zero_pass_where_maps_may_be_below_zero(name):
  f = classifier.NONLINEARITIES[name]
  strength, pixel = down_from_two_maps(f)
  # conv1 puts out 3 and 2; down go -1 and 4 times the strength.
  assert strength == pytest.approx(float(4 * f(2.0) - f(3.0)), rel=1e-5)
  below = 0 if float(f(-1.0)) >= 0 else -1
  assert strength > 0
  np.testing.assert_allclose(
      pixel, strength * np.array((below - 4, 4, 0)), rtol=1e-5)


def test_the_sign_of_an_absolute_value_is_given_back():
  up = projection._with_rule(classifier.abs_tanh, projection.WAYS_DOWN[
      classifier.abs_tanh])
  _, down = jax.vjp(up, jnp.float32([-2, -2, 2, 2]))
  np.testing.assert_array_equal(down(jnp.float32([3, -3, 3, -3]))[0],
                                [-3, 0, 3, 0])


@pytest.mark.parametrize('norm', [
    local_response_norm, within_map_norm,
    functools.partial(local_response_norm, k=1.0, n=3, alpha=1.0)])
def test_a_norm_changes_the_way_up_only(norm):
  strength, pixel = down_from_two_maps(jax.nn.relu, norm)
  assert strength != 5
  np.testing.assert_allclose(
      pixel, strength * np.array((-4, 4, 0)), rtol=1e-5)


def down_through(pool, image, signal):
  """The signal [H, W] below a pooling of the image [H, W]."""
  rule = jax.jit(functools.partial(
      projection.WAYS_DOWN[getattr(pool, 'func', pool)], pool))
  down = rule(np.asarray(image, np.float32)[None, ..., None],
              np.asarray(signal, np.float32)[None, ..., None])
  return np.asarray(down)[0, ..., 0]


def test_a_signal_returns_to_the_first_place_of_its_maximum():
  image = np.zeros((4, 4))
  image[1, 1] = 7  # of the first window; the other three are all zeros
  image[2, 2] = -1
  expected = np.zeros((4, 4))
  expected[1, 1], expected[0, 2], expected[2, 0], expected[2, 3] = 1, 2, 3, 4
  np.testing.assert_array_equal(
      down_through(max_pool, image, [[1, 2], [3, 4]]), expected)


def test_signals_that_meet_in_one_maximum_add_up():
  image = np.zeros((5, 5))
  image[2, 2] = 7  # in all four windows
  pool = functools.partial(max_pool, size=3)
  np.testing.assert_array_equal(
      down_through(pool, image, np.ones((2, 2))), np.where(image, 4, 0))


def test_a_signal_spreads_over_what_a_mean_was_made_of():
  pool = functools.partial(avg_pool, size=2)
  np.testing.assert_allclose(
      down_through(pool, np.zeros((3, 2)), [[4], [6]]),
      [[1, 1], [1, 1], [3, 3]])


def test_own_columns_below_a_crossing_and_all_below_it(net, problem):
  params, patches, *_ = problem()
  changed = jax.tree.map(np.array, params)
  changed['columns']['conv1']['kernel'][0] = 0
  for name, changes in (('conv2', False), ('conv3', True)):
    last = {'conv2': 15, 'conv3': 23}[name]  # of the second column
    at = np.full(8, last), np.ones((8, 2), int)
    _, before = seen(net(), params, patches, name, *at)
    _, after = seen(net(), changed, patches, name, *at)
    assert np.abs(before).max() > 0
    assert np.array_equal(before, after) != changes


def test_it_looks_at_the_maps_that_the_columns_make(net, problem, mesh_of):
  params, patches, *_ = problem('alexnet_2012')
  layers = net('alexnet_2012').layers[:3]
  bare = (*layers[:2], layers[2]._replace(post_ops=(L.flatten,)))
  made = jax.jit(columns.run(bare, mesh_of()))(
      {layer.name: params['columns'][layer.name] for layer in bare}, {},
      patches, None).features
  found = jax.jit(functools.partial(projection.activations, layers),
                  static_argnums=2)(params['columns'], patches, ('conv3',))
  both = np.split(np.asarray(found['conv3']), 2, axis=-1)
  np.testing.assert_allclose(
      made, np.concatenate([one.reshape(8, -1) for one in both], axis=-1),
      rtol=1e-4, atol=1e-3)


def test_what_cannot_be_undone_is_named():
  with pytest.raises(InputError, match='conv1 is followed by log_sigmoid'):
    down_from_two_maps(jax.nn.log_sigmoid)


# --- The strongest ------------------------------------------------------------


def test_the_strongest_units_of_all_images_batch_by_batch():
  maps = np.random.default_rng(0).normal(size=(10, 3, 4, 5)).astype(np.float32)
  held = projection.no_units_yet(4, 5)
  for first in (0, 4, 8):
    batch = maps[first:first + 4]
    found, places = map(np.asarray, projection.strongest_units(
        jnp.asarray(batch)))
    held = projection.keep_strongest(
        held, found, np.arange(first, first + len(batch)), places)
  for m in range(5):
    largest = maps[..., m].max((1, 2))
    expected = np.argsort(-largest)[:4]
    np.testing.assert_array_equal(held.images[:, m], expected)
    np.testing.assert_array_equal(held.activations[:, m], largest[expected])
    for i, (y, x) in zip(expected, held.places[:, m], strict=True):
      assert maps[i, y, x, m] == largest[i]


def test_of_equal_units_the_first_image_and_place_stay():
  found, places = projection.strongest_units(jnp.ones((3, 2, 2, 1)))
  held = projection.keep_strongest(
      projection.no_units_yet(2, 1), np.asarray(found), np.arange(3),
      np.asarray(places))
  np.testing.assert_array_equal(held.images[:, 0], (0, 1))
  assert not held.places.any()


def test_few_images_leave_vacancies():
  held = projection.keep_strongest(
      projection.no_units_yet(3, 1), np.ones((1, 1), np.float32), np.array([7]),
      np.ones((1, 1, 2), int))
  np.testing.assert_array_equal(held.activations[:, 0], (1, -np.inf, -np.inf))
  assert held.images[0, 0] == 7


@pytest.mark.parametrize('count, expected', [
    (4, (1, 2, 3, 5)), (3, (1, 2, 5)), (1, (1,)), (6, (0, 1, 2, 3, 4, 5))])
def test_maps_are_chosen_evenly_from_the_columns(count, expected):
  # Column 2's are all weaker; a map that one image excites ranks low.
  strengths = np.array([[9, 6, 5, 2, 1, 3], [-9, 6, 5, 2, 1, 2]], np.float32)
  held = projection.no_units_yet(2, 6)._replace(activations=strengths)
  np.testing.assert_array_equal(
      projection.choose_maps(held, count, 2), expected)


@pytest.mark.parametrize('name, fields, layer', [
    ('resnet', {'small_images': True}, 'conv1'),
    ('alexnet', {'norm': 'batch'}, 'norm1')])
def test_blocks_and_batch_norms_are_refused(mesh_of, name, fields, layer):
  columns_of_it = 2 if name == 'alexnet' else 1
  model = nets.build(name, mesh_of(1, 1, columns_of_it), 10, 64, **fields)
  with pytest.raises(InputError) as error:
    receptive_fields.fields(model.layers, columns_of_it, 64)
  for part in (f'{layer} of this network', 'give a run of an AlexNet'):
    assert part in str(error.value)
