"""Layers beside each other: what their features and codes find."""

import glob
import json
import os
import shutil

import numpy as np
import program
import pytest
from PIL import Image

from alexnet_jax.analysis import codes_table, hamming
from alexnet_jax.analysis.features import open_features
from alexnet_jax.errors import InputError
from alexnet_jax.tasks import codes, features, layers
from configs import codes as codes_config

pytestmark = pytest.mark.slow

LAYERS = ('pixels', 'conv5', 'fc7')


@pytest.fixture(scope='module')
def run(trained, tmp_path_factory):
  """The workdir of a run with features of three layers and codes of two."""
  workdir = str(tmp_path_factory.mktemp('layers') / 'run')
  shutil.copytree(trained[1], workdir)
  config = codes_config.get_config()
  config.update_from_flattened_dict({
      'code.bits': (32,), 'code.sizes': (24,), 'code.queries': 4,
      'optimizer.batch_size': 16, 'optimizer.learning_rate': 0.1,
      'run.epochs': 1.0})
  with pytest.MonkeyPatch.context() as patched:
    patched.setattr(codes_table, 'ROUNDS', 1)
    patched.setattr(codes_table, 'TURN_SECONDS', 0.0)
    for layer in LAYERS:
      held = features.features(workdir, layer=layer)
      if layer != 'conv5':
        codes.codes(config, workdir, held)
  return workdir


@pytest.fixture(scope='module')
def compared(run):
  """(numbers, picture of precision, picture of neighbors)."""
  figure = os.path.join(run, 'found.png')
  return layers.layers(run, figure=figure, queries=3), figure


def folder_of(run, what, layer):
  return os.path.join(run, what if layer == 'fc7' else f'{what}_{layer}')


def apart(run, name, query):
  """Distances of a validation image to all of training, by one search."""
  layer = name.split(',')[0]
  if 'bits' in name:
    ours, theirs = (hamming.unpack(np.load(os.path.join(
        folder_of(run, 'codes', layer), 'bits_32', f'{split}.npy')))
                    for split in ('validation', 'train'))
    return (ours[query] != theirs).sum(1)
  ours, theirs = (np.concatenate(open_features(os.path.join(
      folder_of(run, 'features', layer), split)).vectors).astype(np.float64)
                  for split in ('validation', 'train'))
  return ((ours[query] - theirs)**2).sum(1)


def test_each_layer_and_each_code_is_searched_from_the_bottom_up(compared):
  assert [(search['name'], search['bytes'], search['bits'])
          for search in compared[0]['searches']] == [
      ('pixels', 4 * 3072, 0), ('pixels, 32 bits', 4, 32),
      ('conv5', 32, 0), ('fc7', 4 * 32, 0), ('fc7, 32 bits', 4, 32)]


def test_precision_is_that_of_comparing_with_all(run, compared):
  numbers, _ = compared
  train, tested = (open_features(os.path.join(run, 'features', split)).labels
                   for split in ('train', 'validation'))
  assert (numbers['images'], numbers['queries']) == (64, 24)
  for search in numbers['searches']:
    right = np.stack([
        train[np.argsort(apart(run, search['name'], i), kind='stable')]
        == tested[i] for i in range(24)])
    assert search['precision'] == pytest.approx(
        [right[:, :k].mean() for k in range(1, 65)])
  assert numbers['chance'] == pytest.approx(
      np.mean([(train == label).mean() for label in tested]))


def test_the_picture_of_neighbors_has_what_was_found(run, compared):
  numbers, figure = compared
  with open(figure.replace('.png', '.json'), encoding='utf-8') as file:
    queries = json.load(file)['queries']
  assert len(queries) == 3 and len({one['label'] for one in queries}) == 3
  for query in queries:
    assert list(query['found']) == [
        search['name'] for search in numbers['searches'][::-1]]
    for name, found in query['found'].items():
      distances = apart(run, name, query['validation image'])
      assert found == list(np.argsort(distances, kind='stable')[:6])
  width, height = Image.open(figure).size
  assert height > 3 * 5 * 100 and width > 900


def test_precision_is_drawn_with_its_numbers(run, compared):
  with open(os.path.join(run, 'layers.json'), encoding='utf-8') as file:
    assert json.load(file) == compared[0]
  drawn = np.asarray(Image.open(
      os.path.join(run, 'layers.png')).convert('RGB'))
  for color in ((0, 0x72, 0xB2), (0xD5, 0x5E, 0)):
    assert (drawn == color).all(-1).sum() > 300


def test_codes_of_pixels_are_an_auto_encoder_of_their_own(run):
  for folder, width in (('codes', 32), ('codes_pixels', 3072)):
    with open(f'{run}/{folder}/codes.json', encoding='utf-8') as file:
      assert json.load(file)['dimension'] == width
  assert not os.path.exists(f'{run}/codes_conv5')


def test_launched_it_prints_the_chosen_layers(run, compiled, tmp_path):
  out = program.launch(
      ['--task=layers', f'--workdir={run}', '--layers=fc7,pixels',
       f'--out={tmp_path}/drawn.svg'], compiled)
  lines = out.splitlines()
  assert lines[0].startswith('24 validation images, searched for among 64')
  assert [line.split('  ')[0] for line in lines[1:6]] == [
      'search by', 'pixels', 'pixels, 32 bits', 'fc7', 'fc7, 32 bits']
  drawn = (tmp_path / 'drawn.svg').read_text()
  assert 'pixels, 32 bits' in drawn and 'conv5' not in drawn


# --- What cannot work ---------------------------------------------------------


@pytest.fixture
def copied(run, tmp_path):
  shutil.copytree(run, tmp_path / 'run')
  return str(tmp_path / 'run')


def refusal(*arguments, **named):
  with pytest.raises(InputError) as refused:
    layers.layers(*arguments, **named)
  assert '\n' not in str(refused.value)
  return str(refused.value)


@pytest.mark.parametrize('given, parts', [
    ({'chosen': 'fc9'}, ['--layers=fc9', "'fc9'", 'conv5, fc6, fc7.']),
    ({'chosen': 'fc6,fc7'}, ['no features of fc6', '--layer=fc6']),
    ({'out': 'a.jpeg'}, ['--out=a.jpeg', '.png, .pdf, .svg']),
    ({'figure': 'a.jpeg'}, ['--figure=a.jpeg', '.png, .pdf, .svg'])], ids=str)
def test_what_cannot_work_is_refused(run, given, parts):
  said = refusal(run, **given)
  for part in parts:
    assert part in said


def test_a_run_without_features_is_told_how_to_make_some(trained):
  said = refusal(trained[1])
  assert '--task=features' in said and '--layer=conv1' in said


def change(index_path, **fields):
  with open(index_path, encoding='utf-8') as file:
    index = json.load(file)
  with open(index_path, 'w', encoding='utf-8') as file:
    json.dump(index | fields, file)


def test_layers_of_two_networks_are_not_compared(copied):
  for split in ('train', 'validation'):
    change(f'{copied}/features_conv5/{split}/index.json', step=4)
  said = refusal(copied)
  assert 'features_conv5/train differ in their step' in said
  assert 'same --checkpoint' in said


def test_codes_of_other_features_are_not_compared(copied):
  for layer in ('', '_conv5', '_pixels'):
    for split in ('train', 'validation'):
      change(f'{copied}/features{layer}/{split}/index.json', saved=1)
  assert 'codes of other features' in refusal(copied)


@pytest.mark.parametrize('split', ['train', 'validation'])
def test_codes_of_other_images_are_not_compared(split, copied):
  for layer in ('', '_conv5', '_pixels'):
    path, = glob.glob(f'{copied}/features{layer}/{split}/labels-*')
    np.save(path, np.load(path)[::-1])
  said = refusal(copied)
  assert 'codes of other features' in said and '--task=codes' in said


def test_queries_are_of_the_images_of_the_validation_features(copied, tmp_path):
  path, = glob.glob(f'{copied}/features_conv5/validation/labels-*')
  np.save(path, np.load(path)[::-1])
  said = refusal(
      copied, chosen='conv5', figure=str(tmp_path / 'found.png'))
  assert 'features_conv5/validation holds' in said and 'are others' in said
  assert not os.path.exists(tmp_path / 'found.png')


def test_damaged_codes_are_named(copied):
  path = f'{copied}/codes/bits_32/validation.npy'
  for content in (np.zeros((3, 1), np.uint32), np.zeros((24, 1))):
    np.save(path, content)
    said = refusal(copied)
    assert f'{path} is damaged' in said and '--task=codes' in said


def test_features_of_another_layer_than_their_folder_says_are_refused(copied):
  for split in ('train', 'validation'):
    change(f'{copied}/features_conv5/{split}/index.json', layer='pixels')
  said = refusal(copied)
  assert 'features_conv5 has features of pixels, not of conv5' in said
  assert '--layer=conv5' in said


def test_splits_of_different_data_are_refused(copied):
  change(f'{copied}/features_conv5/validation/index.json', path='/elsewhere')
  said = refusal(copied)
  assert 'features_conv5/validation are of different data' in said
  assert 'same --data' in said


def test_validation_images_of_all_layers_are_the_same(copied):
  change(f'{copied}/features_conv5/validation/index.json', saved=1)
  assert 'features_conv5/validation differ in their saved' in refusal(copied)
