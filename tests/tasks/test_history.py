"""The task that draws the chart of errors."""

import json

import cv2
import pytest
import workdirs

from alexnet_jax.errors import InputError
from alexnet_jax.tasks import history


def test_the_chart_and_its_numbers_are_written(tmp_path, capsys):
  workdir = workdirs.write(tmp_path, 'history/vgg16.py', 0, 0.45, 0.2)
  numbers = history.history(str(tmp_path))
  picture = cv2.imread(str(tmp_path / 'history.png'))
  assert picture.shape[1] == 3000 and (picture < 100).any()
  assert json.loads((tmp_path / 'history.json').read_text()) == numbers
  of_name = {network['name']: network for network in numbers['networks']}
  assert of_name['VGG-16']['run']['workdir'] == workdir
  assert of_name['AlexNet']['run'] is None
  assert numbers['winners'][2]['top5_error'] == 15.3
  out = capsys.readouterr().out
  assert '45.0 / 20.0 (tiny, 72 pixels' in out and 'not run' in out


def test_it_needs_no_runs(tmp_path):
  numbers = history.history(str(tmp_path / 'none'), str(tmp_path / 'a.svg'))
  assert not any(network['run'] for network in numbers['networks'])
  text = (tmp_path / 'a.svg').read_text()
  for word in ('Trimps-Soushen 2016', 'one person 5.1', 'LeNet-5', 'not run',
               '18.20'):
    assert word in text, word


def test_a_bad_name_of_the_picture_is_refused(tmp_path):
  with pytest.raises(InputError, match='--out=a.txt is no picture'):
    history.history(str(tmp_path), 'a.txt')
