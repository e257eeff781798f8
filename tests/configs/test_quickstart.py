"""The embedded data set is learned, and not without the convolutions."""

import json
import os
import subprocess
import sys

import program
import pytest

CONVOLUTIONS = ('conv1', 'conv2', 'conv3', 'conv4', 'conv5')
SHORTER = ('--config.run.epochs=8', '--config.optimizer.drops=((7, 0.1),)')


def error_of(workdir, *arguments):
  """The top-1 error of a shortened quickstart, with ten patches."""
  # Not `program.launch`: a minute of training is worth optimizing for.
  subprocess.run(
      [sys.executable, 'launch.py', '--config=configs/quickstart.py',
       f'--workdir={workdir}', *SHORTER, *arguments], cwd=program.ROOT,
      env=os.environ | {'JAX_PLATFORMS': 'cpu'}, check=True)
  with open(workdir / 'metrics.jsonl', encoding='utf-8') as file:
    last = json.loads(file.readlines()[-1])
  assert last['kind'] == 'final'
  return last['ten_crop_top1_error']


@pytest.mark.slow
def test_frozen_convolutions_learn_visibly_less(tmp_path):
  learned = error_of(tmp_path / 'learned')
  frozen = error_of(tmp_path / 'frozen',
                    f'--config.optimizer.frozen={CONVOLUTIONS}')
  assert learned < 0.65  # chance is 0.917
  assert learned < frozen - 0.15
