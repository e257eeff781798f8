"""The table of one form on hand-written runs."""

import json
import pathlib

import pytest
import workdirs

from alexnet_jax.results import seeds_table
from alexnet_jax.results.claims import Claim

CLAIMS = (
    Claim('ablations/no_norm', 'no norm', '3.3', 'ablations/baseline', 1.37,
          1.15, '#148'),
    Claim('ablations/tanh', 'tanh', '3.1', 'ablations/baseline', None, None,
          'nowhere given'),
    Claim('ablations/baseline', 'the net', '6', '', 40.66, 18.21, '#145'))


@pytest.fixture
def folder(tmp_path):
  workdirs.write_trio(tmp_path)
  workdirs.write(tmp_path, 'ablations.py:tanh,small', 1, 0.42)
  workdirs.write(tmp_path, 'ablations.py:tanh,paper', 0, 0.9)
  for path in pathlib.Path(tmp_path).rglob('metrics.jsonl'):
    path.write_text(''.join(
        json.dumps({'step': step, 'kind': kind, 'top1_error': error}) + '\n'
        for step, kind, error in (
            (50, 'train', 0.8), (50, 'validation', 0.7), (75, 'train', 0.3),
            (100, 'train', 0.2), (100, 'validation', 0.4)))
        + path.read_text().splitlines()[-1] + '\n')
  return tmp_path


def test_rows_have_every_seed_and_the_baseline_comes_first(folder):
  order, _, head, _, *rows = seeds_table.as_markdown(
      'small', CLAIMS, workdirs.read(folder)).splitlines()
  assert order.startswith('Seeds 0, 1, 2, 3, in this order; - is a seed')
  cells = [[cell.strip() for cell in row[1:-1].split(' | ')] for row in rows]
  assert '| ten crops |' in head
  assert cells == [
      ['the net (`baseline`)', '6', '25.0, 25.0, 25.0, -',
       '45.0, 47.0, 49.0, -', '40.0, 42.0, 44.0, -', '', '', '',
       '40.66 / 18.21 (#145)'],
      ['no norm (`no_norm`)', '3.3', '25.0, 25.0, 25.0, -',
       '46.0, 49.0, 55.0, -', '41.0, 44.0, 50.0, -',
       '+1.0, +2.0, +6.0, -', '+3.00 +- 1.53',
       '3 of 3 (p = 0.25)', '+1.37 / +1.15 (#148)'],
      ['tanh (`tanh`)', '3.1', '-, 25.0, -, -', '-, 47.0, -, -',
       '-, 42.0, -, -', '-, +0.0, -, -', '+0.00', '0 of 0', 'nowhere given']]


def test_one_seed_is_said_to_be_one(tmp_path):
  workdirs.write(tmp_path, 'ablations.py:baseline,small', 3, 0.4)
  text = seeds_table.as_markdown('small', CLAIMS, workdirs.read(tmp_path))
  assert text.startswith('Seed 3.\n')
  # No training error was logged.
  assert '| the net (`baseline`) | 6 | - | 45.0 | 40.0 |' in text


def test_a_difference_is_to_the_baseline_of_the_same_length(tmp_path):
  workdirs.write(tmp_path, 'ablations.py:baseline,small', 0, 0.4)
  workdirs.write(tmp_path / 'longer', 'ablations.py:baseline,small', 0, 0.3,
                 steps=200)
  workdirs.write(tmp_path, 'ablations.py:no_norm,small', 0, 0.41)
  text = seeds_table.as_markdown('small', CLAIMS, workdirs.read(tmp_path))
  row, = [line for line in text.splitlines() if '`no_norm`' in line]
  assert '| +1.0 | +1.00 |' in row


def test_changed_fields_and_seeds_of_the_baseline_alone_are_left_out(folder):
  before = seeds_table.as_markdown('small', CLAIMS, workdirs.read(folder))
  workdirs.write(folder / 'more', 'ablations.py:baseline,small', 7, 0.4)
  workdirs.write(folder / 'rate', 'ablations.py:tanh,small', 0, 0.5,
                 flags='--config.optimizer.learning_rate=0.1')
  assert seeds_table.as_markdown(
      'small', CLAIMS, workdirs.read(folder)) == before
