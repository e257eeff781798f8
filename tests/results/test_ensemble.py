"""Several networks averaged: each as it is alone, asked once and kept."""

import gc
import json
import os
import shutil
import weakref

import jax
import numpy as np
import pytest
import tiny

from alexnet_jax.data import statistics
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment
from alexnet_jax.results import (
  averages,
  ensemble,
  ensemble_table,
  predictions,
)
from alexnet_jax.run import checkpoint, evaluation, experiment, typed_config

ERRORS = ('loss', 'top1_error', 'top5_error')


def evaluate(config, *arguments, **named):
  return ensemble.evaluate(typed_config.read(config), *arguments, **named)


def of_test(errors):
  """The ten-patch errors of a test."""
  return {name: errors[f'ten_crop_{name}'] for name in ERRORS}


def of_ensemble(result):
  return {name: result[name] for name in ERRORS}


@pytest.fixture(scope='module')
def other(tmp_path_factory):
  """(workdir, errors) of a one-column network for smaller images, untrained."""
  config = tiny.config({
      'model.neurons': (8, 8), 'model.num_columns': 1, 'data.image_size': 68})
  source = typed_config.read(config).open_split('validation')
  built = experiment.build(typed_config.read(config), 12, 64)
  state = built.new_state(augment.pixel_stats(*statistics.statistics(source)))
  workdir = str(tmp_path_factory.mktemp('other'))
  with checkpoint.open_manager(workdir, 1) as manager:
    checkpoint.save(manager, 2, state, checkpoint.Metadata(
        config.to_dict(), tuple(source.class_names), 64), None)
  return workdir, evaluation.final_errors(built, state, source)


@pytest.fixture(scope='module')
def asked(trained, other, tmp_path_factory):
  """(checkpoints, folder, result) of three networks whose word is kept."""
  config, workdir, _ = trained
  folder = str(tmp_path_factory.mktemp('asked'))
  checkpoints = ['latest', f'{workdir}@4', other[0]]
  return checkpoints, folder, evaluate(
      config, workdir, checkpoints, '', folder)


@pytest.fixture
def unopened(monkeypatch):
  """No checkpoint can be opened."""

  def refuse(*_):
    raise AssertionError('a network was opened')

  monkeypatch.setattr(ensemble, 'open_trained', refuse)


@pytest.mark.parametrize('fields', [
    {},  # batches of 16: the last is half full
    {'optimizer.batch_size': 7, 'mesh.data': 2, 'mesh.column': 2}], ids=str)
def test_an_ensemble_of_one_is_the_network_itself(trained, fields, capsys):
  _, workdir, errors = trained
  result = evaluate(tiny.config(fields), workdir, ['6'], '', '')
  assert of_ensemble(result) == pytest.approx(of_test(errors), abs=1e-5)
  *table, last = capsys.readouterr().out.splitlines()
  assert json.loads(last) == result
  for line in table[1:]:
    assert f'{errors["ten_crop_top1_error"]:.2%}' in line


def test_one_patch_is_tested_as_one(trained):
  _, workdir, errors = trained
  result = evaluate(tiny.config({'run.views': 1}), workdir, ['latest'], '', '')
  assert result['loss'] == pytest.approx(errors['one_crop_loss'], abs=1e-5)
  assert result['networks'][0]['views'] == 1


def test_each_network_is_what_its_own_run_makes_it(trained, other, asked):
  _, _, errors = trained
  _, _, result = asked
  first, second, third = result['networks']
  assert [one['step'] for one in result['networks']] == [6, 4, 2]
  assert {**first, **of_test(errors)} == pytest.approx(first, abs=1e-5)
  assert {**third, **of_test(other[1])} == pytest.approx(third, abs=1e-5)
  assert second['loss'] != pytest.approx(first['loss'], abs=1e-5)


def test_an_ensemble_has_the_errors_of_the_mean_output(asked):
  _, folder, result = asked
  kept = [predictions.load(os.path.join(folder, name))
          for name in os.listdir(folder)]
  assert len(kept) == 3
  mean = np.mean([one.probabilities for one in kept], 0)
  np.testing.assert_allclose(mean.sum(-1), 1, rtol=1e-5)
  own = mean[np.arange(24), kept[0].labels]
  rank = (mean > own[:, None]).sum(-1)
  assert of_ensemble(result) == pytest.approx({
      'loss': -np.log(own).mean(), 'top1_error': (rank >= 1).mean(),
      'top5_error': (rank >= 5).mean()}, abs=1e-5)
  assert result['images'] == 24


def test_weights_count(trained, asked, unopened):
  config, workdir, _ = trained
  checkpoints, folder, _ = asked
  result = evaluate(config, workdir, checkpoints, '0,0.5,0', folder)
  assert of_ensemble(result) == pytest.approx(
      of_ensemble(result['networks'][1]))
  assert [one['weight'] for one in result['networks']] == [0, 0.5, 0]


def test_searched_weights_are_judged_on_images_not_searched(
    trained, asked, unopened, capsys):
  config, workdir, _ = trained
  checkpoints, folder, _ = asked
  result = evaluate(config, workdir, checkpoints, 'search', folder)
  assert result['images'] == result['searched_on']['images'] == 12
  kept = [predictions.load(predictions.path_of(
      folder, one['workdir'], one['step'], 10)) for one in result['networks']]
  seen, unseen = averages.halves(kept[0].labels)
  weights = averages.search([one.probabilities[seen] for one in kept],
                            kept[0].labels[seen])
  assert [one['weight'] for one in result['networks']] == list(weights)
  for images, errors in ((seen, result['searched_on']), (unseen, result)):
    mean = averages.average([one.probabilities[images] for one in kept],
                            weights)
    assert of_ensemble(errors) == averages.mean_errors(
        averages.per_image(mean, kept[0].labels[images]))
  *_, first, second, third, _ = capsys.readouterr().out.splitlines()
  assert first.startswith('searched weights, images searched')
  assert second.startswith('equal weights, other images')
  assert third.startswith('searched weights, other images')


def test_what_was_said_is_not_asked_again(trained, asked, unopened):
  config, workdir, _ = trained
  checkpoints, folder, result = asked
  assert evaluate(config, workdir, checkpoints, '', folder) == result


def test_predictions_stand_without_their_workdirs(
    trained, asked, unopened, tmp_path):
  config, workdir, _ = trained
  _, folder, result = asked
  gone = str(tmp_path / 'gone')
  files = [predictions.path_of(folder, one['workdir'], one['step'], 10)
           for one in result['networks']]
  assert evaluate(config, gone, files, '', '') == result
  whole = evaluate(config, gone, [folder], '', '')
  assert of_ensemble(whole) == pytest.approx(of_ensemble(result))
  # A step that a workdir no longer has.
  one = predictions.load(files[0])._replace(step=5)
  predictions.save(predictions.path_of(folder, workdir, 5, 10), one)
  five = evaluate(config, gone, [f'{workdir}@5'], '', folder)
  assert of_ensemble(five) == of_ensemble(result['networks'][0])
  os.remove(predictions.path_of(folder, workdir, 5, 10))


def test_a_run_made_anew_is_asked_again(trained, asked, tmp_path, capsys):
  config, workdir, _ = trained
  _, folder, result = asked
  file = predictions.path_of(folder, workdir, 6, 10)
  elsewhere = str(tmp_path / os.path.basename(file))
  old = predictions.load(file)
  predictions.save(elsewhere, old._replace(
      saved=old.saved - 1, probabilities=old.probabilities[::-1]))
  again = evaluate(config, workdir, ['latest'], '', str(tmp_path))
  assert of_ensemble(again) == of_ensemble(result['networks'][0])
  assert 'trained anew' in capsys.readouterr().err
  kept = predictions.load(elsewhere)
  np.testing.assert_array_equal(kept.probabilities, old.probabilities)
  assert kept.saved == old.saved and os.listdir(tmp_path) == [
      os.path.basename(file)]


def test_one_network_is_in_memory_at_a_time(trained, monkeypatch):
  config, workdir, _ = trained
  opened, alive = [], []
  open_trained = ensemble.open_trained

  def watched(*arguments):
    gc.collect()
    alive.append(sum(ref() is not None for ref in opened))
    network = open_trained(*arguments)
    opened.extend(map(weakref.ref, jax.tree.leaves(network.params)))
    return network

  monkeypatch.setattr(ensemble, 'open_trained', watched)
  # One that is in both averages is opened once.
  evaluate(config, workdir, ['4', '6'], '', '', against=['6'])
  assert alive == [0, 0] and opened


# --- Gains --------------------------------------------------------------------


def made(name, of_label):
  """Predictions of two classes; `of_label` are the probabilities of the first.

  The first is the label of all images.
  """
  outputs = np.float32([of_label, 1 - np.array(of_label)]).T
  return predictions.Predictions(
      name, 9, 0, 10, ('a', 'b'), np.zeros(len(outputs), int),
      np.zeros((16, 3)), outputs)


# The first two know the first of two images, the third the second, and the
# average of all three knows both.
THREE = (made('one', [0.9, 0.4]), made('two', [0.6, 0.3]),
         made('three', [0.2, 0.9]))


def test_an_average_is_compared_with_the_mean_of_its_networks(capsys):
  result = ensemble_table.report(THREE, [1.0] * 3)
  # Per image 1/3 and 2/3 less: the mean is 1/2, its standard error 1/6.
  assert result['top1_error'] == 0
  assert result['gain'] == pytest.approx({
      'top1_error': 1 / 2, 'top1_standard_error': 1 / 6,
      'top5_error': 0, 'top5_standard_error': 0})
  alone, pairs, last = result['averages_of']
  assert [one['sets'] for one in (alone, pairs, last)] == [3, 3, 1]
  assert [one['top1_error'] for one in (alone, pairs, last)] == pytest.approx(
      [1 / 2, 1 / 3, 0])
  assert last['gain'] == result['gain']
  *_, mean, of_two, average, said = capsys.readouterr().out.splitlines()
  assert json.loads(said) == result
  assert mean.startswith('mean of the networks') and mean.endswith(
      '50.00%        0.00%')
  assert of_two.startswith('mean of the 3 averages of 2') and (
      '+16.67 +- 16.67' in of_two)
  assert average.startswith('average') and average.endswith(
      '+50.00 +- 16.67  +0.00 +- 0.00')


def test_two_averages_are_compared_image_by_image(capsys):
  result = ensemble_table.report(THREE, [1.0] * 3, THREE[:2])
  # Of the first two, each and the average know the first image alone.
  assert result['against']['top1_error'] == 0.5
  gained = result['gain_over_against']
  assert gained['average'] == pytest.approx({
      'top1_error': 1 / 2, 'top1_standard_error': 1 / 2,
      'top5_error': 0, 'top5_standard_error': 0})
  assert gained['mean'] == pytest.approx({
      'top1_error': 0, 'top1_standard_error': 1 / 3,
      'top5_error': 0, 'top5_standard_error': 0}, abs=1e-9)
  *_, last, _ = capsys.readouterr().out.splitlines()
  assert last.startswith('the first average over the second')
  assert '+50.00 +- 50.00' in last


def test_given_weights_have_a_gain_but_no_smaller_averages():
  result = ensemble_table.report(THREE, [1.0, 0.0, 1.0])
  assert result['gain']['top1_error'] == 0.5
  assert 'averages_of' not in result


def test_a_second_average_and_a_search_are_refused_together(trained, unopened):
  config, workdir, _ = trained
  with pytest.raises(InputError, match='--against compares .* --weights=search'
                     '.*leave out one of the two'):
    evaluate(config, workdir, ['4', '6'], 'search', '', against=['6'])


# --- What is refused ----------------------------------------------------------


def refused(config, workdir, checkpoints, folder='', **named):
  with pytest.raises(InputError) as caught:
    evaluate(config, str(workdir), checkpoints, '', str(folder), **named)
  return str(caught.value)


def test_networks_of_other_classes_are_refused(trained, unopened, tmp_path):
  _, workdir, _ = trained
  photos = tiny.config({'data.name': 'folder',
                        'data.path': tiny.write_photos(tmp_path)})
  said = refused(photos, workdir, ['latest'])
  assert '--checkpoint=latest knows other classes, 12 (red' in said
  assert '2 (cat, dog, ...)' in said and 'one data set' in said


@pytest.mark.parametrize('change', [
    lambda held: held._replace(colors=held.colors + 9),
    lambda held: held._replace(labels=held.labels[:20]),
    lambda held: held._replace(labels=held.labels[::-1]),
], ids=['colors', 'count', 'order'])
def test_predictions_of_other_images_are_refused(
    trained, asked, unopened, tmp_path, change):
  config, workdir, _ = trained
  held = predictions.load(predictions.path_of(asked[1], workdir, 6, 10))
  file = str(tmp_path / 'a.npz')
  predictions.save(file, change(held))
  said = refused(config, workdir, [file])
  assert f'predictions kept of --checkpoint={file} are of' in said
  assert 'config.data' in said and 'another --predictions' in said


def test_labels_that_differ_anywhere_are_refused(
    trained, asked, unopened, tmp_path):
  config, workdir, _ = trained
  file = predictions.path_of(asked[1], workdir, 6, 10)
  held = predictions.load(file)
  labels = held.labels.copy()
  labels[2] += 1  # not among those that are looked at
  other = str(tmp_path / 'a.npz')
  predictions.save(other, held._replace(labels=labels))
  assert 'images with other labels' in refused(config, workdir, [file, other])


def test_a_workdir_without_checkpoints_is_refused(trained, unopened, tmp_path):
  config, workdir, _ = trained
  missing = str(tmp_path / 'new')
  assert 'holds no checkpoint' in refused(config, workdir, ['6', missing])
  assert 'holds no checkpoint' in refused(
      config, workdir, ['6'], against=[missing])
  said = refused(config, workdir, [f'{workdir}@5'], tmp_path)
  assert '--checkpoint=5' in said and '4, 6' in said


def test_files_that_hold_no_predictions_are_refused(
    trained, asked, unopened, tmp_path):
  config, workdir, _ = trained
  nothing, text, foreign, cut = (
      str(tmp_path / f'{name}.npz') for name in 'abcd')
  with open(text, 'w', encoding='utf-8') as file:
    file.write('no predictions at all')
  np.savez(foreign, probabilities=np.zeros((24, 12)))
  shutil.copy(predictions.path_of(asked[1], workdir, 6, 10), cut)
  with open(cut, 'r+b') as file:
    file.seek(2000)
    file.write(b'\0' * 100)
  assert f'there are no predictions {nothing}' in refused(
      config, workdir, [nothing])
  for path in (text, foreign, cut):
    said = refused(config, workdir, [path])
    assert f'{path} holds no predictions' in said and 'remove it' in said


def test_a_file_in_the_folders_place_is_refused(trained, unopened):
  config, workdir, _ = trained
  said = refused(config, workdir, ['latest'], __file__)
  assert f'--predictions={__file__} is a file' in said


@pytest.mark.parametrize('given, weights', [
    ('', [1, 1, 1]), ('0.5,0.3,0.2', [0.5, 0.3, 0.2]), ('1,0,0', [1, 0, 0]),
    ('search', None)])
def test_weights_are_equal_given_or_searched(given, weights):
  assert ensemble.parse_weights(given, 3, 12) == weights


@pytest.mark.parametrize('given', [
    '1,2', '1,2,3,4', 'a,b,c', '1,,1', '0,0,0', '1,1,-1', '1,1,nan',
    '1,1,inf'])
def test_weights_that_cannot_be_are_refused(given):
  with pytest.raises(InputError, match=rf'--weights={given} is not 3 numbers.*'
                     r'such as 0\.5,0\.5,0\.5, or search'):
    ensemble.parse_weights(given, 3, 12)


@pytest.mark.parametrize('count, classes', [(1, 12), (2, 5)])
def test_a_search_without_a_choice_is_refused(count, classes):
  with pytest.raises(InputError, match=rf'--weights=search .* {count} netw.*'
                     rf'{classes} classes.*repeat --checkpoint'):
    ensemble.parse_weights('search', count, classes)
