"""Checkpoints: which are kept, which is found, and whose they are."""

import collections
import json

import jax
import numpy as np
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.learning.step import State
from alexnet_jax.run import checkpoint, stored_config
from alexnet_jax.run.checkpoint import Metadata

ABOUT = Metadata({'seed': 3, 'model': {'name': 'alexnet', 'kernels': [1, 2]},
               'precision': 'bfloat16'},
              ('cat', 'dog'), 64)


def value(step):
  weights = {'w': jax.numpy.full((3,), step, jax.numpy.float32)}
  nothing = jax.numpy.zeros(())
  return State(jax.numpy.int32(step), weights, {'v': nothing}, nothing,
               {'best': nothing}, {'mean': weights['w']}, {})


@pytest.fixture
def saved(tmp_path):
  """A function: top-1 errors by step (None: no validation) -> manager."""

  def save(errors, keep=2):
    manager = checkpoint.open_manager(str(tmp_path), keep)
    for step, error in errors.items():
      checkpoint.save(manager, step, value(step), ABOUT,
                      None if error is None else {'top1_error': error})
    manager.wait_until_finished()
    manager.close()
    return checkpoint.open_manager(str(tmp_path), keep)

  return save


@pytest.mark.parametrize('errors, kept, best', [
    ({1: 0.9, 2: 0.5, 3: 0.7, 4: 0.6, 5: 0.8}, [2, 4, 5], 2),
    ({1: 0.9, 2: None, 3: None, 4: None}, [1, 3, 4], 1),
    ({1: None, 2: None, 3: None}, [2, 3], 3),
    ({1: 0.5, 2: 0.5, 3: 0.4, 4: 0.4}, [3, 4], None),  # either will do
])
def test_the_latest_and_the_best_stay(saved, tmp_path, errors, kept, best):
  manager = saved(errors)
  assert sorted(manager.all_steps()) == kept
  find = lambda which: checkpoint.find_step(manager, which, str(tmp_path))
  assert find('latest') == kept[-1]
  assert find('best') in ([best] if best else kept)
  assert [find(str(step)) for step in kept] == kept
  manager.close()


def test_the_best_is_remembered_after_a_resume(saved, tmp_path):
  saved({1: 0.9, 2: 0.5, 3: 0.7}).close()
  manager = saved({4: 0.6, 5: 0.8, 6: 0.7})
  assert sorted(manager.all_steps()) == [2, 5, 6]
  assert checkpoint.find_step(manager, 'best', str(tmp_path)) == 2
  manager.close()


def test_a_step_that_is_there_stays_as_it_is(saved):
  saved({1: 0.9}).close()
  manager = saved({1: 0.1})
  assert manager.metrics(1) == {'top1_error': 0.9}
  manager.close()


@pytest.mark.parametrize('which', ['3', 'first', '-1', ''])
def test_a_checkpoint_that_is_not_there_is_refused(saved, tmp_path, which):
  manager = saved({1: 0.9, 2: 0.8})
  with pytest.raises(InputError, match='latest, best or one of 1, 2'):
    checkpoint.find_step(manager, which, str(tmp_path))
  manager.close()


def test_a_state_comes_back_to_the_bit_where_it_is_asked_to(saved, mesh_of):
  manager = saved({7: None})
  home = jax.sharding.NamedSharding(mesh_of(2, 2), jax.sharding.PartitionSpec())
  shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(
        x.shape, x.dtype, sharding=home), value(7))
  restored = checkpoint.restore(manager, 7, shapes).params['w']
  assert restored.sharding == home
  np.testing.assert_array_equal(restored, value(7).params['w'])
  manager.close()


def test_classes_and_config_lie_beside_the_state(saved):
  manager = saved({7: None})
  index = checkpoint.read_metadata(manager, 7)
  assert index.class_names == ABOUT.class_names
  assert index.train_examples == ABOUT.train_examples
  assert index.config == stored_config.with_added_fields(
      json.loads(json.dumps(ABOUT.config)))
  manager.close()


def test_a_save_that_was_killed_is_not_taken_for_a_checkpoint(
    saved, tmp_path):
  saved({1: None}).close()
  folder = tmp_path / checkpoint.FOLDER
  (folder / '2.orbax-checkpoint-tmp' / 'state').mkdir(parents=True)
  saved({}).close()
  manager = saved({2: None})
  assert sorted(manager.all_steps()) == [1, 2]
  manager.close()


def test_fields_that_came_later_are_filled_in(tmp_path):
  manager = checkpoint.open_manager(str(tmp_path), 1)
  old = ABOUT._replace(config={'seed': 3, 'run': {'epochs': 2.0}})
  checkpoint.save(manager, 1, value(1), old, None)
  manager.wait_until_finished()
  found = checkpoint.read_metadata(manager, 1).config
  manager.close()
  assert found == {'seed': 3, 'precision': 'float32',
                   'run': {'epochs': 2.0, 'hold_data': False, 'patience': 0}}


def test_a_checkpoint_with_the_old_name_of_the_statistics_is_read(tmp_path):
  fields = {'pixels' if name == 'input_stats' else name: part
            for name, part in value(3)._asdict().items()
            if name != 'batch_stats'}
  before = collections.namedtuple('State', fields)(**fields)
  with checkpoint.open_manager(str(tmp_path), 2) as manager:
    checkpoint.save(manager, 3, before, ABOUT, None)
  home = jax.sharding.SingleDeviceSharding(jax.devices()[0])
  shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct(
      x.shape, x.dtype, sharding=home), value(3))
  with checkpoint.open_to_read(str(tmp_path)) as manager:
    restored = checkpoint.restore(manager, 3, shapes)
  np.testing.assert_array_equal(restored.input_stats['mean'], [3, 3, 3])


ALEXNET = {'norm': 'response', 'partners': (), 'partner_layers': ()}


@pytest.mark.parametrize('name, filled', [
    ('alexnet', ALEXNET), ('alexnet_2012', ALEXNET), ('cifar', {}),
    ('no network', {})])
def test_a_field_is_added_to_the_networks_that_have_it(name, filled):
  model = {'name': name}
  assert stored_config.with_added_fields({'model': model})['model'] == (
      model | filled)
