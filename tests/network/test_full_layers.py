"""Full layers divided over the data shards: the same numbers; who talks."""

import collections

import jax
import nets
import network_forms
import numpy as np
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.network import placement
from alexnet_jax.network.collectives import find_collectives
from alexnet_jax.run import experiment, typed_config
from configs import paper

NAMES = ('conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7', 'fc8')
BATCH, CLASSES, NEURONS, FEATURES, FLOAT = 8, 10, 32, 8, 4  # of the small net


# --- The same numbers everywhere ----------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize('mesh', [(4, 1), (2, 2)], ids=str)
def test_loss_logits_and_gradients_are_those_of_one_device(
    solve_on, close, mesh):
  close(solve_on('alexnet', mesh, 'model'), solve_on('alexnet'))


def test_one_column_is_divided_as_well(solve_on, close):
  close(solve_on('alexnet', (2, 1), 'model', num_columns=1),
        solve_on('alexnet', num_columns=1))


@pytest.mark.slow
@pytest.mark.parametrize('form', ['vgg', 'torchvision'])
def test_other_networks_with_full_layers_are_divided(form, mesh_of):
  name, patch, fields = network_forms.FORMS[form]
  at = network_forms.problem(form)
  model = nets.build(name, mesh_of(2, 1, 1), network_forms.CLASSES, patch,
                     'model', **fields)
  assert model.divided == ('fc6', 'fc7', 'fc8')
  logits, features = jax.jit(model.apply)(at.params, at.patches[:2])
  network_forms.assert_equal_logits(logits, at.logits[:2])
  _, whole = jax.jit(at.model.apply)(at.params, at.patches[:2])
  network_forms.assert_equal_logits(features, np.asarray(whole))


# --- Homes --------------------------------------------------------------------


@pytest.mark.parametrize('mesh', [(4, 1), (2, 2)], ids=str)
def test_each_of_four_devices_holds_a_quarter_of_each_full_layer(
    net, problem, mesh_of, mesh):
  model = net('alexnet', mesh, 'model')
  params = problem().params
  placed = jax.device_put(params, placement.param_shardings(
      mesh_of(*mesh), params, model.divided))
  size = lambda leaf: leaf.addressable_shards[0].data.size
  for name in ('fc6', 'fc7'):
    for leaf in placed['columns'][name].values():
      assert size(leaf) == leaf.size // 4
  for leaf in placed['columns']['conv3'].values():
    assert size(leaf) == leaf.size // mesh[1]
  # Of several columns, a device has features whose rows are not adjacent.
  rows = placed['fc8']['kernel']
  assert size(rows) == rows.size // (4 if mesh[1] == 2 else 1)


def test_one_data_shard_has_nothing_to_divide(net):
  assert not net('alexnet', (1, 2), 'model').divided


# --- Who talks to whom --------------------------------------------------------


def talk(step_on, mesh):
  compiled, (params, *_) = step_on('alexnet', mesh, 'model')
  return find_collectives(compiled.as_text(), mesh, NAMES), params


def over_data(found):
  return collections.Counter(
      (one.kind, one.layer, one.backward) for one in found
      if one.axes == ('data',) and one.layer)


def test_data_shards_gather_once_for_each_full_layer_and_scatter_once_back(
    step_on):
  found, params = talk(step_on, (2, 2))
  [gradients] = [one for one in found
                 if one.kind == 'all-reduce' and one.axes == ('data',)]
  assert over_data(found) == {
      ('all-gather', 'fc6', False): 1, ('reduce-scatter', 'fc6', True): 1,
      ('all-gather', 'fc7', False): 1, ('reduce-scatter', 'fc7', True): 1,
      ('reduce-scatter', 'fc8', False): 1, ('all-gather', 'fc8', True): 1,
      ('all-reduce', gradients.layer, True): 1}
  # Of the gradients, only those of convolutions and of the softmax's biases.
  own = sum(leaf.addressable_shards[0].data.size for name in NAMES[:5]
            for leaf in params['columns'][name].values())
  assert gradients.numbers == own + CLASSES + 1  # the loss


def test_columns_talk_at_the_crossings_as_without_division(step_on):
  whole, _ = step_on('alexnet', (2, 2))
  ours, theirs = (
      collections.Counter((one.kind, one.layer, one.backward,
                           one.received_bytes)
                          for one in found if one.axes == ('column',))
      for found in (talk(step_on, (2, 2))[0],
                    find_collectives(whole.as_text(), (2, 2), NAMES)))
  assert ours == theirs


def test_what_data_shards_receive_is_the_activity_of_the_whole_batch(step_on):
  found, _ = talk(step_on, (2, 2))
  received = {
      (one.layer, one.backward): one.received_bytes for one in found
      if one.axes == ('data',) and one.layer and one.kind != 'all-reduce'}
  # Each of four devices lacks half of the activities of both columns.
  activities = {'fc6': 2 * FEATURES, 'fc7': 2 * NEURONS, 'fc8': CLASSES}
  assert received == {
      (layer, backward): 4 * BATCH * count // 2 * FLOAT
      for layer, count in activities.items() for backward in (False, True)}


# --- What cannot be divided ---------------------------------------------------


def test_a_network_without_full_layers_is_refused(mesh_of):
  with pytest.raises(InputError) as error:
    nets.build('resnet', mesh_of(2, 1, 1), 5, 64, 'model')
  for part in ('config.mesh.full_layers=model', 'has none', 'at data'):
    assert part in str(error.value)


def test_neurons_that_do_not_divide_are_refused(mesh_of):
  with pytest.raises(InputError) as error:
    nets.build('alexnet', mesh_of(4, 1), 5, 64, 'model', neurons=(32, 30))
  for part in ('30 neurons of fc7', 'config.mesh.data=4', 'divisor of 30'):
    assert part in str(error.value)


def test_the_config_says_what_is_divided():
  config = paper.get_config()
  config.mesh.data, config.mesh.full_layers = 4, 'model'
  built = experiment.build(typed_config.read(config), 1000, 1_281_167)
  assert built.model.divided == ('fc6', 'fc7')
  kernel = built.state_shapes().params['columns']['fc6']['kernel']
  assert kernel.sharding.shard_shape(kernel.shape) == (2, 9216, 512)
