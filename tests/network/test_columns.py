"""Columns on devices: any mesh gives the same numbers; who talks to whom."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec as P

from alexnet_jax.network import collectives, columns, layers, rng

ALL = ('conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7', 'fc8')
FOUR = {'num_columns': 4, 'kernels': (4,) * 5, 'neurons': (8, 8)}


# --- The same numbers everywhere ----------------------------------------------


@pytest.mark.parametrize('mesh', [(2, 1), (1, 2), (2, 2)], ids=str)
@pytest.mark.parametrize('name', ['alexnet', 'alexnet_2012'])
def test_logits_and_gradients_do_not_depend_on_the_mesh(
    solve_on, close, name, mesh):
  close(solve_on(name, mesh), solve_on(name))


@pytest.mark.slow
@pytest.mark.parametrize('mesh', [(1, 2), (1, 4)], ids=str)
def test_four_columns_fit_on_one_two_and_four_devices(solve_on, close, mesh):
  close(solve_on('alexnet', mesh, **FOUR), solve_on('alexnet', **FOUR))


def test_one_column_is_an_ordinary_net_on_any_number_of_devices(
    solve_on, close):
  close(solve_on('alexnet', (2, 1), num_columns=1),
        solve_on('alexnet', num_columns=1))


@pytest.mark.parametrize('mesh', [(1, 1), (2, 2)], ids=str)
def test_masks_are_the_same_on_every_mesh(net, problem, mesh):
  # With such biases a feature is zero only where dropout silenced it.
  params, patches, _, keys = problem()
  params = jax.tree.map(lambda leaf: leaf, params)
  params['columns']['fc7']['bias'] = jnp.full((2, 32), 1e4)
  _, features = jax.jit(net('alexnet', mesh).apply)(params, patches, keys)
  expected = np.concatenate([
      layers.dropout(jnp.ones((8, 32)), rng.column_keys(keys, 'fc7', column))
      for column in (0, 1)], axis=1)
  np.testing.assert_array_equal(np.asarray(features) != 0, expected)


def test_a_column_sees_no_kernel_of_the_other(net, problem):
  params, patches, *_ = problem('alexnet', crossings=('fc8',))
  features = jax.jit(net(crossings=('fc8',)).apply)(params, patches)[1]
  changed = jax.tree.map(lambda leaf: leaf.at[1].add(0.1), params['columns'])
  others = jax.jit(net(crossings=('fc8',)).apply)(
      params | {'columns': changed}, patches)[1]
  np.testing.assert_array_equal(features[:, :32], others[:, :32])
  assert not np.allclose(features[:, 32:], others[:, 32:])


def test_a_crossing_lets_a_column_see_the_other(net, problem):
  params, patches, *_ = problem()
  features = jax.jit(net().apply)(params, patches)[1]
  changed = jax.tree.map(lambda leaf: leaf, params)
  conv2 = changed['columns']['conv2']
  conv2['kernel'] = conv2['kernel'].at[1].add(0.1)
  others = jax.jit(net().apply)(changed, patches)[1]
  assert not np.allclose(features[:, :32], others[:, :32])


def test_maps_of_all_columns_lie_side_by_side(mesh_of):
  x = jnp.arange(12.0).reshape(2, 1, 6)  # two columns of three maps
  both = jax.shard_map(
      lambda own: columns.concatenate_columns([own]), mesh=mesh_of(1, 2),
      in_specs=P(None, None, 'column'), out_specs=P(None, None, 'column'))(x)
  np.testing.assert_array_equal(both, np.tile(x, 2))


# --- Who talks to whom --------------------------------------------------------


LAYERS = ('conv1', *ALL)


def talk(compiled, mesh):
  return collectives.find_collectives(compiled.as_text(), mesh, LAYERS)


def over_columns(step_on, mesh, **fields):
  compiled, _ = step_on('alexnet', mesh, **fields)
  return sorted(
      (one.kind, one.layer, 'backward' if one.backward else 'forward')
      for one in talk(compiled, mesh) if 'column' in one.axes)


SOFTMAX = ('all-reduce', 'fc8', 'forward')


def at(crossings):
  """The one gather forward and one scatter backward of every crossing."""
  pairs = [(('all-gather', name, 'forward'), ('reduce-scatter', name,
                                              'backward'))
           for name in crossings if name != 'fc8']
  return sorted([SOFTMAX, *(one for pair in pairs for one in pair)])


@pytest.mark.parametrize('mesh', [(1, 2), (2, 2)], ids=str)
def test_columns_talk_once_at_each_crossing_and_once_back(step_on, mesh):
  assert over_columns(step_on, mesh) == at(('conv3', 'fc6', 'fc7'))


@pytest.mark.slow
@pytest.mark.parametrize('crossings', [('fc8',), ALL], ids=['none', 'all'])
def test_the_crossings_decide_where_columns_talk(step_on, crossings):
  assert over_columns(step_on, (1, 2), crossings=crossings) == at(crossings)


def test_four_columns_on_two_devices_talk_as_two_do(step_on):
  assert over_columns(step_on, (1, 2), **FOUR) == at(('conv3', 'fc6', 'fc7'))


@pytest.mark.parametrize('mesh', [(2, 1), (2, 2)], ids=str)
def test_shards_of_a_batch_share_their_gradients_and_loss_only(step_on, mesh):
  compiled, (params, *_) = step_on('alexnet', mesh)
  found = [one for one in talk(compiled, mesh) if 'data' in one.axes]
  assert {(one.kind, one.axes) for one in found} == {('all-reduce', ('data',))}
  own = sum(leaf.addressable_shards[0].data.size
            for leaf in jax.tree.leaves(params))
  loss = 1
  assert sum(one.numbers for one in found) == own + loss


@pytest.mark.parametrize('crossings, gathers', [
    (('conv3', 'fc6', 'fc7', 'fc8'), 3), (('fc8',), 0), (ALL, 6)],
    ids=['paper', 'none', 'all'])
def test_the_program_gathers_once_for_each_crossing(
    net, problem, crossings, gathers):
  params, patches, _, keys = problem('alexnet', crossings=crossings)
  program = str(jax.make_jaxpr(net('alexnet', (1, 2), crossings=crossings)
                               .apply)(params, patches, keys))
  assert len(re.findall(r'\ball_gather\w*\[', program)) == gathers
  assert len(re.findall(r'\b(?:psum|all_to_all|ppermute)\w*\[', program)) == 0


@pytest.mark.slow
def test_one_device_does_not_talk_to_itself(step_on):
  compiled, _ = step_on('alexnet', (1, 1))
  assert not re.search(r'\b(?:all-\w+|reduce-scatter|collective-\w+)\(',
                       compiled.as_text())


# --- The work of one device ---------------------------------------------------


@pytest.mark.parametrize('mesh, convolutions', [((1, 1), 8), ((1, 2), 5)],
                         ids=str)
def test_columns_that_read_the_same_maps_are_one_convolution(
    net, problem, mesh, convolutions):
  params, patches, *_ = problem()
  program = str(jax.make_jaxpr(net('alexnet', mesh).apply)(params, patches))
  found = re.findall(r'\bconv_general_dilated\[.*?feature_group_count=(\d+)',
                     program, re.DOTALL)
  assert found == ['1'] * convolutions  # conv1 and conv3 are the wide ones


def test_training_lowers_the_loss_on_two_devices(step_on):
  step, (params, *batch) = step_on('alexnet', (1, 2))
  losses = []
  for _ in range(8):
    (loss, _), grads = step(params, *batch)
    losses.append(float(loss))
    params = optax.apply_updates(
        params, jax.tree.map(lambda g: -0.002 * g, grads))
  assert losses[-1] < 0.9 * losses[0]
