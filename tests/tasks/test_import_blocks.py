"""Networks of blocks and LeNet-5: imported, exported in every format, tuned."""

import contextlib
import importlib
import io
import json
import os

import jax
import network_forms
import numpy as np
import pytest
import tiny

from alexnet_jax import config_files
from alexnet_jax.errors import InputError
from alexnet_jax.export import operations, torch_file
from alexnet_jax.network import models, placement
from alexnet_jax.run import (
  experiment,
  fine_tune,
  foreign,
  stored_config,
  trained,
  typed_config,
)
from alexnet_jax.tasks import export
from alexnet_jax.tasks.export import Options

import_task = importlib.import_module('alexnet_jax.tasks.import')
DATA = {name: value for name, value in tiny.FIELDS.items()
        if not name.startswith(('model.', 'optimizer.plateau'))} | {
            'data.name': 'procedural', 'data.path': ''}
RESNET = DATA | {'model.kernels': (4, 6), 'model.blocks': (1, 1),
                 'data.image_size': 40, 'augment.crop': 32}


def resnet(form='50,torchvision', fields=None):
  return config_files.load(f'configs/history/resnet.py:{form}',
                                  RESNET | (fields or {}), 'config')


def built_of(config, classes=7):
  return experiment.build(typed_config.read(config), classes, 64)


def write(path, config):
  """Writes random weights as torchvision does; returns the variables."""
  model = built_of(config).model
  variables = network_forms.random_values(jax.eval_shape(
      model.init, jax.random.key(0)), np.random.default_rng(0))
  arrays = torch_file.state_dict(
      operations.operations(model, variables),
      np.zeros((model.patch, model.patch, 3)))
  np.savez(path, **{name: array for name, array in arrays.items()
                    if name != 'mean'})
  return variables


@pytest.fixture(scope='module')
def run(tmp_path_factory, compile_once):
  """(workdir, file, variables, what was printed) of an import."""
  folder = tmp_path_factory.mktemp('blocks')
  path, workdir = str(folder / 'resnet.npz'), str(folder / 'run')
  variables = write(path, resnet())
  said = io.StringIO()
  with contextlib.redirect_stdout(said):
    import_task.import_weights(resnet(), path, workdir)
  return workdir, path, variables, said.getvalue()


def same(ours, theirs):
  jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_a_checkpoint_has_weights_averages_and_pixels_of_torchvision(run):
  workdir, path, variables, said = run
  assert said.startswith(f'Took conv1 to fc8 from {path} (torchvision, RGB,'
                         ' 7 classes).\n')
  network = trained.open_trained(workdir)
  same(network.params, variables)
  assert network.params['batch_stats']['columns']['conv1']['bn']['var'].any()
  np.testing.assert_allclose(
      network.input_stats.mean[3, 5], (123.675, 116.28, 103.53))
  assert network.settings.model.pixel_stddevs == (58.395, 57.12, 57.375)


@pytest.mark.parametrize('ending', ['npz', 'safetensors'])
def test_a_file_of_our_own_is_the_same_network(run, ending, tmp_path):
  path = export.export(run[0], out=str(tmp_path / f'a.{ending}'))
  same(trained.open_weights(path).params, run[2])


@pytest.mark.parametrize('name', ['onnx', 'stablehlo'])
def test_a_program_gives_the_logits(run, name, tmp_path):
  path = export.export(run[0], out=str(tmp_path / f'a.{name}'),
                       options=Options(name, 'outside'))
  network = trained.open_trained(run[0])
  patches = np.random.default_rng(0).normal(0, 60, (2, 32, 32, 3)).astype('f')
  logits = np.asarray(jax.jit(network.model.apply)(network.params, patches)[0])
  if name == 'onnx':
    import onnxruntime
    there, = onnxruntime.InferenceSession(path).run(
        None, {'patches': patches.transpose(0, 3, 1, 2)})
  else:
    with open(path, 'rb') as file:
      there = jax.export.deserialize(bytearray(file.read())).call(patches)
  network_forms.assert_equal_logits(there, logits)


def test_a_state_dict_comes_back_as_the_same_run(run, tmp_path, capsys):
  path = export.export(run[0], out=str(tmp_path / 'a.safetensors'),
                       options=Options('torch'))
  assert 'alexnet_torch.py loads it into PyTorch\n' in capsys.readouterr().out
  import_task.import_weights(
      resnet(fields={'augment.mean_pixel': ()}), path, str(tmp_path / 'w'))
  again, first = (trained.open_trained(workdir)
                  for workdir in (str(tmp_path / 'w'), run[0]))
  same(again.params, first.params)
  same(again.input_stats.mean, first.input_stats.mean)
  assert again.settings.augmentation.mean_pixel == pytest.approx(
      (123.675, 116.28, 103.53))
  other = built_of(resnet('50')).model
  assert ' (stride_in_3x3=False, True there; ' in foreign.open_file(
      path, other).notes


def test_the_mean_in_a_state_dict_has_the_colors_of_its_kernels(run, tmp_path):
  path = export.export(run[0], out=str(tmp_path / 'a.safetensors'),
                       options=Options('torch'))
  import_task.import_weights(resnet(), path, str(tmp_path / 'w'), order='bgr')
  network = trained.open_trained(str(tmp_path / 'w'))
  kernels = [params['columns']['conv1']['conv']['kernel']
             for params in (network.params, run[2])]
  np.testing.assert_array_equal(kernels[0], kernels[1][..., ::-1, :])
  np.testing.assert_allclose(
      network.input_stats.mean[3, 5], (103.53, 116.28, 123.675))
  assert network.settings.augmentation.mean_pixel == pytest.approx(
      (103.53, 116.28, 123.675))


def test_a_file_of_torchvision_starts_a_run(run):
  built = built_of(resnet(), 12)
  fresh = jax.jit(built.model.init)(jax.random.key(0))
  fresh = jax.device_put(fresh, placement.param_shardings(built.mesh, fresh))
  chosen, said = fine_tune.start_from(
      run[1], built.model, fresh, tuple('abcdefghijkl'))
  assert said == (f'Took conv1 to conv3_1 from {run[1]} (torchvision); fc8 is'
                  ' new (7 classes there, 12 here).')
  for part in ('columns', 'batch_stats'):
    same(chosen[part], run[2][part])


def test_another_wiring_than_torchvision_s_is_said(run, tmp_path, capsys):
  said = import_task.import_weights(resnet('50'), run[1], str(
      tmp_path / 'w'), mean=_pixel(tmp_path))
  assert "is not torchvision's (stride_in_3x3=False, centered_p" in said
  with open(tmp_path / 'w' / 'imported.txt', encoding='utf-8') as file:
    assert file.read().strip() == said


def _pixel(folder):
  np.save(folder / 'mean.npy', [120.0, 110.0, 100.0])
  return str(folder / 'mean.npy')


def test_lenet_comes_back_from_pytorch_and_refuses_others(run, tmp_path):
  config = config_files.load('configs/history/lenet5.py')
  path, workdir = str(tmp_path / 'a.npz'), str(tmp_path / 'w')
  variables = write(path, config)
  said = import_task.import_weights(config, path, workdir,
                                    mean=_pixel(tmp_path))
  assert said.startswith(f'Took c1 to fc8 from {path} (PyTorch, RGB,')
  same(trained.open_trained(workdir).params, variables)
  with pytest.raises(InputError, match='none of the layers of LeNet-5'):
    import_task.import_weights(config, run[1], str(tmp_path / 'v'))
  assert not os.path.exists(tmp_path / 'v')


def test_a_run_of_before_these_fields_means_the_same():
  for form in ('history/resnet.py', 'history/googlenet.py', 'history/vgg16.py'):
    config = config_files.load(f'configs/{form}')
    stored = json.loads(json.dumps(config.to_dict()))
    for field in ('pixel_stddevs', 'last_pooling', 'inverted_dropout'):
      stored['model'].pop(field, None)
    if 'googlenet' in form:
      del stored['model']['norm_epsilon']
    filled = stored_config.with_added_fields(stored)['model']
    assert models.read_spec(filled) == typed_config.read(config).model
