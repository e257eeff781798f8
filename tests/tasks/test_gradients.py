"""Gradients of runs are those of their training; networks beside each other."""

import json
import math
import os
import shutil

import cv2
import program
import pytest
import tiny

from alexnet_jax.analysis.gradients import LayerSizes, Measured
from alexnet_jax.data.prepare import prepare
from alexnet_jax.figures import gradients as picture
from alexnet_jax.results.sweeps import Variant
from alexnet_jax.run import checkpoint, journal, typed_config
from alexnet_jax.tasks import gradients as task

pytestmark = pytest.mark.slow

LAYERS = ['conv1', 'conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7', 'fc8']


@pytest.fixture(scope='module')
def run(trained, tmp_path_factory):
  """A workdir with a run of six steps that was started from a shell."""
  workdir = tmp_path_factory.mktemp('gradients') / 'run'
  shutil.copytree(trained[1], workdir)
  (workdir / journal.COMMAND).write_text(
      'python launch.py --config=configs/quickstart.py\n')
  return str(workdir)


@pytest.fixture(scope='module')
def measured(run):
  return task.of_run(run)


def test_the_first_step_and_every_checkpoint_are_measured(run, measured):
  assert list(measured) == [0, *tiny.steps(run)] and max(measured) == 6
  assert measured[0].loss == pytest.approx(tiny.losses(run)[0], rel=1e-5)
  assert len({one.loss for one in measured.values()}) == len(measured)
  for one in measured.values():
    assert [layer.layer for layer in one.layers] == LAYERS
    assert all(value > 0 for layer in one.layers for value in layer[1:])


def test_parameters_of_another_run_are_no_first_step(run, tmp_path, capsys):
  assert task.first_step(run) == [0]
  (tmp_path / journal.COMMAND).write_text(
      'python launch.py --config=configs/quickstart.py --init_from=other\n')
  assert task.first_step(str(tmp_path)) == []
  assert 'began with the parameters of other' in capsys.readouterr().out


def test_a_checkpoint_at_step_0_is_measured_and_not_new_parameters(
    run, measured, tmp_path):
  config = tiny.config()
  with checkpoint.open_to_read(run) as manager:
    metadata = checkpoint.read_metadata(manager, 6)
  workdir = str(tmp_path / 'run')
  with checkpoint.open_manager(workdir, keep=1) as manager:
    checkpoint.save(manager, 0, tiny.state(config, run, 6), metadata, None)
  of_step_0 = task.of_run(workdir)
  assert list(of_step_0) == [0]
  assert of_step_0[0].loss == pytest.approx(measured[6].loss, rel=1e-6)


def test_data_without_validation_images_can_be_measured(run, tmp_path):
  settings = typed_config.read(tiny.config())
  prepare({'train': settings.open_split('train')}, str(tmp_path / 'records'),
          image_size=settings.data.image_size, progress=False, store='raw')
  (tmp_path / 'run').mkdir()
  shutil.copytree(os.path.join(run, checkpoint.FOLDER),
                  tmp_path / 'run' / checkpoint.FOLDER)
  of_run = task.of_run(str(tmp_path / 'run'), data=str(tmp_path / 'records'))
  assert list(of_run) == tiny.steps(run)


@pytest.mark.parametrize('command', ['', '\n', 'python "launch.py\n'])
def test_a_run_that_does_not_say_how_it_began_has_no_first_step(
    command, tmp_path, capsys):
  if command:
    (tmp_path / journal.COMMAND).write_text(command)
  assert task.first_step(str(tmp_path)) == []
  assert capsys.readouterr().out == (
      f'{tmp_path} does not say what it began with: only its checkpoints are'
      ' measured.\n')


@pytest.mark.parametrize('steps, most, chosen', [
    ([0, 2, 3], 6, [0, 2, 3]), ([5], 6, [5]),
    (list(range(101)), 5, [0, 25, 50, 75, 100])])
def test_the_first_and_the_last_step_are_among_those_chosen(
    steps, most, chosen):
  assert task.evenly(steps, most) == chosen


def of(layers, factor=1.0):
  return Measured(2.0, 3.0, tuple(
      LayerSizes(name, factor * (1 + i), factor * 10.0**-i, 0.1,
                 factor * 0.01) for i, name in enumerate(layers)))


def test_pictures_are_drawn_of_any_networks(tmp_path):
  blind = of(LAYERS)
  blind = blind._replace(loss=math.nan, layers=(
      LayerSizes('s2', math.inf, 0.0, None, None), *blind.layers[1:]))
  deep = of([f'conv{i}' for i in range(36)])
  for name, networks in {
      'once': {'$a_{': {0: deep}, 'b\n': {0: deep}},
      'others': {'a': {0: deep}, 'b': {0: of(LAYERS)}},
      'steps': {'$b_{': {0: blind}, 'a': {0: of(LAYERS), 9: of(LAYERS, 3)}},
  }.items():
    out = tmp_path / f'{name}.png'
    picture.draw(networks, str(out))
    assert (cv2.imread(str(out)) < 200).any(-1).mean() > 0.01
    written = json.loads(out.with_suffix('.json').read_text())
    assert list(written) == list(networks)
  assert written['a']['0']['layers'][1]['outputs'] == 2
  table = task.rows({'a': {0: blind}})
  assert len(table) == 2 and {len(row) for row in table} == {9}


Q = '--config=configs/quickstart.py'
WITHOUT = {
    'nothing': ([], ['needs networks: give --config=FILE, or the workdirs']),
    'a sweep of a run': (
        ['--sweep=model.dropout=True,False', '{run}'],
        ['--compare and --sweep', 'add --config=FILE']),
    'a field of a run': (
        ['--workdir={run}', '--config.seed=3'],
        ['--config.SECTION.FIELD changes no finished run']),
    'a config twice': (
        [Q, '--compare=configs/quickstart.py'],
        ['configs/quickstart.py twice: give each config once']),
    'too many': (
        [Q, '--sweep=optimizer.learning_rate=1.0,2.0,3.0,4.0',
         '--sweep=model.dropout=True,False'], ['8 networks: give 7 at most']),
    'other data of a config': (
        [Q, '--data={run}'], ['--data is for runs', '--config.data.path']),
    'no picture': ([Q, '--out=a.txt'], ['--out=a.txt is no picture']),
    'no run': (['{none}'], ['holds no checkpoint']),
    'a batch that is too large': (
        [*tiny.flags(), '--batch=65'],
        ['--batch=65 is more than the 64 training examples']),
}


@pytest.fixture(scope='module')
def refusals(run, compiled, tmp_path_factory):
  none = tmp_path_factory.mktemp('none')
  return dict(zip(WITHOUT, program.launch_many([
      ['--task=gradients', *(part.format(run=run, none=none)
                             for part in arguments)]
      for arguments, _ in WITHOUT.values()], compiled), strict=True))


@pytest.mark.parametrize('name', WITHOUT)
def test_what_cannot_be_measured_is_refused_in_one_sentence(name, refusals):
  code, out, err = refusals[name]
  assert (code, out) == (2, '') and len(err.splitlines()) == 1, err
  for part in WITHOUT[name][1]:
    assert part in err


def test_gradients_vanish_below_sigmoids_and_not_below_relus(
    measured, compiled, tmp_path):
  said = program.launch(
      ['--task=gradients', *tiny.flags(), f'--workdir={tmp_path}',
       '--sweep=model.nonlinearity=sigmoid'], compiled)
  assert f'Drawn in {tmp_path}/gradients.png' in said.splitlines()[-1]
  numbers = json.loads((tmp_path / 'gradients.json').read_text())
  sigmoid = [layer['output_gradients'] for layer in
             numbers['quickstart nonlinearity=sigmoid']['0']['layers']]
  relu = [layer.output_gradients for layer in measured[0].layers]
  assert sigmoid == sorted(sigmoid)
  assert sigmoid[0] / sigmoid[-1] < 1e-2 * relu[0] / relu[-1]


def test_networks_with_one_name_are_told_apart_by_their_paths(
    monkeypatch, tmp_path):
  monkeypatch.chdir(tmp_path)

  def called(paths, workdirs):
    return task.names([Variant(path, tiny.config(), {}) for path in paths],
                      list(map(os.path.abspath, workdirs)))

  assert called(['configs/paper.py:2'], ['runs/y']) == ['paper:2', 'y']
  assert called([], ['a/x', 'b/x', 'b/y']) == ['a/x', 'b/x', 'y']
  assert called(['../mine.py', '/other/mine.py'], []) == [
      '../mine.py', '/other/mine.py']
  assert called(['configs/quickstart.py'], ['quickstart']) == [
      'configs/quickstart.py', f'{tmp_path}/quickstart']
  assert called(['configs/ablations.py:a'], ['ablations/a', 'b/a']) == [
      'configs/ablations.py:a', f'{tmp_path}/ablations/a', 'b/a']
