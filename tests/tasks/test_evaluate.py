"""Errors count every example once; ten patches are averaged as printed."""

import json

import jax
import numpy as np
import pytest
import tiny

from alexnet_jax.data import statistics
from alexnet_jax.learning import augment
from alexnet_jax.run import evaluation, experiment
from alexnet_jax.tasks import evaluate


@pytest.fixture(scope='module')
def given():
  """(source, pixels, images, labels) of the 24 validation pictures."""
  source = experiment.read(tiny.config()).open_split('validation')
  found = statistics.statistics(source)
  images, labels = (np.stack([source[i][name] for i in range(len(source))])
                    for name in ('image', 'label'))
  return (
    source,
    augment.pixel_stats(found.mean, found.covariance),
    images,
    labels,
  )


@pytest.fixture(scope='module')
def by_hand(given):
  """The errors of the first State with one and ten patches, in numpy."""
  _source, pixels, images, labels = given
  config = tiny.config()
  built = experiment.build(experiment.read(config), 12, 64)
  params = jax.device_get(
      built.new_state(pixels).params)
  apply = jax.jit(built.model.apply)
  def softmax(top, left, flipped):
    patches = images[:, top:top + 64, left:left + 64].astype(np.float32)
    patches = patches[:, :, ::-1] if flipped else patches
    logits, _ = apply(params, patches - pixels.mean[4:68, 4:68])
    exp = np.exp(np.float64(logits))
    return exp / exp.sum(-1, keepdims=True)

  five = [(0, 0), (0, 8), (8, 0), (8, 8), (4, 4)]
  views = {'one': [(4, 4, 0)],
           'ten': [(*place, side) for place in five for side in (0, 1)]}
  errors = {}
  for name, places in views.items():
    mean = np.mean([softmax(*place) for place in places], 0)
    own = mean[np.arange(24), labels]
    rank = (mean > own[:, None]).sum(-1)
    errors |= {f'{name}_crop_loss': -np.log(own).mean(),
               f'{name}_crop_top1_error': (rank >= 1).mean(),
               f'{name}_crop_top5_error': (rank >= 5).mean()}
  return errors


@pytest.mark.parametrize('fields', [
    {'optimizer.batch_size': 24},
    {'optimizer.batch_size': 16},  # the last batch is half full
    {'optimizer.batch_size': 7},
    {'optimizer.batch_size': 32},  # more than there are
    {'optimizer.batch_size': 16, 'mesh.data': 2, 'mesh.column': 2},
], ids=str)
def test_every_example_counts_once_at_any_batch_size(given, by_hand, fields):
  source, pixels, *_ = given
  config = tiny.config(fields)
  built = experiment.build(experiment.read(config), 12, 64)
  state = built.new_state(pixels)
  errors = evaluation.final_errors(built, state, source)
  assert errors == pytest.approx(by_hand, abs=1e-5)


def test_one_patch_and_ten_differ(by_hand):
  assert by_hand['one_crop_loss'] != pytest.approx(
      by_hand['ten_crop_loss'], abs=1e-4)


def test_the_newest_checkpoint_has_the_errors_of_the_last_test(
    trained, capsys):
  config, workdir, errors = trained
  assert evaluate.evaluate(config, workdir, 'latest') == errors
  *table, last = capsys.readouterr().out.splitlines()
  assert json.loads(last) == {'step': 6, 'images': 24, **errors}
  assert f'{errors["ten_crop_top1_error"]:.2%}' in table[-1]


def test_any_checkpoint_can_be_chosen(trained, capsys):
  config, workdir, errors = trained
  evaluate.evaluate(config, workdir, '4')
  last = json.loads(capsys.readouterr().out.splitlines()[-1])
  (validation,) = [line for line in tiny.metrics(workdir, 'validation')
                   if line['step'] == 4]
  assert last['step'] == 4
  assert last['one_crop_loss'] == validation['loss'] != errors['one_crop_loss']


def test_the_best_checkpoint_has_the_least_error(trained, capsys):
  config, workdir, _ = trained
  errors = evaluate.evaluate(config, workdir, 'best')
  capsys.readouterr()
  assert errors['one_crop_top1_error'] == min(
      line['top1_error'] for line in tiny.metrics(workdir, 'validation'))


def test_another_mesh_and_batch_size_give_the_same_errors(trained, capsys):
  _, workdir, errors = trained
  elsewhere = tiny.config(
      {'mesh.column': 2, 'mesh.data': 2, 'run.keep': 1})
  assert evaluate.evaluate(elsewhere, workdir, 'latest') == pytest.approx(
      errors, abs=1e-5)
  capsys.readouterr()
