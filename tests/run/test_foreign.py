"""What is said about files of weights that differ from config.model."""

import dataclasses
import json

import jax
import nets
import network_forms
import numpy as np
import published_files as other
import pytest
from safetensors.numpy import load_file, save_file

from alexnet_jax import config_files
from alexnet_jax.export import operations, torch_file
from alexnet_jax.network import placement
from alexnet_jax.run import experiment, fine_tune, foreign, typed_config

OTHER_FORM = {'norm_epsilon': 0.1, 'pixel_stddevs': network_forms.PIXELS}


def written_with_card(path, fields):
  """(model of other fields, a file of ours with its card) of a ResNet."""
  model, variables = network_forms.network('resnet')
  torch_file.save(
      path, operations.operations(model, variables),
      np.full((model.patch, model.patch, 3), 120.0), {'config': {'model': {
          'name': 'resnet', **dataclasses.asdict(model.spec)} | fields}})
  return nets.build(
      'resnet', placement.make_mesh(1, 1, 1), network_forms.CLASSES,
      model.patch, **dataclasses.asdict(model.spec) | OTHER_FORM)


@pytest.mark.parametrize('ending', ['safetensors', 'pt'])
def test_our_own_file_in_another_form_is_taken_and_it_is_said(
    ending, tmp_path):
  if ending == 'pt':
    pytest.importorskip('torch')
  path = str(tmp_path / f'net.{ending}')
  model = written_with_card(path, {})
  assert foreign.open_file(path, model).notes == (
      ' config.model is not that of the file (norm_epsilon=0.1, 1e-05 there;'
      ' pixel_stddevs=(58.0, 57.0, 59.0), [] there), so its outputs may be'
      ' others.')
  written_with_card(path, OTHER_FORM)
  assert not foreign.open_file(path, model).notes


def test_values_in_the_card_of_a_file_may_be_anything(tmp_path):
  path = str(tmp_path / 'net.safetensors')
  model = written_with_card(path, OTHER_FORM | {'shortcut': '\n\x1b[2J' * 99})
  said = foreign.open_file(path, model).notes
  assert r'(shortcut=C, \x0a\x1b[2J' in said and len(said) < 200


@pytest.mark.parametrize('card', [
    'no JSON', '[' * 10_000, '[]', '{"config": []}',
    json.dumps({'config': {'model': {'name': 'vgg', 'norm_epsilon': 1}}})],
    ids=['no JSON', 'deep', 'a list', 'no config', 'another network'])
def test_a_card_of_another_kind_is_no_card(card, tmp_path):
  path = str(tmp_path / 'net.safetensors')
  model = written_with_card(path, {})
  save_file(load_file(path), path, {'card': card})
  source = foreign.open_file(path, model)
  assert not source.notes and source.program == 'PyTorch'


def test_a_start_says_which_layers_have_no_bias_in_the_file(tmp_path):
  config = config_files.load('configs/published/torchvision.py', {
      **other.NARROW, 'data.image_size': 72, 'augment.crop': 64,
      'optimizer.batch_size': 16}, 'config')
  named = other.state_dict(other.random_arrays((1,) * 5, side=1, classes=12))
  path = str(tmp_path / 'alexnet.npz')
  np.savez(path, **{name: leaf for name, leaf in named.items() if name not in (
      'features.3.bias', 'classifier.1.bias')})
  built = experiment.build(typed_config.read(config), 5, 32)
  params = jax.tree.map(
      lambda leaf: np.zeros(leaf.shape, leaf.dtype),
      jax.eval_shape(built.model.init, jax.random.key(0)))
  _, said = fine_tune.start_from(
      path, built.model,
      jax.device_put(params, placement.param_shardings(built.mesh, params)),
      tuple('abcde'))
  assert said == (
      f'Took conv1 to fc7 from {path} (torchvision); fc8 is new (12 classes'
      ' there, 5 here). The file has no bias for conv2, fc6.')
