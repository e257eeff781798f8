"""A run from its first step to its last, in this process."""

import json
import os

import cv2
import jax
import numpy as np
import pytest
import tiny
from tensorboard.backend.event_processing.event_accumulator import (
  EventAccumulator,
)

from alexnet_jax.errors import InputError
from alexnet_jax.run import (
  experiment,
  journal,
  tensorboard,
  training,
  typed_config,
)

FULL = ('conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7')


def test_metrics_have_a_line_for_every_step_validation_and_test(trained):
  _, workdir, _ = trained
  assert [(line['kind'], line['step']) for line in tiny.metrics(workdir)] == [
      ('train', 1), ('train', 2), ('validation', 2), ('train', 3),
      ('train', 4), ('validation', 4), ('train', 5), ('train', 6),
      ('validation', 6), ('final', 6)]


def test_a_line_tells_loss_errors_and_speed(trained):
  _, workdir, errors = trained
  with open(os.path.join(workdir, 'metrics.jsonl'), encoding='utf-8') as file:
    _, first, *_, last = map(json.loads, file)
  assert set(first) == {'step', 'kind', 'loss', 'top1_error', 'top5_error',
                        *journal.PACE}
  assert first['images_per_second'] > 0
  assert first['step_seconds'] > 0 and 0 <= first['waiting'] < 1
  assert last == {'step': 6, 'kind': 'final', **errors}


@pytest.mark.parametrize('fields, sentence', [
    ({'mesh.data': 4}, 'Running on 4 devices (cpu).'),
    ({}, 'Running on 1 of 4 devices (cpu) while the rest is idle:'
     ' config.mesh.data=4 would use all.'),
    ({'mesh.column': 2}, 'Running on 2 of 4 devices (cpu) while the rest is'
     ' idle: config.mesh.data=2 would use all.'),
    ({'optimizer.batch_size': 12, 'optimizer.accumulate': 4},
     'Running on 1 of 4 devices (cpu) while the rest is idle:'
     ' config.mesh.data=3 would use 3.'),
    ({'optimizer.batch_size': 5}, 'Running on 1 of 4 devices (cpu) while the'
     ' rest is idle: no larger config.mesh.data divides the batch.'),
    ({'mesh.full_layers': 'model', 'model.neurons': (30, 32)},
     'Running on 1 of 4 devices (cpu) while the rest is idle:'
     ' config.mesh.data=2 would use 2.'),
    ({'mesh.full_layers': 'model', 'model.neurons': (31, 32)},
     'Running on 1 of 4 devices (cpu) while the rest is idle: no larger'
     ' config.mesh.data divides the batch and the full layers.')], ids=str)
def test_a_run_says_which_devices_are_idle(fields, sentence):
  built = experiment.build(typed_config.read(tiny.config(fields)), 12, 64)
  assert training.devices_in_words(built) == sentence


@pytest.mark.slow
def test_what_is_read_from_a_folder_is_said(tmp_path, capsys):
  photos = tiny.write_photos(tmp_path / 'photos')
  config = tiny.config({
      'data.name': 'folder', 'data.path': photos, 'data.train_examples': 0,
      'data.validation_examples': 0, 'run.steps': 1, 'run.views': 1})
  training.train(typed_config.read(config), str(tmp_path / 'run'))
  err = capsys.readouterr().err
  assert f'train: 20 pictures of 2 classes in {photos}/train.\n' in err
  assert f'validation: 8 pictures of 2 classes in {photos}/val.\n' in err


def test_a_config_of_an_earlier_version_has_the_new_fields():
  config = tiny.config()
  before = typed_config.read(config)
  with config.unlocked():
    del config.data['labels']
  assert typed_config.read(config) == before
  assert before.data.labels == '' and before.config['data']['labels'] == ''


def test_the_last_test_has_one_patch_and_ten(trained):
  _, _, errors = trained
  assert set(errors) == {
      f'{views}_crop_{name}' for views in ('one', 'ten')
      for name in ('loss', 'top1_error', 'top5_error')}
  assert errors['one_crop_loss'] != errors['ten_crop_loss']


def test_a_run_can_stop_at_a_training_error(tmp_path):
  config = tiny.config({'run.until_error': 0.99, 'run.log_every': 2,
                        'run.steps': 40, 'run.views': 1})
  errors = training.train(typed_config.read(config), str(tmp_path))
  logged = tiny.metrics(tmp_path, 'train')
  reached = [line['step'] for line in logged if line['top1_error'] < 0.99]
  assert len(reached) == 1 and reached[0] < 38
  last = tiny.metrics(tmp_path, 'final')[-1]
  # A loss is looked at one step late.
  assert last == {'step': reached[0] + 1, 'kind': 'final', **errors}
  assert tiny.steps(tmp_path)[-1] == reached[0] + 1
  assert set(errors) == {'one_crop_loss', 'one_crop_top1_error',
                         'one_crop_top5_error'}


def test_tensorboard_has_training_and_validation_in_one_chart(trained):
  _, workdir, errors = trained
  train, validation = (
      EventAccumulator(os.path.join(workdir, 'events', name)).Reload()
      for name in ('train', 'validation'))
  for name in ('loss', 'top1_error', 'top5_error'):
    for events, kind in ((train, 'train'), (validation, 'validation')):
      assert [(event.step, event.value) for event in events.Scalars(name)] == [
          (line['step'], np.float32(line[name]))
          for line in tiny.metrics(workdir, kind)]
  assert len(train.Scalars('learning_rate')) == 6
  assert {'images_per_second', 'step_seconds', 'waiting'} <= set(
      train.Tags()['scalars'])
  text = validation.Tensors('config/text_summary')[0].tensor_proto.string_val[0]
  assert '`optimizer.batch_size` | `16`' in text.decode()
  assert validation.Scalars('final/one_crop_loss')[0].value == np.float32(
      errors['one_crop_loss'])
  assert validation.SummaryMetadata(
      '_hparams_/session_start_info').plugin_data.plugin_name == 'hparams'


def test_tensorboard_shows_conv1_at_each_validation(trained):
  config, workdir, _ = trained
  events = EventAccumulator(
      os.path.join(workdir, 'events/validation')).Reload()
  pictures = events.Images('conv1')
  assert [picture.step for picture in pictures] == [2, 4, 6]
  last = cv2.imdecode(np.frombuffer(
      pictures[-1].encoded_image_string, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
  kernels = np.asarray(
      tiny.state(config, workdir).params['columns']['conv1']['kernel'])
  np.testing.assert_array_equal(last, tensorboard.kernel_picture(kernels))
  one = kernels[1, ..., 2]  # third of the second column
  shown = last[1 + 34:34 + 34:3, 1 + 2 * 34:3 * 34:3] / 255
  np.testing.assert_allclose(
      shown, (one - one.min()) / np.ptp(one), atol=0.5 / 255 + 1e-6)


def test_the_learning_rate_is_the_one_of_the_step(trained):
  config, workdir, _ = trained
  rates = [line['learning_rate'] for line in journal.read(workdir)
           if line['kind'] == 'train']
  state = tiny.state(config, workdir)
  first = np.float32(config.optimizer.learning_rate)
  # The plateau rule lowers it after a validation, which is every two steps.
  assert rates[0] == rates[1] == first and rates[2] == rates[3]
  assert rates[4] == rates[5] >= float(state.learning_rate)
  drops = round(np.log10(first / rates[-1]))
  assert drops in (int(state.plateau.drops), int(state.plateau.drops) - 1)


def test_the_resolved_config_lies_in_the_workdir(trained):
  config, workdir, _ = trained
  with open(os.path.join(workdir, 'config.json'), encoding='utf-8') as file:
    assert json.load(file) == json.loads(json.dumps(config.to_dict()))


def test_the_plateau_rule_lowers_the_rate_while_the_run_goes_on(trained):
  config, workdir, _ = trained
  state = tiny.state(config, workdir)
  drops = int(state.plateau.drops)
  assert drops >= 1  # or the other tests would not see the rule at work
  assert state.learning_rate == pytest.approx(
      config.optimizer.learning_rate / 10**drops)


def test_the_two_latest_checkpoints_and_the_best_stay(trained):
  _, workdir, _ = trained
  best = min(tiny.metrics(workdir, 'validation'),
             key=lambda line: line['top1_error'])['top1_error']
  steps = tiny.steps(workdir)
  assert steps[-2:] == [4, 6]
  assert best in [line['top1_error']
                  for line in tiny.metrics(workdir, 'validation')
                  if line['step'] in steps]


@pytest.mark.slow
def test_the_step_is_compiled_once(tmp_path, caplog):
  # Through validations, drops of the rate and saves. `jax.log_compiles` would
  # log this thread alone, and the step is compiled in another.
  jax.config.update('jax_log_compiles', True)
  try:
    training.train(typed_config.read(tiny.config()), str(tmp_path))
  finally:
    jax.config.update('jax_log_compiles', False)
  compiled = [record.getMessage() for record in caplog.records
              if 'Compiling jit(' in record.getMessage()]
  count = lambda name: sum(f'jit({name})' in line for line in compiled)
  assert count('train_step') == 1
  assert count('evaluation_step') == 2  # with one patch, and with ten


@pytest.mark.slow
@pytest.mark.parametrize('data, column', [(2, 1), (1, 2), (2, 2)])
def test_every_mesh_gives_the_same_numbers(trained, tmp_path, data, column):
  config, workdir, errors = trained
  there = training.train(
    typed_config.read(tiny.config({'mesh.data': data, 'mesh.column': column})),
    str(tmp_path),
  )
  assert there == pytest.approx(errors, abs=1e-4)
  np.testing.assert_allclose(
      tiny.losses(tmp_path), tiny.losses(workdir), rtol=1e-4)
  tiny.assert_close(
      tiny.state(config, str(tmp_path)), tiny.state(config, workdir))


def test_the_seed_decides_the_run(trained, tmp_path):
  _, workdir, _ = trained
  training.train(typed_config.read(tiny.config({'seed': 1})), str(tmp_path))
  assert not np.isclose(tiny.losses(tmp_path), tiny.losses(workdir)).any()


@pytest.mark.slow
def test_frozen_layers_do_not_move(trained, tmp_path):
  config = tiny.config({'optimizer.frozen': ('conv1', 'fc6')})
  training.train(typed_config.read(config), str(tmp_path))
  moved, velocity = first_and_last(config, tmp_path)
  assert not moved['conv1'] and not moved['fc6']
  assert not velocity['conv1'] and not velocity['fc6']
  assert all(moved[name] for name in FULL if name not in ('conv1', 'fc6'))


def first_and_last(config, workdir):
  """{layer: whether its kernel has moved}, {layer: has a velocity}."""
  last = tiny.state(config, str(workdir))
  built = experiment.build(typed_config.read(config), 12, 64)
  first = jax.device_get(built.new_state(last.input_stats))
  kernels, velocities = (
      {name: held['columns'][name]['kernel'] for name in FULL}
      for held in (last.params, last.opt_state[-1].trace))
  return (
      {name: bool((kernels[name]
                   != first.params['columns'][name]['kernel']).any())
       for name in FULL},
      {name: bool(velocities[name].any()) for name in FULL})


@pytest.mark.slow
def test_a_stuck_loss_is_said_once_and_changes_nothing(tmp_path, capsys):
  fields = {'optimizer.learning_rate': 1e-30, 'model.stddevs': (0.001,) * 8}
  runs = {}
  for stall in (0, 2):
    training.train(
      typed_config.read(tiny.config(fields | {'run.stall_steps': stall})),
      str(tmp_path / str(stall)),
    )
    said = capsys.readouterr().err
    assert said.count('known cures') == (1 if stall else 0)
    runs[stall] = tiny.metrics(tmp_path / str(stall))
  assert runs[0] == runs[2]


@pytest.mark.slow
def test_no_checkpoint_of_a_state_that_is_not_finite_is_kept(tmp_path):
  # The first loss is finite; the update that follows it is not.
  config = tiny.config({
      'optimizer.learning_rate': 1e9, 'optimizer.drops': ((1, 1e6),),
      'optimizer.layer_rates': (('fc7', 1e6), ('fc8', 1e6)),
      'run.save_every': 1})
  with pytest.raises(InputError, match='at step [12], and'):
    training.train(typed_config.read(config), str(tmp_path))
  for step in tiny.steps(tmp_path):
    for leaf in jax.tree.leaves(tiny.state(config, str(tmp_path), step).params):
      assert np.isfinite(leaf).all()
