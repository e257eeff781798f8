"""What a run tells, and that a resumed run tells nothing twice."""

import json
import os
import time

import pytest
from tensorboard.backend.event_processing.event_accumulator import (
    EventAccumulator,
)

from alexnet_jax.run import journal as written
from alexnet_jax.run.journal import Journal

CONFIG = {'optimizer': {'batch_size': 8}}
MEANS = {'loss': 2.5, 'top1_error': 0.75}


@pytest.fixture
def write(tmp_path):
  """A function that writes the losses of some steps after `start`."""

  def write(start, steps):
    journal = Journal(str(tmp_path), CONFIG, start, 100)
    for step in steps:
      journal.tick()
      journal.train(step, MEANS | {'loss': start + step})
    journal.close()

  return write


def lines(folder):
  with open(folder / 'metrics.jsonl', encoding='utf-8') as file:
    return [(line['step'], line.get('loss')) for line in map(json.loads, file)]


def test_lines_after_the_step_that_was_saved_are_forgotten(write, tmp_path):
  write(0, range(1, 8))
  write(4, range(5, 7))
  assert lines(tmp_path) == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (6, 10)]


def test_a_line_that_was_half_written_is_forgotten(write, tmp_path):
  write(0, (1, 2))
  with open(tmp_path / 'metrics.jsonl', 'a', encoding='utf-8') as file:
    file.write('{"step": 3, "kind": "tra')
  write(2, (3,))
  assert lines(tmp_path) == [(1, 1), (2, 2), (3, 5)]


def test_a_run_has_finished_once_it_was_tested(tmp_path):
  journal = Journal(str(tmp_path), CONFIG, 0, 2, 'python launch.py --config=a')
  journal.train(2, MEANS)
  assert written.final_line(str(tmp_path)) is None
  journal.final(2, {'one_crop_loss': 1.5})
  journal.close()
  assert written.final_line(str(tmp_path)) == {
      'step': 2, 'kind': 'final', 'one_crop_loss': 1.5}
  assert [line['kind'] for line in written.read(str(tmp_path))] == [
      'train', 'final']
  assert (tmp_path / 'command.txt').read_text() == (
      'python launch.py --config=a\n')


def test_nothing_was_written_where_nothing_ran(tmp_path):
  assert written.read(str(tmp_path)) == []
  assert written.final_line(str(tmp_path)) is None


def test_a_new_run_starts_from_an_empty_sheet(write, tmp_path):
  write(0, (1, 2))
  write(0, (1,))
  assert lines(tmp_path) == [(1, 1)]


def test_events_after_the_step_that_was_saved_are_forgotten(write, tmp_path):
  write(0, range(1, 8))
  time.sleep(1.1)  # tensorboardX calls its files by the second
  write(4, range(5, 7))
  events = EventAccumulator(os.path.join(tmp_path, 'events')).Reload()
  assert [(event.step, event.value) for event in events.Scalars(
      'train/loss')] == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (6, 10)]


def test_speed_counts_the_images_since_the_last_line(
    tmp_path, monkeypatch):
  clock = iter([0.0, 2.0, 100.0, 101.0])
  monkeypatch.setattr('time.perf_counter', lambda: next(clock))
  journal = Journal(str(tmp_path), CONFIG, 0, 100)  # at 0
  journal.train(5, MEANS)  # at 2
  journal.validation(5, MEANS)  # until 100: not training
  journal.train(10, MEANS)  # at 101
  monkeypatch.undo()
  journal.close()
  with open(tmp_path / 'metrics.jsonl', encoding='utf-8') as file:
    speeds = [json.loads(line).get('images_per_second') for line in file]
  assert speeds == [20, None, 40]


def test_without_a_terminal_there_are_plain_lines(tmp_path, capsys):
  journal = Journal(str(tmp_path), CONFIG, 0, 100)
  journal.train(5, MEANS)
  journal.validation(5, MEANS)
  journal.close()
  out, err = capsys.readouterr()
  assert not out
  first, second = err.splitlines()
  for part in ('step 5/100', 'loss 2.5000', 'top-1 error 75.0 %', 'images/s',
               ' left'):
    assert part in first
  assert second == (
      'step 5: validation loss 2.5000, top-1 error 75.0 %')
