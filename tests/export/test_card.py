"""The card of a network."""

import json

import pytest

from alexnet_jax.export import card
from alexnet_jax.run.trained import open_trained


def test_the_card_says_what_a_user_of_the_file_must_know(trained):
  network = open_trained(trained[1])
  said = card.describe(network, 'CC BY 4.0')
  assert json.loads(json.dumps(said)) == said | {
      'config': json.loads(json.dumps(said['config']))}
  assert said['class_names'] == list(network.class_names)
  assert said['layers'] == [
      'conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7', 'fc8']
  assert said['step'] == 6 and said['config']['model']['name'] == 'alexnet'
  assert (said['input']['image_size'], said['input']['crop']) == (72, 64)
  assert said['input']['resize'].startswith('the shorter side to 72 pixels')
  mean = network.input_stats.mean[4:68, 4:68].mean((0, 1))
  assert said['input']['mean_color'] == pytest.approx(mean.tolist(), abs=1e-3)
  assert said['data'] == {
      'name': 'procedural', 'path': '', 'license': 'CC BY 4.0',
      'train_examples': 64}


def test_the_errors_are_those_measured_at_the_step(trained):
  _, workdir, errors = trained
  measured = card.measured_errors(workdir, 6)
  assert measured['final'] == pytest.approx(errors)
  assert measured['validation']['top1_error'] == pytest.approx(
      errors['one_crop_top1_error'])
  assert 'final' not in card.measured_errors(workdir, 4)


def test_a_license_that_is_not_known_is_not_stated(trained):
  network = open_trained(trained[1])
  assert card.describe(network)['data']['license'] == 'not stated'
