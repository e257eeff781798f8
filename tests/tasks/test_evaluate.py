"""Errors count every example once; ten patches are averaged as printed."""

import json
import os
import shutil
import unicodedata

import cv2
import jax
import numpy as np
import pytest
import tiny

from alexnet_jax.data import images, procedural, statistics
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment
from alexnet_jax.run import evaluation, experiment, typed_config
from alexnet_jax.tasks import evaluate


@pytest.fixture(scope='module')
def given():
  """(source, pixels, images, labels) of the 24 validation pictures."""
  source = typed_config.read(tiny.config()).open_split('validation')
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
  built = experiment.build(typed_config.read(config), 12, 64)
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


@pytest.mark.slow
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
  built = experiment.build(typed_config.read(config), 12, 64)
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


# --- Other pictures than those of the run -------------------------------------


@pytest.fixture
def photos(given, tmp_path):
  """The 24 validation pictures of the run, in folders of their classes."""
  source = given[0]
  for i in range(len(source)):
    folder = tmp_path / 'photos' / source.class_names[source[i]['label']]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'{i:02}.png').write_bytes(images.encode_png(source[i]['image']))
  return tmp_path / 'photos'


def test_all_pictures_of_a_folder_are_used(trained, photos, capsys):
  config, workdir, errors = trained
  found = evaluate.evaluate(config, workdir, 'latest', str(photos))
  assert found == pytest.approx(errors, abs=1e-6)
  out, err = capsys.readouterr()
  assert ', 24 images\n' in out
  assert f'All 24 pictures in {photos}, of 12 of 12 classes.' in err


def test_all_splits_of_a_folder_are_used(trained, photos, tmp_path, capsys):
  config, workdir, errors = trained
  root = tmp_path / 'splits'
  for i, name in enumerate(sorted(os.listdir(photos))):
    split = ('train', 'Validation', 'testing')[i % 3]
    shutil.copytree(photos / name, root / split / name)
  (root / 'notes').mkdir()
  found = evaluate.evaluate(config, workdir, 'latest', str(root))
  assert found == pytest.approx(errors, abs=1e-6)
  assert "the folders 'notes'" in capsys.readouterr().err


def test_the_data_of_the_run_may_have_gone(trained, photos, capsys):
  _, workdir, errors = trained
  config = tiny.config({'data.name': 'folder', 'data.path': '/gone'})
  found = evaluate.evaluate(config, workdir, 'latest', str(photos))
  assert found == pytest.approx(errors, abs=1e-6)
  capsys.readouterr()


def test_some_of_the_classes_are_enough(trained, photos, capsys):
  config, workdir, _ = trained
  for name in sorted(os.listdir(photos))[1:]:
    shutil.rmtree(photos / name)
  evaluate.evaluate(config, workdir, 'latest', str(photos))
  out, err = capsys.readouterr()
  assert ', 2 images\n' in out
  assert 'All 2 pictures' in err and 'of 1 of 12 classes' in err


def test_pictures_with_a_list_of_labels_are_used(
    trained, photos, tmp_path, capsys):
  config, workdir, errors = trained
  flat = tmp_path / 'flat'
  flat.mkdir()
  with open(flat / 'labels.csv', 'w', encoding='utf-8') as file:
    file.write('file,class\n')
    for path in sorted(photos.glob('*/*.png')):
      shutil.copy(path, flat)
      file.write(f'{path.name},{path.parent.name}\n')
  found = evaluate.evaluate(config, workdir, 'latest', str(flat))
  assert found == pytest.approx(errors, abs=1e-6)
  assert 'labels.csv' in capsys.readouterr().err


@pytest.mark.parametrize('spoil, said', [
    (lambda photos: shutil.copytree(
        photos / procedural.CLASS_NAMES[0], photos / 'zebra'),
     "has 1 unknown class, 'zebra'; rename or remove them, as there are 12"
     ' classes'),
    (lambda photos: [shutil.move(folder, photos / str(i))
                     for i, folder in enumerate(sorted(photos.iterdir()))],
     'has no folders named like the 12 classes of the network'),
    (lambda photos: [path.unlink() for path in photos.glob('*/*.png')],
     'hold no pictures; give --data another folder'),
    (lambda photos: shutil.rmtree(photos), 'there is no folder')])
def test_a_folder_that_cannot_be_evaluated_is_refused(
    spoil, said, trained, photos):
  spoil(photos)
  with pytest.raises(InputError) as error:
    evaluate.evaluate(*trained[:2], 'latest', str(photos))
  assert said in str(error.value) and '\n' not in str(error.value)


@pytest.fixture
def splits(tmp_path, given):
  """A folder with pictures of the run's classes: 2 to train, 1 to test."""
  for split, count in (('train', 2), ('val', 1), ('Testing', 3)):
    for name in given[0].class_names:
      folder = tmp_path / 'in' / split / name
      folder.mkdir(parents=True)
      for i in range(count):
        cv2.imwrite(str(folder / f'{i}.png'), given[2][i])
  return str(tmp_path / 'in')


@pytest.mark.parametrize('split, count', [
    ('', 72), ('validation', 12), ('train', 24), ('test', 36)])
def test_a_split_of_other_data_is_chosen(split, count, trained, splits, capsys):
  evaluate.evaluate(*trained[:2], 'latest', splits, split)
  assert f', {count} images\n' in capsys.readouterr().out


@pytest.mark.parametrize('split, count', [
    ('', 12), ('validation', 12), ('train', 24), ('test', 36)])
def test_a_split_of_the_config_is_chosen(split, count, splits):
  settings = typed_config.read(tiny.config({
      'data.name': 'folder', 'data.path': splits, 'data.train_examples': 0,
      'data.validation_examples': 0}))
  source = evaluation.open_images(settings, (), split=split)
  assert len(source) == count


def test_a_split_that_a_folder_lacks_is_refused(trained, photos):
  with pytest.raises(InputError, match='no folder for the split test; leave'):
    evaluate.evaluate(*trained[:2], 'latest', str(photos), 'test')


def test_a_split_that_the_data_lack_is_refused(trained):
  with pytest.raises(InputError, match="there is no split 'test'"):
    evaluate.evaluate(*trained[:2], 'latest', split='test')


def test_class_names_may_be_composed_or_apart(trained):
  source = typed_config.read(trained[0]).open_split('validation')
  names = [unicodedata.normalize(form, 'caf\u00e9') for form in ('NFC', 'NFD')]
  for name, other in (names, names[::-1]):
    source.class_names = (name, 'b')
    evaluation.check_classes(source, (other, 'b'), 'run')
  with pytest.raises(InputError, match=r'2 classes \(cafe, b, \.\.\.\)'):
    evaluation.check_classes(source, ('cafe', 'b'), 'run')
