"""The tables of what a network mixes up, for any names and any classes."""

import csv
import json

import numpy as np
import pytest

from alexnet_jax.analysis import confusion_files
from alexnet_jax.analysis.answers import Answers

CLASSES = ('esc\x1b[2J', 'a,"b"', 'new\nline', '<script>', 'caf\udcff')


def answers_of(class_names, labels, predicted):
  labels, predicted = np.int32(labels), np.int32(predicted)
  half = np.full(len(labels), 0.5, np.float32)
  wrong = np.float32(labels != predicted)
  return Answers(
      tuple(class_names), 10, {'loss': 2.0, 'top1_error': float(wrong.mean()),
                               'top5_error': 0.0},
      labels, predicted, labels, half, half, half, wrong, 0 * wrong)


def read(path):
  with open(path, encoding='utf-8', newline='') as file:
    return [*csv.reader(file)]


@pytest.fixture(scope='module')
def written(tmp_path_factory):
  """The folder of five classes with odd names, one of them without images."""
  folder = tmp_path_factory.mktemp('confusion') / 'out'
  answers = answers_of(CLASSES, [0, 0, 0, 0, 1, 2, 3], [0, 1, 1, 3, 1, 2, 2])
  confusion_files.write(
      answers, [], [], {'step': 6}, str(folder), [*'vwxyz'])
  return folder


def test_the_table_of_classes_has_counts_errors_and_intervals(written):
  head, *rows = read(written / 'per_class.csv')
  rows = [dict(zip(head, row, strict=True)) for row in rows]
  assert rows[0] == {
      'class': r'esc\x1b[2J', 'words': 'v', 'images': '4', 'predicted': '1',
      'errors': '3', 'top1_error': '0.7500', 'top1_low': '0.3006',
      'top1_high': '0.9544', 'top5_error': '0.0000'}
  assert [row['class'] for row in rows[1:]] == [
      'a,"b"', r'new\x0aline', '<script>', r'caf\xff']
  assert rows[4] | {'class': ''} == {
      'class': '', 'words': 'z', 'images': '0', 'predicted': '0',
      'errors': '0', 'top1_error': '', 'top1_low': '', 'top1_high': '',
      'top5_error': ''}


def test_the_matrix_has_a_row_and_a_column_for_each_class(written):
  head, *rows = read(written / 'confusion.csv')
  assert head[1:] == [row[0] for row in rows]
  assert [[*map(int, row[1:])] for row in rows] == [
      [1, 2, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 1, 0, 0],
      [0, 0, 0, 0, 0]]


def test_no_table_has_what_a_terminal_would_obey(written):
  for name in ('per_class.csv', 'confusion.csv', 'summary.json'):
    text = (written / name).read_text('utf-8')
    assert '\x1b' not in text and '\r' not in text


def test_the_summary_has_the_names_as_they_are(written):
  held = json.loads((written / 'summary.json').read_text('utf-8'))
  assert held['classes_without_images'] == [CLASSES[4]]
  assert held['most_confused'][0] == {
      'true': CLASSES[0], 'predicted': CLASSES[1], 'images': 2, 'of': 4}
  assert (held['step'], held['images'], held['crops']) == (6, 7, 10)
  assert held['top1_error'] == pytest.approx(4 / 7)
  assert held['expected_calibration_error'] == pytest.approx(0.5 - 3 / 7)
  assert sum(one['images'] for one in held['calibration']) == 7


def test_of_very_many_classes_only_the_pairs_that_occur_are_listed(tmp_path):
  names = [f'n{i}' for i in range(20_000)]
  confusion_files.write(
      answers_of(names, [0, 19_999, 19_999], [7, 19_999, 19_999]), [], [], {},
      str(tmp_path))
  assert read(tmp_path / 'confusion.csv') == [
      ['true', 'predicted', 'images'], ['n0', 'n7', '1'],
      ['n19999', 'n19999', '2']]
  assert len(read(tmp_path / 'per_class.csv')) == 20_001
