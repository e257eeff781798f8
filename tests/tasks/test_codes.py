"""Binary codes from features: trained, searched, resumed, refused."""

import json
import os
import shutil

import cv2
import jax
import numpy as np
import orbax.checkpoint as ocp
import program
import pytest
import tiny

from alexnet_jax.analysis import codes_table, compression, hamming, vectors
from alexnet_jax.analysis.features import open_features, open_splits
from alexnet_jax.errors import InputError
from alexnet_jax.results import runs
from alexnet_jax.run import checkpoint, loop
from alexnet_jax.run.journal import Journal
from alexnet_jax.tasks import codes
from alexnet_jax.tasks import features as features_task
from configs import codes as codes_config

pytestmark = pytest.mark.slow

FIELDS = {
    'code.bits': (32, 64),
    'code.sizes': (24,),
    'code.queries': 10,
    'optimizer.batch_size': 16,
    'optimizer.learning_rate': 0.1,
    'run.epochs': 3.0,  # of four steps each
    'run.log_every': 1,
}


def config_with(fields=None):
  config = codes_config.get_config().lock()
  config.update_from_flattened_dict(FIELDS | (fields or {}))
  return config


@pytest.fixture(scope='module', autouse=True)
def one_quick_round():
  """Speeds are of no interest here."""
  with pytest.MonkeyPatch.context() as monkeypatch:
    monkeypatch.setattr(codes_table, 'ROUNDS', 1)
    monkeypatch.setattr(codes_table, 'TURN_SECONDS', 0.0)
    yield


@pytest.fixture(scope='module')
def features(trained, tmp_path_factory):
  """The folder of all features of the tiny network: 64 and 24 images."""
  out = str(tmp_path_factory.mktemp('features'))
  return features_task.features(trained[1], out=out)


@pytest.fixture(scope='module')
def made(features, tmp_path_factory):
  """(workdir, numbers) of a task that nothing disturbed."""
  workdir = str(tmp_path_factory.mktemp('made'))
  return workdir, codes.codes(config_with(), workdir, features, '', 'as typed')


def state(workdir, bits, step=None):
  """Every array of a checkpoint, the newest unless told, by its path."""
  at = os.path.join(workdir, 'codes', f'bits_{bits}')
  with checkpoint.open_to_read(at) as manager:
    held = manager.restore(
        manager.latest_step() if step is None else step,
        args=ocp.args.Composite(state=ocp.args.StandardRestore()))['state']
  return {jax.tree_util.keystr(path): np.asarray(leaf)
          for path, leaf in jax.tree_util.tree_leaves_with_path(held)}


def metrics(workdir, bits):
  return tiny.metrics(os.path.join(workdir, 'codes', f'bits_{bits}'))


def assert_same_run(workdir, other, bits):
  ours, theirs = state(workdir, bits), state(other, bits)
  assert ours.keys() == theirs.keys() and len(ours) > 10
  for path, leaf in ours.items():
    assert leaf.tobytes() == theirs[path].tobytes(), path
  assert metrics(workdir, bits) == metrics(other, bits)
  for name in ('train', 'validation'):
    np.testing.assert_array_equal(
        saved(workdir, bits, name), saved(other, bits, name))


def saved(workdir, bits, name):
  return np.load(os.path.join(workdir, 'codes', f'bits_{bits}', f'{name}.npy'))


# --- What it learns and tells -------------------------------------------------


def test_each_length_is_a_run_of_its_own_that_learns(made):
  workdir, _ = made
  for bits in (32, 64):
    lines = metrics(workdir, bits)
    assert [(line['kind'], line['step']) for line in lines] == [
        *(('train', step) for step in range(1, 5)), ('validation', 4),
        *(('train', step) for step in range(5, 9)), ('validation', 8),
        *(('train', step) for step in range(9, 13)), ('validation', 12),
        ('final', 12)]
    validations = [line['loss'] for line in lines
                   if line['kind'] == 'validation']
    assert validations[0] > validations[-1]


def test_what_is_kept_are_the_codes_of_the_features(made, features):
  workdir, _ = made
  held = state(workdir, 64)
  layer = lambda name, x: (
      x @ held[f"['params']['{name}']['kernel']"]
      + held[f"['params']['{name}']['bias']"])
  for name, split in (('train', 'train'), ('validation', 'validation')):
    vectors = np.concatenate(
        open_features(os.path.join(features, split)).vectors)
    mean, scale = (held[f"['input_stats']['{name}']"]
                   for name in ('mean', 'scale'))
    x = (vectors - mean) / scale
    reads = layer('encode2', np.maximum(layer('encode1', x), 0))
    kept = hamming.unpack(saved(workdir, 64, name))
    sure = np.abs(reads) > 1e-4  # of the side, whatever the rounding
    assert kept.shape == reads.shape and sure.mean() > 0.9
    np.testing.assert_array_equal(kept[sure], (reads > 0)[sure])


def test_the_features_are_standardized_by_those_of_training(made, features):
  vectors = np.concatenate(
      open_features(os.path.join(features, 'train')).vectors).astype(np.float64)
  held = state(made[0], 32)
  np.testing.assert_allclose(
      held["['input_stats']['mean']"], vectors.mean(0), rtol=1e-5)
  assert held["['input_stats']['scale']"] == pytest.approx(
      np.sqrt(vectors.var(0).mean()), rel=1e-5)


def test_the_table_says_what_brute_force_finds(made, features):
  workdir, numbers = made
  training, validation = (open_features(os.path.join(features, split))
                          for split in ('train', 'validation'))
  chosen = np.arange(10) * 24 // 10
  queries = np.concatenate(validation.vectors)[chosen].astype(np.float64)
  database = np.concatenate(training.vectors).astype(np.float64)
  same = training.labels == validation.labels[chosen][:, None]
  apart = {('exact', 32 * 32): ((queries[:, None] - database) ** 2).sum(-1)}
  for bits in (32, 64):
    ours, theirs = (hamming.unpack(saved(workdir, bits, name))
                    for name in ('validation', 'train'))
    apart['auto-encoder', bits] = (
        ours[chosen][:, None] != theirs[None]).sum(-1)
  rows = {(row['method'], row['bits']): row for row in numbers['rows']}
  for name, distances in apart.items():
    order = np.argsort(distances, axis=1, kind='stable')
    found = np.take_along_axis(same, order, 1)
    assert rows[name]['precision'] == pytest.approx(
        {'1': found[:, :1].mean(), '10': found[:, :10].mean()})
  assert [(row['method'], row['bits'], row['bytes'])
          for row in numbers['rows']] == [
              ('exact', 1024, 128), ('auto-encoder', 32, 4),
              ('hyperplanes', 32, 4), ('auto-encoder', 64, 8),
              ('hyperplanes', 64, 8)]
  assert numbers['chance'] == pytest.approx(same.mean())
  assert (numbers['images'], numbers['queries']) == (64, 10)


def test_a_row_has_speeds_and_the_loss_of_the_last_test(made):
  workdir, numbers = made
  for row in numbers['rows']:
    speed = row['queries_per_second']
    assert 0 < speed['least'] <= speed['median'] <= speed['most']
    assert row['times_exact']['least'] <= row['times_exact']['median']
  assert numbers['rows'][0]['times_exact']['median'] == 1
  by_bits = {row['bits']: row['loss'] for row in numbers['rows']
             if row['method'] == 'auto-encoder'}
  assert by_bits == {bits: metrics(workdir, bits)[-1]['loss']
                     for bits in (32, 64)}


def test_the_numbers_lie_beside_the_picture(made):
  workdir, numbers = made
  with open(os.path.join(workdir, 'codes/codes.json'),
            encoding='utf-8') as file:
    assert json.load(file) == numbers
  assert numbers['command'] == 'as typed'
  picture = cv2.imread(os.path.join(workdir, 'codes/codes.png'))
  assert picture.shape == (1050, 1500, 3) and picture.std() > 10


def test_no_report_takes_an_auto_encoder_for_a_network(made):
  assert runs.workdirs(made[0]) == []


# --- Stopping and going on ----------------------------------------------------


class Crash(Exception):
  """What no handler expects."""


def crash_at(step, monkeypatch):
  tick, seen = Journal.tick, []

  def counted(self):
    tick(self)
    seen.append(self)
    if len(seen) == step:
      raise Crash

  monkeypatch.setattr(Journal, 'tick', counted)


# 12 steps for each number of bits, of which every fourth is saved.
@pytest.mark.parametrize('step', [6, 12, 17])
def test_a_task_that_was_stopped_ends_as_if_it_had_not_been(
    made, features, tmp_path, step):
  workdir = str(tmp_path)
  with pytest.MonkeyPatch.context() as monkeypatch:
    tiny.ask_to_stop_at(step, monkeypatch)
    if step == 12:  # all of the first is saved by then
      with pytest.raises(SystemExit):
        codes.codes(config_with(), workdir, features)
    else:
      assert codes.codes(config_with(), workdir, features) == {}
  codes.codes(config_with(), workdir, features)
  for bits in (32, 64):
    assert_same_run(workdir, made[0], bits)


def test_a_task_that_crashed_goes_on_from_the_last_checkpoint(
    made, features, tmp_path):
  with pytest.MonkeyPatch.context() as monkeypatch:
    crash_at(7, monkeypatch)
    with pytest.raises(Crash):
      codes.codes(config_with(), str(tmp_path), features)
  assert tiny.steps(tmp_path / 'codes/bits_32') == [4]
  codes.codes(config_with(), str(tmp_path), features)
  assert_same_run(str(tmp_path), made[0], 32)


def test_what_is_trained_is_not_trained_again(made, features, monkeypatch):
  workdir, numbers = made
  before = {bits: metrics(workdir, bits) for bits in (32, 64)}

  def never(self):
    raise AssertionError('a step was taken')

  monkeypatch.setattr(Journal, 'tick', never)
  again = codes.codes(config_with(), workdir, features, '', 'as typed')
  assert {bits: metrics(workdir, bits) for bits in (32, 64)} == before
  assert [row['precision'] for row in again['rows']] == [
      row['precision'] for row in numbers['rows']]


def test_a_run_that_is_past_its_end_has_ended(made, features):
  # Fewer epochs than are trained already: nothing is to be done.
  workdir, numbers = made
  again = codes.codes(config_with({'run.epochs': 2.0}), workdir, features)
  assert [row['loss'] for row in again['rows']] == [
      row['loss'] for row in numbers['rows']]


# --- What cannot work ---------------------------------------------------------


@pytest.mark.parametrize('fields, parts', [
    ({'code.bits': (33,)}, ['config.code.bits=(33,)', '32']),
    ({'code.bits': (0,)}, ['config.code.bits=(0,)', '32']),
    ({'code.bits': (32, 32)}, ['config.code.bits=(32, 32)', 'different']),
    ({'code.bits': ()}, ['config.code.bits=()', '(32, 64)']),
    ({'code.sizes': (0,)}, ['config.code.sizes=(0,)', '(1024, 256)']),
    ({'code.queries': -1}, ['config.code.queries=-1', '0 or more']),
    ({'run.log_every': 0}, ['config.run.log_every=0', '1 or more']),
    ({'run.epochs': 0.1}, ['config.run.epochs=0.1', '4 steps', 'no step']),
    ({'optimizer.batch_size': 65},
     ['config.optimizer.batch_size=65', '64 training examples', 'smaller']),
])
def test_fields_that_cannot_work_are_refused(
    fields, parts, features, tmp_path):
  assert_refused(parts, config_with(fields), str(tmp_path), features)


def assert_refused(parts, *arguments):
  with pytest.raises(InputError) as error:
    codes.codes(*arguments)
  for part in parts:
    assert part in str(error.value)


def test_a_config_of_a_network_is_refused(features, tmp_path):
  assert_refused(['--config=configs/codes.py'], tiny.config(), str(tmp_path),
                 features)


def test_a_file_that_is_no_picture_is_refused(features, tmp_path):
  assert_refused(['--out=table.txt', '.png'], config_with(), str(tmp_path),
                 features, 'table.txt')


def test_without_features_the_command_that_makes_them_is_named(tmp_path):
  assert_refused([f'{tmp_path}/features', '--task=features', '--workdir=RUN'],
                 config_with(), str(tmp_path))


def change(folder, **fields):
  """Lets the index of features say something else."""
  index = folder / features_task.INDEX
  index.write_text(json.dumps(json.loads(index.read_text()) | fields))


def test_features_of_two_networks_are_refused(features, tmp_path):
  mixed = shutil.copytree(features, tmp_path / 'mixed')
  change(mixed / 'validation', step=5)
  assert_refused(
      [f'{mixed}/train', f'{mixed}/validation', 'step', 'one --task=features'],
      config_with(), str(tmp_path), str(mixed))


def test_features_of_another_size_are_not_gone_on_with(
    made, features, tmp_path):
  narrow = shutil.copytree(features, tmp_path / 'narrow')
  for split in ('train', 'validation'):
    change(narrow / split, dimension=16)
    for path in (narrow / split).glob('features-*'):
      np.save(path, np.load(path)[:, :16])
  assert_refused(
      [f'{made[0]}/codes/bits_32', 'features.dimension=32', '16',
       'remove that folder'], config_with(), made[0], str(narrow))


@pytest.mark.parametrize('split', ['train', 'validation'])
def test_features_of_images_of_other_classes_are_not_gone_on_with(
    split, made, features, tmp_path):
  others = shutil.copytree(features, tmp_path / 'others')
  path, = (others / split).glob('labels-*')
  np.save(path, np.load(path)[::-1])
  assert_refused([f'{made[0]}/codes/bits_32', 'features.labels=',
                  'remove that folder'], config_with(), made[0], str(others))


def test_an_auto_encoder_of_an_older_version_is_gone_on_with(
    made, features, monkeypatch):
  read = checkpoint.read_metadata

  def older(*arguments):
    metadata = read(*arguments)
    del metadata.config['features']['labels']
    return metadata

  splits = open_splits(features)
  settings = codes.read_settings(config_with(), 32)
  at = f'{made[0]}/codes/bits_32'
  monkeypatch.setattr(checkpoint, 'read_metadata', older)
  compression.check_resumable(settings, *splits, at)
  with pytest.raises(InputError, match='optimizer.momentum'):
    compression.check_resumable(
        settings._replace(config=settings.config | {'optimizer': {
            **settings.config['optimizer'], 'momentum': 0.5}}), *splits, at)


def test_another_auto_encoder_is_refused_before_anything_is_trained(
    made, features):
  workdir, _ = made
  assert_refused(
      [f'{workdir}/codes/bits_64', 'optimizer.momentum=0.9', '0.5'],
      config_with({'optimizer.momentum': 0.5, 'code.bits': (96, 64)}), workdir,
      features)
  assert not os.path.exists(f'{workdir}/codes/bits_96')


def test_features_that_are_all_the_same_are_refused():
  with pytest.raises(InputError, match='are the same.*longer'):
    vectors.feature_stats([np.ones((5, 3), np.float32)])


def test_a_rate_that_is_too_high_is_named_with_the_folder(features, tmp_path):
  assert_refused(
      [f'{tmp_path}/codes/bits_32', 'the loss is', 'at step',
       'config.optimizer.learning_rate', 'remove that folder'],
      config_with({'optimizer.learning_rate': 1e8}), str(tmp_path), features)


# --- The loop, without a network ----------------------------------------------


def test_something_is_due_every_so_many_steps_and_at_the_end():
  due = [step for step in range(1, 12) if loop.is_due(step, 4, 11)]
  assert due == [4, 8, 11]


# --- As a person starts it ----------------------------------------------------


def test_the_program_prints_the_table_and_draws(
    trained, features, compiled, tmp_path):
  out = program.launch(
      ['--config=configs/codes.py', '--task=codes', f'--workdir={tmp_path}',
       f'--features={features}', f'--out={tmp_path}/drawn.svg',
       *(f'--config.{name}={value}' for name, value in (
           FIELDS | {'code.bits': (32,), 'run.epochs': 1.0}).items())],
      compiled)
  for part in ('10 validation images', '64 training images', 'exact',
               'auto-encoder', 'hyperplanes', 'precision@10', 'queries/s',
               f'Drawn in {tmp_path}/drawn.svg', f'{tmp_path}/drawn.json'):
    assert part in out
  drawn = (tmp_path / 'drawn.svg').read_text()
  for word in ('auto-encoder', 'random hyperplanes', 'chance'):
    assert word in drawn
