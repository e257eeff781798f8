"""Curves of runs: of each workdir while it trains, and of several together."""

import json
import os
import shutil

import cv2
import numpy as np
import program
import pytest
import tiny
from matplotlib.figure import Figure

from alexnet_jax.errors import InputError
from alexnet_jax.figures import curves
from alexnet_jax.run import journal, training, typed_config
from alexnet_jax.tasks import curves as task

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def workdirs(tmp_path_factory):
  """Two seeds of a run, and one with another rate."""
  folder = tmp_path_factory.mktemp('runs')
  names = {'a': {}, 'b': {'seed': 1}, 'c': {'optimizer.learning_rate': 0.02}}
  for name, fields in names.items():
    training.train(typed_config.read(tiny.config(fields | {'run.views': 1})),
                   str(folder / name), draw=curves.draw_workdir,
                   command='python launch.py --config=configs/quickstart.py ' +
                   ' '.join(f'--config.{k}={v}' for k, v in fields.items()))
  return folder


def ink(path):
  """The share of pixels that are not white."""
  return (cv2.imread(str(path)) < 200).any(-1).mean()


def test_a_workdir_has_a_picture_with_its_curves(workdirs):
  picture = cv2.imread(str(workdirs / 'a/curves.png'))
  assert picture.shape[1] > 1000 and ink(workdirs / 'a/curves.png') > 0.01
  blue, vermilion = (np.array(color)[::-1] for color in (
      (0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)))
  for color in (blue, vermilion):  # training and validation
    assert (np.abs(picture - color.astype(float)).sum(-1) < 30).sum() > 200


def test_the_picture_is_drawn_again_at_each_validation(tmp_path):
  seen = []

  def draw(workdir):
    seen.append([line['step'] for line in journal.read(workdir)][-1])
    curves.draw_workdir(workdir)

  training.train(typed_config.read(tiny.config({'run.views': 1})),
                 str(tmp_path), draw=draw)
  assert seen == [2, 4, 6, 6]


def test_seeds_are_one_curve_and_other_fields_another(workdirs):
  groups = task.group_by_seed([str(workdirs / name) for name in 'abca'])
  assert {name: len(seeds) for name, seeds in groups.items()} == {
      'quickstart': 2, 'quickstart optimizer.learning_rate=0.02': 1}
  steps, values = curves.values(groups['quickstart'], 'validation', 'loss')
  assert steps.tolist() == [2, 4, 6]
  assert values.tolist() == [
      [line['loss'] for line in tiny.metrics(workdirs / name, 'validation')]
      for name in 'ab']


def test_runs_of_an_earlier_version_are_seeds_of_the_same_experiment(
    workdirs, tmp_path):
  earlier = shutil.copytree(workdirs / 'b', tmp_path / 'earlier')
  config = json.loads((earlier / journal.CONFIG).read_text())
  for section, field in (('augment', 'scale'), ('model', 'partners')):
    del config[section][field]
  (earlier / journal.CONFIG).write_text(json.dumps(config))
  groups = task.group_by_seed([str(workdirs / 'a'), str(earlier)])
  assert [len(seeds) for seeds in groups.values()] == [2]


def test_the_command_draws_several_runs(workdirs, tmp_path, compiled):
  out, beside = tmp_path / 'both.png', tmp_path / 'panels.png'
  runs = [str(workdirs / name) for name in 'abc']
  (code, said, _), (other, steps, _) = program.launch_many(
      [['--task=curves', f'--out={out}', *runs],
       ['--task=curves', f'--out={beside}', '--panels', '--reaches=100,0.001',
        *runs]], compiled)
  assert (code, other) == (0, 0)
  assert str(out) in said
  assert ink(out) > 0.01 and ink(beside) > 0.01
  numbers = json.loads(out.with_suffix('.json').read_text())
  assert list(numbers) == ['quickstart',
                           'quickstart optimizer.learning_rate=0.02']
  rates = numbers['quickstart']['train']['learning_rate']
  assert rates['steps'] == [1, 2, 3, 4, 5, 6] and len(rates['values']) == 2
  head, *rows = steps.splitlines()[:3]
  assert 'steps to 100  over the first' in head
  assert [row.split()[-4:] for row in rows] == [
      ['1.00', 'never,', 'never', '-'], ['0', '1.00', 'never', '-']]


def test_a_loss_is_reached_between_two_means():
  first, second = ([{'step': step, 'kind': 'train', 'loss': loss}
                    for step, loss in zip((10, 20, 30), losses, strict=True)]
                   for losses in ((4, 3, 1), (4, 3.5, 2.5)))
  table = task.steps_to_goals({'a': [first], 'b': [second, second], 'c': [[]]},
                              task.parse_goals('2,3'))
  assert table[1:] == [  # means count as of steps 5, 15 and 25
      ('a', '20', '1.00', '15', '1.00'),
      ('b', 'never, never', '-', '20, 20', '1.33'),
      ('c', 'never', '-', 'never', '-')]


def test_an_error_is_reached_as_a_loss_is():
  lines = [{'step': step, 'kind': 'train', 'loss': 9.0, 'top1_error': error}
           for step, error in ((10, 0.75), (20, 0.25))]
  assert task.steps_to_goals({'a': [lines]}, task.parse_goals('50%, 25%')) == [
      ('config', 'steps to 50%', 'over the first', 'steps to 25%',
       'over the first'), ('a', '10', '1.00', '15', '1.00')]


@pytest.mark.parametrize('text', [
    '2,x', '', '0', '-1', 'nan', 'inf', '1,,2', '100%', '%', '0%', '5%%'])
def test_what_no_loss_or_error_can_be_is_refused(text):
  with pytest.raises(InputError, match=(
      f'--reaches={text} is no list of losses and errors: give numbers')):
    task.parse_goals(text)


@pytest.mark.parametrize('rates, expected', [
    ([1, 1, 1, .1, .1], [2]), ([1, .1, .1, .01], [0, 2]),
    ([1, .9, .8, .7], []), ([1, 1, 1], []), ([1], []), ([], []),
    ([.1, .1, 1, 1], [])])
def test_a_drop_is_a_step_between_two_rates(rates, expected):
  assert curves.drops(np.arange(len(rates)), np.array(rates)) == expected


@pytest.mark.parametrize('lines', [
    [{'step': 1, 'kind': 'train', 'loss': float('nan')}],
    [{'step': 4, 'kind': 'validation', 'loss': 2.0, 'top1_error': 0.5}],
    [{'step': n, 'kind': 'train', 'loss': 1 / n, 'learning_rate': 0.1}
     for n in range(1, 9)],  # an auto-encoder
])
def test_odd_runs_are_drawn_too(lines, tmp_path):
  out = tmp_path / 'out.png'
  curves.draw({'<b>$x_1$\n': [lines]}, str(out))
  assert ink(out) > 0.005
  json.dumps(curves.series({'a': [lines]}), allow_nan=False)


def test_a_run_without_lines_has_no_picture(tmp_path):
  curves.draw_workdir(str(tmp_path))
  assert not os.listdir(tmp_path)


def test_what_has_no_curves_is_refused_in_one_sentence(workdirs, tmp_path):
  with pytest.raises(InputError, match='holds no run: give the workdirs'):
    task.group_by_seed([str(tmp_path)])
  shutil.copy(workdirs / 'a/config.json', tmp_path)
  with pytest.raises(InputError, match='no log lines yet: leave it out'):
    task.group_by_seed([str(tmp_path)])


def test_the_task_needs_runs(compiled):
  (code, out, err), = program.launch_many([['--task=curves']], compiled)
  assert (code, out) == (2, '')
  assert '--task=curves needs runs: give their workdirs' in err


def test_a_picture_that_cannot_be_drawn_does_not_end_the_run(tmp_path, capsys):
  (tmp_path / 'curves.png').mkdir()
  assert training.train(typed_config.read(tiny.config({'run.views': 1})),
                        str(tmp_path), draw=curves.draw_workdir)
  assert 'The curves are not drawn: ' in capsys.readouterr().err


def test_many_configs_have_colors_and_names_of_their_own(tmp_path):
  lines = [{'step': n, 'kind': 'train', 'loss': 1 / n} for n in range(1, 4)]
  runs = {f'config {i}': [lines] for i in range(9)}
  assert len({curves._color(runs, i) for i in range(9)}) == 9
  axes = Figure().subplots()
  curves._draw_quantity(axes, runs, 'loss')
  names = [line.get_label() for line in curves._legend(axes, runs)]
  assert names == [*runs, 'training', 'validation']
