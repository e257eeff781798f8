"""Published weights become a run that every other task takes for one."""

import contextlib
import importlib
import io
import json
import os

import cv2
import jax
import numpy as np
import published_files as other
import pytest

from alexnet_jax import config_files
from alexnet_jax.data import procedural
from alexnet_jax.errors import InputError
from alexnet_jax.library.network import Network
from alexnet_jax.network import placement
from alexnet_jax.run import (
  checkpoint,
  experiment,
  fine_tune,
  trained,
  training,
  typed_config,
  weights,
)
from alexnet_jax.tasks import (
  evaluate,
  export,
  features,
  figure3,
  predict,
  projections,
  retrieve,
)

import_task = importlib.import_module('alexnet_jax.tasks.import')

FIELDS = {
    **other.NARROW, 'data.name': 'procedural', 'data.path': '',
    'data.train_examples': 32, 'data.validation_examples': 24,
    'data.image_size': 72, 'augment.crop': 64, 'optimizer.batch_size': 16}
WORDS = procedural.CLASS_NAMES


def config_of(name='torchvision', fields=None):
  return config_files.load(
      f'configs/published/{name}.py', FIELDS | (fields or {}), 'config')


def write(folder, classes=12, drop=(), groups=(1,) * 5):
  """(path, arrays) of torchvision's form for the crop of FIELDS."""
  arrays = other.random_arrays(groups, side=1, classes=classes)
  named = other.state_dict(arrays)
  path = str(folder / 'alexnet.npz')
  np.savez(path, **{name: leaf for name, leaf in named.items()
                    if not name.startswith(tuple(drop))})
  return path, arrays


@pytest.fixture(scope='module')
def words(tmp_path_factory):
  path = tmp_path_factory.mktemp('words') / 'words.txt'
  path.write_text(''.join(f'{name}\ta {name}, or so\n' for name in WORDS))
  return str(path)


@pytest.fixture(scope='module')
def run(tmp_path_factory, words, compile_once):
  """(workdir, arrays, what was printed) of an import."""
  folder = tmp_path_factory.mktemp('run')
  path, arrays = write(folder)
  workdir = str(folder / 'new' / 'run')
  said = io.StringIO()
  with contextlib.redirect_stdout(said):
    import_task.import_weights(config_of(), path, workdir, words=words,
                               command='python launch.py')
  return workdir, arrays, said.getvalue()


def refusal(*arguments, **more):
  with pytest.raises(InputError) as refused:
    import_task.import_weights(*arguments, **more)
  assert '\n' not in str(refused.value)
  return str(refused.value)


def by_hand(arrays, index):
  """The probabilities of a validation picture, in float64."""
  picture = procedural.Procedural('validation', 72, 24)[index]
  logits = other.torchvision(
      arrays, picture['image'][4:68, 4:68].astype(np.float64))
  exp = np.exp(logits - logits.max())
  return exp / exp.sum(), int(picture['label'])


# --- The run ------------------------------------------------------------------


def test_it_says_what_it_took(run):
  workdir, _, said = run
  assert 'Took conv1 to fc8 from' in said
  assert '(torchvision, RGB, 12 classes).' in said
  assert f'--init_from={workdir}' in said
  assert sorted(os.listdir(workdir)) == [
      'checkpoints', 'command.txt', 'config.json', 'imported.txt']
  assert not os.path.exists(f'{workdir}.part')


def test_the_checkpoint_has_weights_mean_and_classes(run):
  workdir, arrays, _ = run
  network = trained.open_trained(workdir)
  assert (network.step, network.class_names) == (0, WORDS)
  np.testing.assert_array_equal(
      network.params['columns']['conv1']['kernel'][0],
      arrays['conv1'][0].transpose(2, 3, 1, 0))
  np.testing.assert_array_equal(network.params['fc8']['bias'], arrays['fc8'][1])
  np.testing.assert_allclose(
      network.input_stats.mean[3, 5], (123.675, 116.28, 103.53))


def test_evaluate_gives_the_errors_of_the_program(run):
  workdir, arrays, _ = run
  with open(os.path.join(workdir, 'config.json'), encoding='utf-8') as file:
    config = config_files.from_json(json.load(file))
  errors = evaluate.evaluate(config, workdir, 'latest')
  answers = [by_hand(arrays, i) for i in range(24)]
  assert errors['one_crop_loss'] == pytest.approx(np.mean(
      [-np.log(outputs[label]) for outputs, label in answers]), rel=1e-5)
  assert errors['one_crop_top1_error'] == pytest.approx(np.mean(
      [outputs.argmax() != label for outputs, label in answers]))


def test_predict_gives_the_labels_of_the_program(run, words, tmp_path, capsys):
  workdir, arrays, _ = run
  image = procedural.Procedural('validation', 72, 24)[3]['image']
  path = str(tmp_path / 'a.png')
  cv2.imwrite(path, image[..., ::-1])
  predict.predict(workdir, 'latest', [path], views=1, words=words, as_json=True)
  said = json.loads(capsys.readouterr().out)
  outputs, _ = by_hand(arrays, 3)
  best = np.argsort(-outputs)[:5]
  assert said['labels'] == [f'a {WORDS[i]}' for i in best]
  np.testing.assert_allclose(said['probabilities'], outputs[best], atol=2e-6)


@pytest.mark.slow
def test_other_tasks_take_it_for_a_run(run, tmp_path):
  workdir, _, _ = run
  numbers = figure3.figure3(workdir, out=str(tmp_path / 'f.png'), columns=2)
  assert [column['kernels'] for column in numbers['columns']] == [2, 2]
  folder = features.features(workdir, out=str(tmp_path / 'features'))
  retrieve.retrieve(workdir, queries=2, neighbors=2, features=folder)
  drawn = projections.projections(
      workdir, layers='conv1,conv2,conv5', maps='2', out=str(tmp_path / 'p'))
  assert set(drawn['layers']) == {'conv1', 'conv2', 'conv5'}


def test_an_exported_file_and_torchvision_s_start_another_run(run, tmp_path):
  workdir, arrays, _ = run
  path = export.export(workdir, out=str(tmp_path / 'w.npz'))
  built = experiment.build(typed_config.read(config_of()), 5, 32)
  params = jax.jit(built.model.init)(jax.random.key(0))
  for source in (path, workdir, write(tmp_path)[0]):
    chosen, said = fine_tune.start_from(
        source, built.model, jax.device_put(
            params, placement.param_shardings(built.mesh, params)),
        tuple('abcde'))
    assert said.startswith('Took conv1 to fc7') and 'fc8 is new' in said
    np.testing.assert_array_equal(
        chosen['columns']['conv5']['bias'][0], arrays['conv5'][1])


def test_an_exported_file_becomes_a_run_of_the_same_network(run, tmp_path):
  workdir, _, _ = run
  path = export.export(workdir, out=str(tmp_path / 'w.npz'))
  back = str(tmp_path / 'back')
  import_task.import_weights(config_of(), path, back)
  ours, theirs = map(trained.open_trained, (back, workdir))
  assert ours.class_names == theirs.class_names == WORDS
  assert ours.train_examples == theirs.train_examples == 1_281_167
  for a, b in zip(*(jax.tree.leaves((one.params, one.input_stats))
                    for one in (ours, theirs)), strict=True):
    np.testing.assert_array_equal(a, b)
  other_form = config_of(fields={'model.neurons': (8, 16)})
  said = refusal(other_form, path, str(tmp_path / 'new'))
  assert 'has model.neurons=' in said and 'it was trained with' in said
  for given in ({'mean': path}, {'words': path}, {'order': 'rgb'}):
    assert 'leave out --mean, --words and --order' in refusal(
        config_of(), path, str(tmp_path / 'new'), **given)
  assert not os.path.exists(tmp_path / 'new')


@pytest.mark.slow
@pytest.mark.parametrize('said, count', [
    ({'train_examples': 32}, 32), ({}, 0), ({'train_examples': -1}, 0)],
    ids=str)
def test_the_training_examples_are_those_that_the_card_says(
    run, said, count, tmp_path):
  path = export.export(run[0], out=str(tmp_path / 'w.npz'))
  read = weights.load(path)
  weights.save(path, read._replace(card=dict(read.card) | {'data': said}))
  workdir = str(tmp_path / 'back')
  import_task.import_weights(config_of(), path, workdir)
  assert trained.open_trained(workdir).train_examples == count


@pytest.mark.slow
def test_a_network_of_unknown_examples_trains_on_with_any(run, tmp_path):
  fields = {'run.steps': 1, 'run.log_every': 1, 'augment.jitter': 0.0,
            'optimizer.learning_rate': 0.001}
  path = export.export(run[0], out=str(tmp_path / 'w.npz'))
  read = weights.load(path)
  weights.save(path, read._replace(card=dict(read.card) | {'data': {}}))
  workdir = str(tmp_path / 'back')
  config = config_of(fields=fields)
  import_task.import_weights(config, path, workdir)
  training.train(typed_config.read(config), workdir)
  network = trained.open_trained(workdir)
  assert (network.step, network.train_examples) == (1, 32)


def test_a_network_of_the_package_becomes_a_run_by_its_name(
    tmp_path, capsys):
  config = config_files.load(
      'configs/tiny_imagenet_small.py', {'data.path': 'TINY'}, 'config')
  import_task.import_weights(
      config, 'tiny_imagenet_small', str(tmp_path / 'run'))
  assert 'Took all layers from' in capsys.readouterr().out
  network = trained.open_trained(str(tmp_path / 'run'))
  assert network.settings.data.path == 'TINY'
  assert network.train_examples == 0  # Its card is older than that field.
  assert len(network.class_names) == 100
  assert np.asarray(network.input_stats.stddevs).min() > 0


@pytest.mark.slow
def test_a_run_that_starts_from_it_trains(run, tmp_path):
  config = config_of(fields={
      'run.steps': 2, 'run.log_every': 1, 'augment.jitter': 0.1,
      'optimizer.learning_rate': 0.001})
  errors = training.train(typed_config.read(config), str(tmp_path / 'tuned'),
                          init_from=run[0])
  assert 0 < errors['one_crop_loss'] < 10
  tuned = trained.open_trained(str(tmp_path / 'tuned'))
  # The mean is that of the architecture, not of the pictures.
  assert (np.asarray(tuned.input_stats.mean) == np.float32(
      (123.675, 116.28, 103.53))).all()


def test_fine_tuning_keeps_what_the_network_was_trained_on():
  for name in ('torchvision', 'caffenet'):
    tuned, base = (config_files.load(f'configs/{path}')
                   for path in (f'fine_tune.py:published/{name}',
                                f'published/{name}.py'))
    assert tuned.model == base.model
    for field in ('data.resize', 'data.image_size', 'augment.crop',
                  'augment.mean_pixel'):
      section, key = field.split('.')
      assert tuned[section][key] == base[section][key]


# --- Parts and classes --------------------------------------------------------


def test_convolutions_alone_leave_new_layers_and_the_listed_classes(
    words, tmp_path, capsys):
  path, _ = write(tmp_path, drop=('classifier',))
  import_task.import_weights(config_of(), path, str(tmp_path / 'w'),
                             words=words)
  assert 'Took conv1 to conv5 from' in capsys.readouterr().out
  network = trained.open_trained(str(tmp_path / 'w'))
  assert network.class_names == WORDS
  assert np.std(network.params['fc8']['kernel']) == pytest.approx(
      0.009, rel=0.2)


def test_a_list_of_other_classes_leaves_fc8_new(words, tmp_path, capsys):
  path, arrays = write(tmp_path, classes=9)
  said = import_task.import_weights(config_of(), path, str(tmp_path / 'w'),
                                    words=words)
  assert 'Took conv1 to fc7 from' in said and 'fc8 is new.' in said
  assert 'fc8 has 9 classes in the file and 12 in --words.' in said
  network = trained.open_trained(str(tmp_path / 'w'))
  assert network.class_names == WORDS
  np.testing.assert_array_equal(network.params['columns']['fc7']['bias'][0],
                                arrays['fc7'][1])


def test_classes_without_a_list_have_numbers(tmp_path, capsys):
  path, _ = write(tmp_path, classes=11)
  said = import_task.import_weights(config_of(), path, str(tmp_path / 'w'))
  assert '11 classes' in said
  names = trained.open_trained(str(tmp_path / 'w')).class_names
  assert names[0] == 'class 00' and names[-1] == 'class 10'


def test_synsets_are_in_the_order_of_their_identifiers(tmp_path):
  path, _ = write(tmp_path, classes=3)
  (tmp_path / 'map_clsloc.txt').write_text(
      'n02119789 1 kit_fox\nn01440764 2 tench\nn01443537 3 goldfish\n')
  import_task.import_weights(config_of(), path, str(tmp_path / 'w'),
                             words=str(tmp_path / 'map_clsloc.txt'))
  assert trained.open_trained(str(tmp_path / 'w')).class_names == (
      'n01440764', 'n01443537', 'n02119789')


def test_a_mean_image_takes_the_place_of_the_pixel(tmp_path):
  arrays = other.random_arrays((1, 2, 1, 2, 2), side=1, classes=12)
  path = tmp_path / 'net.caffemodel'
  path.write_bytes(other.caffemodel(arrays))
  bgr = np.random.default_rng(0).uniform(90, 120, (1, 3, 72, 72)).astype('f')
  (tmp_path / 'mean.binaryproto').write_bytes(other.blob(bgr))
  said = import_task.import_weights(
      config_of('caffe_alexnet'), str(path), str(tmp_path / 'w'),
      mean=str(tmp_path / 'mean.binaryproto'))
  assert '(Caffe, BGR, 12 classes)' in said
  network = trained.open_trained(str(tmp_path / 'w'))
  np.testing.assert_array_equal(
      network.input_stats.mean, bgr[0, ::-1].transpose(1, 2, 0))
  assert network.settings.augmentation.mean_pixel == ()
  assert network.settings.data.resize == 'warp'
  probabilities = next(Network(network).probabilities(
      [_photo(tmp_path)], views=1))
  square = cv2.resize(cv2.imread(_photo(tmp_path)), (72, 72),
                      interpolation=cv2.INTER_AREA)[..., ::-1]
  logits = other.caffe(arrays, square[4:68, 4:68].astype(np.float64),
                       bgr[0][:, 4:68, 4:68], False)
  expected = np.exp(logits - logits.max())
  np.testing.assert_allclose(probabilities, expected / expected.sum(),
                             rtol=1e-4)


def _photo(folder):
  path = str(folder / 'wide.png')
  cv2.imwrite(path, np.random.default_rng(0).integers(
      0, 256, (90, 200, 3), np.uint8))
  return path


# --- Refused ------------------------------------------------------------------


def test_nothing_is_written_if_an_argument_cannot_be_used(words, tmp_path):
  path, _ = write(tmp_path, classes=9)
  (tmp_path / 'cut.npz').write_bytes(
      (tmp_path / 'alexnet.npz').read_bytes()[:-900])
  np.save(tmp_path / 'mean.npy', np.zeros((3, 9, 9)))
  before = sorted(os.listdir(tmp_path))
  workdir = str(tmp_path / 'w')
  assert 'cannot be read as an .npz' in refusal(
      config_of(), str(tmp_path / 'cut.npz'), workdir)
  assert 'no mean image' in refusal(
      config_of(), path, workdir, mean=str(tmp_path / 'mean.npy'))
  assert 'another network than config.model' in refusal(
      config_of(fields={'model.neurons': (11, 12)}), path, workdir)
  assert 'config.augment.mean_pixel is ()' in refusal(
      config_of(fields={'augment.mean_pixel': ()}), path, workdir)
  assert '--words: ' in refusal(config_of(), path, workdir,
                                words=str(tmp_path / 'none.txt'))
  assert sorted(os.listdir(tmp_path)) == before


def test_other_files_in_the_way_are_left_alone(tmp_path):
  path, _ = write(tmp_path)
  (tmp_path / 'w.part').mkdir()
  (tmp_path / 'w.part' / 'thesis.tex').write_text('x')
  assert 'w.part is in the way' in refusal(
      config_of(), path, str(tmp_path / 'w'))
  assert (tmp_path / 'w.part' / 'thesis.tex').exists()


def test_a_workdir_that_cannot_be_written_is_refused(tmp_path):
  path, _ = write(tmp_path)
  (tmp_path / 'file').write_text('x')
  assert 'cannot be written' in refusal(
      config_of(), path, str(tmp_path / 'file' / 'w'))


def test_an_import_that_fails_leaves_no_run(tmp_path, monkeypatch):
  path, _ = write(tmp_path)
  workdir = str(tmp_path / 'w')
  monkeypatch.setattr(checkpoint, 'save', lambda *_: 1 / 0)
  with pytest.raises(ZeroDivisionError):
    import_task.import_weights(config_of(), path, workdir)
  assert sorted(os.listdir(tmp_path)) == ['alexnet.npz']
  monkeypatch.undo()
  os.makedirs(f'{workdir}.part/checkpoints')  # of one that was killed
  import_task.import_weights(config_of(), path, workdir)
  assert sorted(os.listdir(tmp_path)) == ['alexnet.npz', 'w']
