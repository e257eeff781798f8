"""Runs as their workdirs tell them, and means over seeds."""

import pytest
import workdirs

from alexnet_jax.results import runs
from alexnet_jax.results.runs import Estimate

SMALL = 'ablations.py:no_norm,small'


def test_a_standard_error_divides_by_one_less_than_the_number_of_seeds():
  # Deviations -2, -1, 3: their squares are 14, over 2 and then over 3.
  assert runs.estimate([1, 2, 6]) == (
      3, pytest.approx((14 / 6) ** 0.5))
  assert runs.estimate([4.0]) == Estimate(4.0, None)


@pytest.mark.parametrize('value, sign, text', [
    (Estimate(40.7, 0.125), False, '40.70 +- 0.12'),
    (Estimate(1.5, None), True, '+1.50'),
    (Estimate(-1.5, None), True, '-1.50'),
    (None, True, ''),
])
def test_an_estimate_as_text(value, sign, text):
  assert runs.as_text(value, sign) == text


@pytest.mark.parametrize('values, test, text', [
    ([2.0, 0.5], (2, 2, 0.5), '2 of 2 (p = 0.50)'),
    ([1, -1, 3], (2, 3, 1.0), '2 of 3 (p = 1.00)'),
    ([-1, -2, -3, -4, 5], (1, 5, 0.375), '1 of 5 (p = 0.38)'),
    ([1, 0, 2, 3, 4], (4, 4, 0.125), '4 of 4 (p = 0.12)'),
    ([3.0], (1, 1, 1.0), '1 of 1'),
    ([0.0], (0, 0, 1.0), '0 of 0'),
])
def test_a_sign_test_counts_what_is_not_zero(values, test, text):
  assert runs.sign_test(values) == test
  assert runs.sign_as_text(runs.SignTest(*test)) == text


def test_a_run_is_read_from_its_workdir(tmp_path):
  workdirs.write(tmp_path, SMALL, 7, 0.4)
  run, = workdirs.read(tmp_path)
  assert (run.name, run.form, run.seed, run.steps) == (
      'ablations/no_norm', 'small', 7, 100)
  assert run.minutes == pytest.approx(1)
  assert run.data == 'tiny, 72 pixels'
  assert run.errors['ten_crop_top1_error'] == 0.4
  assert runs.crops([run]) == ['one', 'ten']


def test_an_ablation_that_was_a_file_gets_the_present_command(tmp_path):
  workdirs.write(tmp_path, 'ablations/no_norm.py:small', 7, 0.4)
  run, = workdirs.read(tmp_path)
  assert (run.name, run.form) == ('ablations/no_norm', 'small')
  assert run.command == (
      f'python launch.py --config=configs/{SMALL} --config.seed=7')


def test_a_run_that_is_not_finished_is_none(tmp_path):
  workdir = workdirs.write(tmp_path, SMALL, 0, 0.4, finished=False)
  assert runs.read(workdir) is None
  assert runs.read(str(tmp_path)) is None
  assert runs.workdirs(str(tmp_path)) == [workdir]


@pytest.mark.parametrize('data, words', [
    ({'path': '/other/place/tiny/'}, 'tiny, 72 pixels'),
    ({'train_examples': 10, 'validation_examples': 5},
     'tiny, 72 pixels, 10 trained on, 5 tested on'),
    ({'name': 'procedural', 'image_size': 64}, 'procedural, 64 pixels'),
    ({'name': 'folder'}, 'tiny, 72 pixels, 0.1 for validation without val/'),
])
def test_data_are_named_by_their_examples(tmp_path, data, words):
  workdirs.write(tmp_path, 'a.py', 0, 0.5, **data)
  run, = workdirs.read(tmp_path)
  assert run.data == words


def test_minutes_leave_out_a_first_step_without_a_speed():
  lines = [{'kind': 'train', 'step': 1},
           {'kind': 'train', 'step': 11, 'images_per_second': 2.0},
           {'kind': 'validation', 'step': 11},
           {'kind': 'train', 'step': 31, 'images_per_second': 4.0}]
  assert runs.minutes(lines, 12) == pytest.approx((60 + 60) / 60)
