"""The table and the picture of networks side by side."""

import json
import pathlib
import tarfile

import cv2
import numpy as np
import pytest

from benchmarks import same_size as benchmark
from configs import paper
from configs.history import same_size
from configs.history.same_size import Narrow

SPEED = {'batch_size': 32, 'parameters': 1234567, 'flops': 12_000_000,
         'step_flops': 36_000_000, 'map_bytes': 250_000,
         'step_temporary_bytes': 9_000_000, 'seconds': [0.4, 0.5, 0.9],
         'speed_over_reference': {'median': 0.5, 'least': 0.4, 'most': 0.7}}


def lines(*errors, final=True):
  """A run with validations at steps 10, 20 ..., its training 0.1 worse."""
  logged = [{'step': 10 * (i + 1), 'kind': kind, 'top1_error': error + worse}
            for i, error in enumerate(errors)
            for kind, worse in (('train', 0.1), ('validation', 0.0))]
  last = {'step': 10 * len(errors), 'kind': 'final',
          'one_crop_top1_error': errors[-1], 'one_crop_top5_error': 0.25}
  return logged + [last] * final


@pytest.fixture
def runs(tmp_path):
  """A folder with runs of two networks; one seed is not finished."""
  for name, seed, logged in (
      ('resnet', 0, lines(0.8, 0.7, 0.6, 0.4)),
      ('resnet', 1, lines(0.9, 0.8, 0.7, 0.7)),
      ('alexnet', 0, lines(0.9, 0.9)),
      ('alexnet', 1, lines(0.9, final=False))):
    folder = tmp_path / f'history/same_size-{name}/seed_{seed}'
    folder.mkdir(parents=True)
    (folder / 'metrics.jsonl').write_text(
        ''.join(json.dumps(line) + '\n' for line in logged))
  (tmp_path / 'speed.json').write_text(json.dumps(
      dict.fromkeys(same_size.NETWORKS, SPEED)))
  return tmp_path


def cells(printed, network):
  """The cells of a network's row, in the last table that has it."""
  row = [line for line in printed.splitlines()
         if line.startswith(f'| {network} ')][-1]
  return [cell.strip() for cell in row.strip('| ').split('|')]


def test_finished_runs_make_a_table_with_seconds_of_the_measured_step(
    runs, capsys):
  out = runs / 'picture.png'
  benchmark.main([str(runs), '--errors', '70', '30', f'--out={out}'])
  printed = capsys.readouterr()
  # 0.7 after 20 and 30 steps of half a second.
  assert cells(printed.out, 'ResNet-18') == [
      'ResNet-18', '0, 1', '40.0, 70.0', '25.0, 25.0', '50.0, 80.0', '20',
      '10, 15', '-, -']
  assert cells(printed.out, 'AlexNet')[1:4] == ['0', '90.0', '25.0']
  assert '1,234,567 | 12.0 | 0.25 | 9.0 | 64 | 0.50 (0.40 to 0.70)' in (
      printed.out)
  assert 'lenet, vgg, googlenet, plain' in printed.err
  picture = cv2.imread(str(out))
  for color in ((0x00, 0x72, 0xB2), (0xD5, 0x5E, 0x00)):  # one a network
    near = np.abs(picture - np.array(color[::-1], float)).sum(-1) < 30
    assert near.sum() > 100
  drawn = json.loads(out.with_suffix('.json').read_text())
  assert drawn['ResNet-18']['validation'] == {
      'seconds': [5.0, 10.0, 15.0, 20.0],
      'top1_error': [[0.8, 0.7, 0.6, 0.4], [0.9, 0.8, 0.7, 0.7]]}


def test_a_folder_without_runs_is_refused_in_a_sentence(tmp_path, capsys):
  with pytest.raises(SystemExit):
    benchmark.main([str(tmp_path)])
  assert 'no finished run of configs/history/same_size.py:alexnet' in (
      capsys.readouterr().err)


def test_runs_without_measured_steps_are_refused_in_a_sentence(runs, capsys):
  (runs / 'speed.json').write_text('{}')
  with pytest.raises(SystemExit):
    benchmark.main([str(runs)])
  assert 'speed of all networks: give --measure first' in (
      capsys.readouterr().err)


@pytest.mark.slow
def test_a_network_is_measured_by_its_training_step(monkeypatch):
  tiny = {'num_columns': 1, 'kernels': (4, 4, 6, 6, 4), 'neurons': (16, 16)}
  monkeypatch.setitem(
      same_size.NETWORKS, 'alexnet', Narrow(paper.get_config, tiny))
  found = benchmark.measure(['alexnet'], rounds=3, turn_seconds=0.0)['alexnet']
  assert len(found['seconds']) == 3 and min(found['seconds']) > 0
  assert found['speed_over_reference'] == {
      'median': 1.0, 'least': 1.0, 'most': 1.0}
  # conv1 alone: 15 x 15 positions of 4 kernels of 11 x 11 x 3.
  assert found['flops'] > 2 * 225 * 4 * 363
  assert found['step_temporary_bytes'] > found['map_bytes']


def test_the_page_has_the_tables_of_the_runs_that_were_kept(tmp_path, capsys):
  root = pathlib.Path(__file__).parents[2]
  archive = root / 'benchmarks/results/same_photographs.tar.gz'
  with tarfile.open(archive) as kept:
    kept.extractall(tmp_path, filter='data')
  benchmark.main([str(tmp_path / 'runs'), f'--out={tmp_path}/picture.png'])
  printed, page = capsys.readouterr().out, (
      root / 'docs/same_photographs.md').read_text('utf-8')
  tables = printed.partition('\nDrawn in')[0].split('\n\n')
  assert len(tables) == 2
  for table in tables:
    assert table.strip() in page
