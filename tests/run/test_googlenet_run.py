"""Runs of GoogLeNet: side classifiers, dropout and batch statistics at once.

Of its nine modules three, which have both side classifiers, as the others would
only add to the minutes that compiling takes.
"""

import jax
import numpy as np
import pytest
import tiny

from alexnet_jax.network import classifier, googlenet, placement
from alexnet_jax.run import (
  fine_tune,
  trained,
  training,
  typed_config,
)
from configs.history import googlenet as config_file

FIELDS = {name: value for name, value in tiny.FIELDS.items()
          if not name.startswith(('model.', 'optimizer.plateau'))} | {
              'data.name': 'procedural', 'data.path': '',
              'data.image_size': 36, 'augment.crop': 32, 'run.views': 1,
              'run.steps': 4, 'run.evaluate_every': 2, 'run.save_every': 2,
              'model.width': 0.02, 'model.norm': 'batch'}
NAMES = ('cat', 'dog', 'eel')

pytestmark = pytest.mark.slow


def config(fields=None):
  narrowed = config_file.get_config().lock()
  narrowed.update_from_flattened_dict(FIELDS | (fields or {}))
  return narrowed


@pytest.fixture(scope='module', autouse=True)
def few_modules():
  with pytest.MonkeyPatch.context() as patch:
    patch.setattr(googlenet, 'INCEPTIONS', {
        name: googlenet.INCEPTIONS[name] for name in ('4a', '4d', '5b')})
    yield


@pytest.fixture(scope='module')
def run(few_modules, compiled, tmp_path_factory):
  """(workdir, errors) of four steps that nothing disturbed."""
  workdir = str(tmp_path_factory.mktemp('googlenet'))
  return workdir, training.train(typed_config.read(config()), workdir)


def test_the_side_classifiers_are_trained_and_the_main_loss_is_reported(run):
  before, after = (tiny.state(config(), run[0], step) for step in (2, 4))
  for name in ('side1_conv', 'side1_fc1', 'side2_fc2'):
    moved = jax.tree.map(lambda a, b: bool((a != b).any()),
                         before.params['columns'][name],
                         after.params['columns'][name])
    assert all(jax.tree.leaves(moved)), name
  # Their norms have averages too.
  assert {'side1_conv', 'side2_conv', 'inception5b'} <= set(
      after.batch_stats['columns'])
  assert tiny.losses(run[0])[0] == pytest.approx(np.log(12), abs=1.5)


def test_four_steps_are_two_and_two_to_the_last_bit(run, tmp_path):
  with pytest.MonkeyPatch.context() as monkeypatch:
    tiny.ask_to_stop_at(2, monkeypatch)
    assert training.train(typed_config.read(config()), str(tmp_path)) == {}
  assert training.train(typed_config.read(config()), str(tmp_path)) == run[1]
  tiny.assert_same(tiny.state(config(), str(tmp_path)),
                   tiny.state(config(), run[0]))
  assert tiny.metrics(tmp_path) == tiny.metrics(run[0])


def test_two_devices_compute_the_same(run, tmp_path):
  training.train(typed_config.read(config({'mesh.data': 2})), str(tmp_path))
  ours, theirs = (tiny.state(config(), workdir)
                  for workdir in (str(tmp_path), run[0]))
  tiny.assert_close(ours.batch_stats, theirs.batch_stats, 1e-2)
  tiny.assert_close(ours.params, theirs.params, 1e-2)
  np.testing.assert_allclose(
      tiny.losses(tmp_path), tiny.losses(run[0]), rtol=1e-3)


def test_in_sixteen_bits_the_statistics_and_parameters_stay_float32(
    run, tmp_path):
  training.train(typed_config.read(config({'precision': 'bfloat16'})),
                 str(tmp_path))
  state = tiny.state(config({'precision': 'bfloat16'}), str(tmp_path))
  leaves = jax.tree.leaves((state.params, state.batch_stats))
  assert {leaf.dtype for leaf in leaves} == {np.dtype(np.float32)}
  assert all(np.isfinite(leaf).all() for leaf in leaves)
  np.testing.assert_allclose(
      tiny.losses(tmp_path), tiny.losses(run[0]), rtol=0.1)


def test_other_classes_get_a_new_softmax_and_new_side_classifiers(run):
  network = trained.open_trained(run[0])
  model = typed_config.read(config()).build_model(
      placement.make_mesh(1, 1, 1), len(NAMES))
  fresh = jax.jit(model.init)(jax.random.key(5))
  fresh = jax.device_put(fresh, placement.param_shardings(network.mesh, fresh))
  variables, said = fine_tune.start_from(run[0], model, fresh, NAMES)
  taken, there = variables['columns'], network.params['columns']
  for name in ('conv1', 'conv2', 'inception4a', 'inception5b'):
    tiny.assert_same(jax.device_get(taken[name]), jax.device_get(there[name]))
  for name in ('side1_conv', 'side1_fc2', 'side2_fc1'):
    tiny.assert_same(jax.device_get(taken[name]),
                     jax.device_get(fresh['columns'][name]))
  assert 'Took conv1 to inception5b from' in said
  assert 'fc8 to side2_fc2 are new (12 classes there, 3 here)' in said
  averages = classifier.split(variables)[1]['columns']
  tiny.assert_same(
      jax.device_get(averages['inception4d']),
      jax.device_get(network.params['batch_stats']['columns']['inception4d']))
