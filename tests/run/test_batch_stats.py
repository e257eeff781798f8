"""Runs of networks with batch statistics and with side classifiers."""

import os
import socket

import jax
import numpy as np
import program
import pytest
import tiny

from alexnet_jax.bench import compiled_for
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment
from alexnet_jax.network import classifier, placement
from alexnet_jax.run import (
  experiment,
  fine_tune,
  published,
  trained,
  training,
  typed_config,
  weights,
)
from configs.history import cifar_resnet, googlenet

NAMES = ('cat', 'dog', 'eel')
FIELDS = {name: value for name, value in tiny.FIELDS.items()
          if not name.startswith(('model.', 'optimizer.plateau'))} | {
              'data.name': 'procedural', 'data.path': '', 'run.views': 1,
              'run.keep': 3}
RESNET = {'model.kernels': (4, 6, 6), 'model.blocks': (1, 1, 1),
          'data.image_size': 16, 'augment.crop': 16}


def config(fields=None):
  """A narrow ResNet on small procedural pictures."""
  narrowed = cifar_resnet.get_config().lock()
  narrowed.update_from_flattened_dict(FIELDS | RESNET | (fields or {}))
  return narrowed


@pytest.fixture(scope='module')
def run(compiled, tmp_path_factory):
  """(workdir, errors) of six steps that nothing disturbed."""
  workdir = str(tmp_path_factory.mktemp('resnet'))
  return workdir, training.train(typed_config.read(config()), workdir)


def stopped_at_3(workdir):
  with pytest.MonkeyPatch.context() as monkeypatch:
    tiny.ask_to_stop_at(3, monkeypatch)
    assert training.train(typed_config.read(config()), str(workdir)) == {}


def test_running_averages_move_and_are_in_the_checkpoint(run):
  before, after = (tiny.state(config(), run[0], step).batch_stats
                   for step in (3, 6))
  moved = jax.tree.map(lambda a, b: bool((a != b).any()), before, after)
  assert all(jax.tree.leaves(moved)) and len(jax.tree.leaves(moved)) == 14


@pytest.mark.slow
def test_six_steps_are_three_and_three_with_the_same_averages(run, tmp_path):
  workdir, errors = run
  stopped_at_3(tmp_path)
  assert training.train(typed_config.read(config()), str(tmp_path)) == errors
  tiny.assert_same(tiny.state(config(), str(tmp_path)),
                   tiny.state(config(), workdir))


@pytest.mark.slow
def test_a_run_goes_on_upon_two_devices(run, tmp_path):
  workdir, errors = run
  stopped_at_3(tmp_path)
  there = training.train(
      typed_config.read(config({'mesh.data': 2})), str(tmp_path))
  assert there == pytest.approx(errors, abs=1e-2)
  tiny.assert_close(tiny.state(config(), str(tmp_path)).batch_stats,
                    tiny.state(config(), workdir).batch_stats, 1e-2)


def test_an_exported_file_has_the_averages_and_opens_again(run, tmp_path):
  network = trained.open_trained(run[0])
  layers = weights.to_layers(network.model, network.params)
  assert list(layers) == ['conv1', 'conv2_1', 'conv3_1', 'conv4_1', 'fc8']
  assert {'conv1/kernel', 'bn1/scale', 'bn1/mean', 'bn1/var'} <= set(
      layers['conv2_1'])
  path = str(tmp_path / 'resnet.npz')
  weights.save(path, weights.Weights(
      layers, network.input_stats, network.class_names,
      {'config': network.settings.config}))
  opened = trained.open_weights(path)
  tiny.assert_same(jax.device_get(opened.params),
                   jax.device_get(network.params))


def test_another_network_takes_the_averages_but_not_the_softmax(run):
  network = trained.open_trained(run[0])
  model = typed_config.read(config()).build_model(
      placement.make_mesh(1, 1, 1), len(NAMES))
  fresh = jax.jit(model.init)(jax.random.key(5))
  fresh = jax.device_put(fresh, placement.param_shardings(network.mesh, fresh))
  variables, sentence = fine_tune.start_from(run[0], model, fresh, NAMES)
  assert sentence.startswith('Took conv1 to conv4_1 from')
  assert 'fc8 is new (12 classes there, 3 here)' in sentence
  tiny.assert_same(jax.device_get(classifier.split(variables)[1]),
                   jax.device_get(classifier.split(network.params)[1]))
  assert variables['fc8']['bias'].shape == (3,)


@pytest.mark.slow
def test_a_frozen_block_keeps_its_weights_and_decays_name_blocks(tmp_path):
  frozen = config({'optimizer.frozen': ('conv2_1',), 'run.steps': 2,
                   'optimizer.layer_decays': (('conv3_1', 0.1),),
                   'optimizer.layer_rates': (('fc8', 10.0),)})
  built = experiment.build(typed_config.read(frozen), 12, 64)
  first = jax.device_get(built.new_state(augment.PixelStats(
      np.zeros((16, 16, 3), np.float32), np.eye(3, dtype=np.float32),
      np.zeros(3, np.float32))))
  training.train(typed_config.read(frozen), str(tmp_path))
  after = tiny.state(frozen, str(tmp_path)).params['columns']
  tiny.assert_same(after['conv2_1'], first.params['columns']['conv2_1'])
  assert (after['conv3_1']['conv1']['kernel']
          != first.params['columns']['conv3_1']['conv1']['kernel']).any()


@pytest.mark.slow
def test_googlenet_trains_its_side_classifiers_and_reports_the_main_loss(
    tmp_path):
  narrow = googlenet.get_config().lock()
  narrow.update_from_flattened_dict(FIELDS | {
      'model.width': 0.02, 'data.image_size': 32, 'augment.crop': 32,
      'run.steps': 1})
  built = experiment.build(typed_config.read(narrow), 12, 64)
  training.train(typed_config.read(narrow), str(tmp_path))
  params = tiny.state(narrow, str(tmp_path)).params['columns']
  shapes = jax.eval_shape(built.model.init, jax.random.key(0))
  assert params.keys() == shapes['columns'].keys()
  assert (params['side1_fc2']['bias'] != 0).any()
  assert tiny.losses(tmp_path)[0] == pytest.approx(np.log(12), abs=1.5)


@pytest.mark.slow
def test_two_processes_are_one(run, compiled, tmp_path):
  changed = FIELDS | RESNET | {'mesh.data': 2}
  arguments = ['--config=configs/history/cifar_resnet.py', *(
      f'--config.{name}={value}' for name, value in changed.items()),
               f'--workdir={tmp_path}']
  with socket.socket() as free:
    free.bind(('localhost', 0))
    port = free.getsockname()[1]
  two = [program.start(
      [*arguments, f'--coordinator=localhost:{port}', '--num_processes=2',
       f'--process={i}'], compiled) for i in range(2)]
  for process in two:
    code, _, err = program.finish(process)
    assert code == 0, err
  np.testing.assert_allclose(
      tiny.losses(tmp_path), tiny.losses(run[0]), rtol=1e-3)
  tiny.assert_close(tiny.state(config(), str(tmp_path)).batch_stats,
                    tiny.state(config(), run[0]).batch_stats, 1e-2)


@pytest.mark.slow
def test_a_killed_run_ends_as_if_it_had_not_been(compiled, tmp_path):
  changed = FIELDS | RESNET | {
      'run.steps': 60, 'run.evaluate_every': 20, 'run.save_every': 3}
  arguments = ['--config=configs/history/cifar_resnet.py', *(
      f'--config.{name}={value}' for name, value in changed.items())]
  whole, killed = (str(tmp_path / name) for name in ('whole', 'killed'))
  program.launch([*arguments, f'--workdir={whole}'], compiled)
  process = program.start([*arguments, f'--workdir={killed}'], compiled)
  program.wait_for(lambda: os.path.isdir(os.path.join(killed, 'checkpoints'))
                   and max(tiny.steps(killed), default=0) > 0, process)
  assert process.poll() is None  # still at work, or nothing is tested
  program.kill(process)
  assert 0 < tiny.steps(killed)[-1] < 60
  program.launch([*arguments, f'--workdir={killed}'], compiled)
  tiny.assert_same(tiny.state(config(), killed), tiny.state(config(), whole))
  assert tiny.metrics(killed) == tiny.metrics(whole)


def test_batch_normalization_is_not_computed_in_parts(tmp_path):
  with pytest.raises(InputError, match=r'accumulate=2 would normalize each part'
                     r' of a batch by its own statistics: leave it at 1'):
    training.train(typed_config.read(config({'optimizer.accumulate': 2})),
                   str(tmp_path))


def test_crops_are_cut_in_one_way():
  with pytest.raises(InputError, match=r'pad=4 and config\.augment\.scale='
                     r'\(20, 24\) cut crops in two ways: leave one'):
    typed_config.read(config({'augment.scale': (20, 24)}))


@pytest.mark.slow
def test_running_averages_of_frozen_layers_stay(run, tmp_path):
  frozen = config({'optimizer.frozen': ('conv1',), 'run.steps': 2})
  training.train(typed_config.read(frozen), str(tmp_path))
  new = experiment.build(typed_config.read(frozen), 3, 64)
  before = classifier.split(jax.eval_shape(new.model.init, jax.random.key(0)))
  after = tiny.state(frozen, str(tmp_path)).batch_stats['columns']
  assert after.keys() == before[1]['columns'].keys()
  for leaf in jax.tree.leaves(after['conv1']):
    assert set(np.unique(leaf)) <= {0.0, 1.0}  # as they begin
  others = [leaf for name, layer in after.items() if name != 'conv1'
            for leaf in jax.tree.leaves(layer)]
  assert all(np.unique(leaf).size > 1 for leaf in others)


def test_an_alexnet_with_batch_normalization_has_no_published_form():
  built = experiment.build(typed_config.read(tiny.config({
      'model.norm': 'batch'})), 3, 64)
  with pytest.raises(InputError, match='knows no names for norm1 of this net'):
    published.needed_kernels(built.model)


def test_both_programs_of_a_chip_read_the_running_averages():
  built = experiment.build(typed_config.read(config()), 3, 64)
  for _, jitted, arguments in compiled_for._programs(built):
    jax.eval_shape(jitted, *arguments)
