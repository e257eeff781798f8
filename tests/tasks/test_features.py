"""Features of a data set: the network's own, kept, made once, gone on with."""

import json
import os
import shutil

import jax
import numpy as np
import program
import pytest
import tiny

from alexnet_jax.analysis import features
from alexnet_jax.errors import InputError
from alexnet_jax.learning.augment import central_crop, subtract_mean
from alexnet_jax.run import trained as trained_network
from alexnet_jax.tasks import features as features_task

SHARD = 10  # of 24 validation images: 10, 10, 4


@pytest.fixture
def small_shards(monkeypatch):
  """Several shards of few images."""
  monkeypatch.setattr(features, 'SHARD', SHARD)


@pytest.fixture(scope='module')
def written(trained, tmp_path_factory):
  """A folder with the features of 24 validation images in three shards."""
  out = str(tmp_path_factory.mktemp('features'))
  with pytest.MonkeyPatch.context() as patched:
    patched.setattr(features, 'SHARD', SHARD)
    features_task.features(trained[1], split='validation', out=out)
  return out


@pytest.fixture
def copied(written, tmp_path):
  """The same in a folder where it may be damaged."""
  shutil.copytree(written, tmp_path / 'copied')
  return str(tmp_path / 'copied')


@pytest.fixture
def asked(monkeypatch):
  """The images of every batch that the network is asked index."""
  compute_features, seen = features.compute_features, []

  def counted(trained, feature_step, source, bar=None):
    seen.append(len(source))
    return compute_features(trained, feature_step, source, bar)

  monkeypatch.setattr(features_task, 'compute_features', counted)
  return seen


@pytest.mark.parametrize('layer', ['conv5', 'fc6', features.LAST])
@pytest.mark.parametrize('precision, every', [
    ('float32', 'HIGHEST'), ('bfloat16', 'bf16')])
def test_each_layer_computes_in_the_precision_of_the_config(
    precision, every, layer, trained):
  network = trained_network.open_trained(trained[1])
  settings = network.settings._replace(precision=precision)
  network = network._replace(settings=settings, model=settings.build_model(
      network.mesh, len(network.class_names)))
  text = features.make_feature_step(network, layer).lower(
      network.params, network.input_stats,
      np.zeros((2, 72, 72, 3), np.uint8)).as_text()
  products = [line for line in text.splitlines()
              if 'stablehlo.convolution' in line or 'dot_general' in line]
  assert products and all(every in line for line in products)


def bytes_of(folder):
  files = {}
  for name in sorted(os.listdir(folder)):
    with open(os.path.join(folder, name), 'rb') as file:
      files[name] = file.read()
  return files


def interrupt(folder, *missing):
  """As a run leaves it that was killed before these files were there."""
  os.rename(os.path.join(folder, 'index.json'),
            os.path.join(folder, 'unfinished.json'))
  for name in missing:
    os.remove(os.path.join(folder, name))


def test_saved_features_are_those_of_the_network(trained, written):
  _, workdir, _ = trained
  found = trained_network.open_trained(workdir)
  source = trained_network.open_split(found, 'validation')
  held = features.open_features(os.path.join(written, 'validation'))
  images = np.stack([source[i]['image'] for i in range(24)])
  middle = np.stack(
      [central_crop(image, found.model.patch) for image in images])
  _, expected = jax.jit(found.model.apply)(
      found.params, subtract_mean(middle, found.input_stats))
  vectors = np.concatenate(held.vectors)
  assert vectors.shape == (24, 32) and vectors.dtype == np.float32
  assert vectors.std() > 0
  np.testing.assert_allclose(
      vectors, expected, rtol=0, atol=1e-5 * np.abs(expected).max())
  np.testing.assert_array_equal(
      held.labels, [source[i]['label'] for i in range(24)])
  assert held.class_names == source.class_names
  assert [len(shard) for shard in held.vectors] == [10, 10, 4]
  assert all(isinstance(shard, np.memmap) for shard in held.vectors)


def test_rows_are_picked_across_shards(written):
  held = features.open_features(os.path.join(written, 'validation'))
  np.testing.assert_array_equal(
      features.rows_at(held, np.array([23, 0, 9, 10])),
      np.concatenate(held.vectors)[[23, 0, 9, 10]])


def test_the_index_tells_the_network_and_the_images(trained, written):
  _, workdir, _ = trained
  with open(os.path.join(written, 'validation/index.json')) as file:
    index = json.load(file)
  assert index.pop('saved') > 0 and len(index.pop('class_names')) == 12
  assert index == {
      'workdir': workdir, 'step': 6, 'path': '', 'split': 'validation',
      'image_size': 72, 'count': 24, 'dimension': 32, 'shard': 10}


def test_both_splits_are_written_into_the_workdir(trained, tmp_path, capsys):
  workdir = str(tmp_path / 'run')
  shutil.copytree(trained[1], workdir)
  assert features_task.features(workdir) == os.path.join(workdir, 'features')
  said = capsys.readouterr().out
  for split, count in (('train', 64), ('validation', 24)):
    folder = os.path.join(workdir, 'features', split)
    assert len(features.open_features(folder).labels) == count
    assert f'{folder} holds features of {count} {split} images' in said


@pytest.mark.parametrize('missing', [
    ['features-00002-of-00003.npy', 'labels-00002-of-00003.npy'],
    ['features-00001-of-00003.npy']], ids=['whole shard', 'its vectors alone'])
def test_who_was_killed_goes_on_with_what_is_missing(
    trained, written, copied, asked, small_shards, missing):
  folder = os.path.join(copied, 'validation')
  interrupt(folder, *missing)
  with open(os.path.join(folder, f'{missing[0]}.part'), 'wb') as file:
    file.write(b'half of it')
  features_task.features(trained[1], split='validation', out=copied)
  assert bytes_of(folder) == bytes_of(os.path.join(written, 'validation'))
  assert asked == [4 if 'features-00002' in missing[0] else 10]


def test_finished_features_are_not_made_again(
    trained, copied, asked, small_shards, capsys):
  features_task.features(trained[1], split='validation', out=copied)
  assert not asked and 'already holds features' in capsys.readouterr().out


def test_the_same_run_in_another_place_goes_on(
    trained, copied, asked, small_shards, tmp_path):
  moved = str(tmp_path / 'moved')
  shutil.copytree(trained[1], moved)
  features_task.features(moved, split='validation', out=copied)
  assert not asked


def test_pictures_in_place_of_the_runs_own_data(trained, tmp_path):
  photos = tiny.write_photos(tmp_path / 'photos')
  out = features_task.features(trained[1], data=photos, split='validation',
                          out=str(tmp_path / 'out'))
  held = features.open_features(os.path.join(out, 'validation'))
  assert held.class_names == ('cat', 'dog') and held.index['path'] == photos
  assert sorted(held.labels) == [0] * 4 + [1] * 4


# --- Other layers, and pixels -------------------------------------------------


@pytest.fixture(scope='module')
def by_layer(trained, written, tmp_path_factory):
  """{layer: its features of the 24 validation images}, in one workdir."""
  workdir = str(tmp_path_factory.mktemp('layers') / 'run')
  shutil.copytree(trained[1], workdir)
  held = {'fc7': features.open_features(os.path.join(written, 'validation'))}
  for layer in ('pixels', 'conv5', 'fc6'):
    out = features_task.features(workdir, split='validation', layer=layer)
    assert out == f'{workdir}/features_{layer}'
    held[layer] = features.open_features(os.path.join(out, 'validation'))
  return held


def test_each_layer_is_what_the_next_one_reads(trained, by_layer):
  found = trained_network.open_trained(trained[1])
  for below, above in (('conv5', 'fc6'), ('fc6', 'fc7')):
    x, outputs = (np.concatenate(by_layer[layer].vectors)
                  for layer in (below, above))
    params = jax.device_get(found.params['columns'][above])
    reads = np.concatenate(
        [x @ kernel + bias for kernel, bias in zip(
            params['kernel'], params['bias'], strict=True)], axis=1)
    # Dropout halves the outputs at a test.
    np.testing.assert_allclose(
        outputs, np.maximum(reads, 0) / 2, rtol=0, atol=1e-5 * outputs.max())
    assert outputs.std() > 0


def test_pixels_are_the_central_patch_at_half_the_side(trained, by_layer):
  source = trained_network.open_split(
      trained_network.open_trained(trained[1]), 'validation')
  patches = np.stack([central_crop(source[i]['image'], 64) for i in range(24)])
  small = patches.astype(np.float64)
  for axis in (1, 2):  # Each pixel, and the two beside these at a third.
    near, far = np.array([0.375, 0.125])
    a, b, c, d = (np.take(small, np.arange(30) * 2 + at, axis)
                  for at in (1, 2, 3, 4))
    small = far * a + near * b + near * c + far * d
  vectors = np.concatenate(by_layer['pixels'].vectors)
  assert vectors.shape == (24, 3072)
  np.testing.assert_allclose(
      vectors.reshape(24, 32, 32, 3)[:, 1:31, 1:31], small, atol=1e-3)


def test_the_index_names_any_layer_but_the_last(by_layer):
  for layer, held in by_layer.items():
    assert held.index.get('layer') == (layer if layer != 'fc7' else None)
    assert held.index['dimension'] == np.concatenate(held.vectors).shape[1]
    assert (f'by {layer} of ' in features.describe_features(held.index)) == (
        layer != 'fc7')


def test_the_last_layer_by_its_name_is_the_default(
    trained, copied, asked, small_shards):
  features_task.features(trained[1], split='validation', out=copied,
                         layer='fc7')
  assert not asked


# --- What cannot work ---------------------------------------------------------


def refusal(function, *arguments, **named):
  with pytest.raises(InputError) as refused:
    function(*arguments, **named)
  assert '\n' not in str(refused.value)
  return str(refused.value)


def test_features_of_another_step_are_not_mixed(trained, copied, small_shards):
  interrupt(os.path.join(copied, 'validation'), 'features-00002-of-00003.npy')
  said = refusal(features_task.features, trained[1], '4', split='validation',
                 out=copied)
  for part in (copied, 'step 6', 'step 4', 'another --out'):
    assert part in said


def test_features_of_other_images_are_not_mixed(
    trained, copied, small_shards, tmp_path):
  photos = tiny.write_photos(tmp_path / 'photos')
  said = refusal(features_task.features, trained[1], data=photos,
                 split='validation', out=copied)
  assert f'8 validation images ({photos})' in said
  assert '24 validation images (the embedded ones)' in said


def test_features_of_another_layer_are_not_mixed(
    trained, copied, small_shards):
  said = refusal(features_task.features, trained[1], split='validation',
                 out=copied, layer='conv5')
  assert f'by {trained[1]}, step 6' in said
  assert 'not of 24 validation images (the embedded ones) by conv5 of' in said


def test_a_layer_that_is_none_is_named_with_those_there_are(trained):
  said = refusal(features_task.features, trained[1], layer='conv9')
  assert '--layer=conv9 is no layer' in said
  assert 'pixels, conv1, conv2, conv3, conv4, conv5, fc6, fc7.' in said


def test_an_index_cannot_name_a_folder_elsewhere(copied):
  path = os.path.join(copied, 'validation/index.json')
  with open(path) as file:
    index = json.load(file)
  with open(path, 'w') as file:
    json.dump(index | {'layer': '/../..'}, file)
  assert 'there are no features' in refusal(
      features.open_features, os.path.dirname(path))


def test_a_folder_of_other_files_is_left_alone(trained, tmp_path):
  photos = tiny.write_photos(tmp_path / 'photos')
  assert f'{photos}/train holds other files' in refusal(
      features_task.features, trained[1], out=photos)


def test_a_file_is_no_folder(trained, tmp_path):
  (tmp_path / 'file').write_text('')
  assert f'--out={tmp_path}/file is a file: give a folder' in refusal(
      features_task.features, trained[1], out=str(tmp_path / 'file'))


def test_where_no_features_are_the_command_that_makes_them_is_told(tmp_path):
  said = refusal(features.open_features, str(tmp_path / 'train'))
  assert f'no features in {tmp_path}/train' in said
  assert f'--task=features --workdir=RUN --out={tmp_path}' in said


def test_unfinished_features_cannot_be_used(trained, copied):
  folder = os.path.join(copied, 'validation')
  interrupt(folder)
  said = refusal(features.open_features, folder)
  assert f'{folder} are unfinished' in said
  assert f'--workdir={trained[1]} --checkpoint=6 --out={copied}' in said
  path = os.path.join(folder, 'unfinished.json')
  with open(path) as file:
    index = json.load(file)
  with open(path, 'w') as file:
    json.dump(index | {'layer': 'conv5'}, file)
  assert '--checkpoint=6 --layer=conv5 --out=' in refusal(
      features.open_features, folder)


@pytest.mark.parametrize('damage', [
    lambda path: os.remove(path), lambda path: os.truncate(path, 700),
    lambda path: np.save(path, np.zeros((9, 32), np.float32))],
    ids=['missing', 'short', 'of fewer images'])
def test_damaged_features_cannot_be_used(copied, damage):
  folder = os.path.join(copied, 'validation')
  damage(os.path.join(folder, 'features-00001-of-00003.npy'))
  said = refusal(features.open_features, folder)
  assert f'{folder} are damaged' in said and 'remove that folder' in said


def test_launched_features_are_the_same(trained, compiled, tmp_path, written):
  out = str(tmp_path / 'out')
  said = program.launch(
      ['--task=features', f'--workdir={trained[1]}', '--split=validation',
       f'--out={out}'], compiled)
  assert f'{out}/validation holds features of 24' in said
  assert not os.path.exists(os.path.join(out, 'train'))
  ours, theirs = (np.concatenate(features.open_features(
      os.path.join(one, 'validation')).vectors) for one in (out, written))
  # The program lets other convolutions do the work: equal but for rounding.
  np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * theirs.max())
