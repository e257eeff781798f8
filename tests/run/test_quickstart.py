"""The embedded data set is learned, and not without the convolutions."""

import json

import program
import pytest

CONVOLUTIONS = ('conv1', 'conv2', 'conv3', 'conv4', 'conv5')


def error_of(workdir, compiled, **fields):
  """The top-1 error of a shortened quickstart, with ten patches."""
  program.launch(
      ['--config=configs/quickstart.py', f'--workdir={workdir}',
       *(f'--config.{name.replace("__", ".")}={value}'
         for name, value in fields.items())], compiled)
  with open(workdir / 'metrics.jsonl', encoding='utf-8') as file:
    last = json.loads(file.readlines()[-1])
  assert last['kind'] == 'test'
  return last['ten_crop_top1_error']


@pytest.mark.slow
def test_frozen_convolutions_learn_visibly_less(compiled, tmp_path):
  short = {'run__epochs': 4.0, 'optimizer__drops': ()}
  learned = error_of(tmp_path / 'learned', compiled, **short)
  frozen = error_of(tmp_path / 'frozen', compiled, **short,
                    optimizer__frozen=CONVOLUTIONS)
  assert learned < 0.6  # chance is 0.917
  assert learned < frozen - 0.1
