"""Figure 1 as a whole: searched, stopped, gone on with and drawn; tiny."""

import json
import shutil

import cv2
import numpy as np
import pytest
import tiny

from alexnet_jax.errors import InputError
from alexnet_jax.run import training
from alexnet_jax.tasks import figure1
from configs.cifar10 import figure1 as recipe

pytestmark = pytest.mark.slow

FIELDS = {
    'model.kernels': (4, 4, 6),
    'model.stddevs': (0.01, 0.1, 0.1, 0.1),
    'data.name': 'procedural',
    'data.path': '',
    'data.train_examples': 64,
    'data.validation_examples': 16,
    'optimizer.batch_size': 16,
    'run.log_every': 2,
    'run.until_error': 0.82,
    'run.epochs': 3.0,
    # 4 steps an epoch: 2 steps, then 12 at most.
    'figure1.rounds': ((0.5, 1),),
    'figure1.learning_rates': (1e-4, 1e-3, 1e9),
}
COMMAND = 'python launch.py --config=configs/cifar10/figure1.py --task=figure1'


def config(fields=None):
  narrowed = recipe.get_config().lock()
  narrowed.update_from_flattened_dict(FIELDS | (fields or {}))
  return narrowed


@pytest.fixture(scope='module')
def drawn(tmp_path_factory, compile_once):
  """(folder of the runs, the numbers)."""
  folder = tmp_path_factory.mktemp('figure1')
  return folder, figure1.figure1(
      config(), str(folder / 'runs'), str(folder / 'new' / 'race.png'), COMMAND)


def test_the_picture_shows_two_curves_and_the_numbers_lie_beside_it(drawn):
  folder, numbers = drawn
  picture = cv2.imread(str(folder / 'new' / 'race.png'))
  assert picture.shape == (1050, 1500, 3)
  for color in ((178, 114, 0), (0, 94, 213)):  # BGR of both lines
    assert (np.abs(picture.astype(int) - color).max(-1) < 8).sum() > 500
  with open(folder / 'new' / 'race.json', encoding='utf-8') as file:
    assert json.load(file) == numbers


def test_the_best_go_on_and_a_rate_that_diverged_does_not(drawn):
  folder, numbers = drawn
  for name, found in numbers['nonlinearities'].items():
    rounds = found['rounds']
    assert [one['steps'] for one in rounds] == [2, 12]
    if name == 'relu':  # tanh keeps its numbers finite
      assert rounds[0]['errors']['1e+09'] == 'diverged'
      assert (folder / 'runs' / 'relu_1e+09' / 'diverged.txt').exists()
    chosen = found['learning_rate']
    assert rounds[0]['kept'] == rounds[1]['kept'] == [chosen]
    for rate in (1e-4, 1e-3):
      lines = tiny.metrics(folder / 'runs' / f'{name}_{rate:g}', 'train')
      assert (lines[-1]['step'] > 2) == (rate == chosen)


def test_a_run_remembers_the_command_that_makes_it_alone(drawn):
  folder, _ = drawn
  told = (folder / 'runs' / 'tanh_0.001' / 'command.txt').read_text()
  for part in ('--config=configs/cifar10/figure1.py ',
               '--config.model.nonlinearity=tanh',
               '--config.optimizer.learning_rate=0.001',
               '--config.run.steps='):
    assert part in told
  assert '--task' not in told


def test_what_is_done_is_not_done_again(drawn, monkeypatch):
  folder, numbers = drawn
  monkeypatch.setattr(training, 'train', None)
  assert figure1.figure1(
      config(), str(folder / 'runs'), str(folder / 'again.png')) == numbers


def test_a_search_that_was_stopped_goes_on_to_the_same_numbers(
    drawn, tmp_path, monkeypatch):
  folder, numbers = drawn
  workdir = tmp_path / 'runs'
  shutil.copytree(folder / 'runs', workdir,
                  ignore=shutil.ignore_patterns('tanh_*'))
  with monkeypatch.context() as stopping:
    tiny.ask_to_stop_at(3, stopping)  # in the second run of the two steps
    assert figure1.figure1(config(), str(workdir)) == {}
  assert not (workdir / 'figure1.png').exists()
  assert figure1.figure1(config(), str(workdir)) == numbers
  assert (workdir / 'figure1.png').exists()


def test_runs_of_another_search_are_refused(drawn, tmp_path, monkeypatch):
  folder, _ = drawn
  monkeypatch.setattr(training, 'train', None)
  shutil.copytree(folder / 'runs', tmp_path / 'runs')
  for fields, part in (({'seed': 1}, 'config.seed=0'),
                       ({'run.log_every': 1}, 'config.run.log_every=2')):
    with pytest.raises(InputError, match=part):
      figure1.figure1(config(fields), str(tmp_path / 'runs'))


def test_an_unknown_nonlinearity_is_refused_before_the_first_run(tmp_path):
  with pytest.raises(InputError, match='sine'):
    figure1.figure1(
        config({'figure1.nonlinearities': ('relu', 'sine')}),
        str(tmp_path / 'runs'))
  assert not (tmp_path / 'runs').exists()
