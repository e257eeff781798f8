"""What a run tells, and that a resumed run tells nothing twice."""

import json
import math
import os
import resource
import shutil
import signal
import subprocess
import sys

import pytest
from tensorboard.backend.event_processing.event_accumulator import (
  EventAccumulator,
)

from alexnet_jax import files
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
      journal.train(step, MEANS | {'loss': start + step}, {})
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
  journal.train(2, MEANS, {})
  assert written.final_line(str(tmp_path)) is None
  journal.final(2, {'one_crop_loss': 1.5})
  journal.close()
  assert written.final_line(str(tmp_path)) == {
      'step': 2, 'kind': 'final', 'one_crop_loss': 1.5}
  assert [line['kind'] for line in written.read(str(tmp_path))] == [
      'train', 'final']
  assert (tmp_path / 'command.txt').read_text() == (
      'python launch.py --config=a\n')


@pytest.mark.parametrize('file', ['events', 'metrics.jsonl'])
def test_an_error_in_a_write_or_at_the_end_names_the_file(
    file, tmp_path, monkeypatch):
  journal = Journal(str(tmp_path), CONFIG, 0, 2)
  if file != 'events':  # which are written first
    monkeypatch.setattr(journal._events, 'scalars', lambda *_: None)
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (8, limits[1]))
  try:
    for write in (lambda: journal.final(2, MEANS), journal.close):
      with pytest.raises(OSError) as error:
        write()
      assert files.sentence_of(error.value).startswith(
          f'{tmp_path / file}: the file would be larger')
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_nothing_was_written_where_nothing_ran(tmp_path):
  assert written.read(str(tmp_path)) == []
  assert written.final_line(str(tmp_path)) is None


def test_a_new_run_starts_from_an_empty_sheet(write, tmp_path):
  write(0, (1, 2))
  write(0, (1,))
  assert lines(tmp_path) == [(1, 1)]


def test_events_after_the_step_that_was_saved_are_forgotten(write, tmp_path):
  write(0, range(1, 8))
  write(4, range(5, 7))  # in the same second
  events = EventAccumulator(os.path.join(tmp_path, 'events/train')).Reload()
  assert [(event.step, event.value) for event in events.Scalars(
      'loss')] == [(1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (6, 10)]


KILLED = '''
import os, signal, sys
from alexnet_jax.run.journal import Journal
journal = Journal(sys.argv[1], {'optimizer': {'batch_size': 8}}, 0, 100)
for step in range(1, 40):
  journal.tick()
  journal.validation(step, {'loss': float(step), 'top1_error': 0.5})
os.kill(os.getpid(), signal.SIGKILL)
'''


def test_every_line_has_its_events_even_after_a_kill(tmp_path):
  process = subprocess.run([sys.executable, '-c', KILLED, str(tmp_path)],
                           capture_output=True)
  assert process.returncode == -signal.SIGKILL
  assert lines(tmp_path)[-1] == (39, 39)
  events = EventAccumulator(
      os.path.join(tmp_path, 'events/validation')).Reload()
  for name in ('loss', 'top1_error'):
    assert [event.step for event in events.Scalars(name)] == list(range(1, 40))


# --- Files that something else has changed ------------------------------------

ODD_LINES = {
    'half': b'{"step": 3, "kind": "tra',
    'half of a letter': '{"step": 3, "kind": "é'.encode()[:-1],
    'zeros': bytes(4096),
    'binary': bytes(range(255)).replace(b'\n', b''),
    'empty': b'  ',
    'no object': b'[1, 2]',
    'a number': b'7',
    'no step': b'{"kind": "train", "loss": 1.0}',
    'no kind': b'{"step": 1, "loss": 1.0}',
    'step that is none': b'{"step": "1", "kind": "train", "loss": 1.0}',
    'step that is true': b'{"step": true, "kind": "train", "loss": 1.0}',
    'kind that is none': b'{"step": 1, "kind": null, "loss": 1.0}',
    'deep': b'[' * 10 ** 5,
    'huge': b'{"step": ' + b'9' * 10 ** 5 + b', "kind": "train"}',
    'long': b'{"step": 1, "kind": ' + b' ' * 10 ** 6 + b'1}',
}


@pytest.mark.parametrize('odd', ODD_LINES.values(), ids=ODD_LINES)
@pytest.mark.parametrize('end', [b'', b'\n'], ids=['open', 'ended'])
def test_an_odd_line_stops_nothing(write, tmp_path, odd, end):
  write(0, (1, 2))
  path = tmp_path / 'metrics.jsonl'
  good = path.read_bytes()
  path.write_bytes(odd + b'\n' + good + odd + end)
  assert [(line['step'], line['loss']) for line in written.read(
      str(tmp_path))] == [(1, 1), (2, 2)]
  assert written.final_line(str(tmp_path)) is None
  write(2, (3,))
  assert lines(tmp_path) == [(1, 1), (2, 2), (3, 5)]
  assert path.read_bytes().startswith(good)


def test_the_last_line_may_lack_its_end(write, tmp_path):
  write(0, (1, 2))
  path = tmp_path / 'metrics.jsonl'
  path.write_bytes(path.read_bytes().rstrip())
  write(2, (3,))
  assert lines(tmp_path) == [(1, 1), (2, 2), (3, 5)]


def test_values_that_are_no_numbers_are_left_out(tmp_path):
  (tmp_path / 'metrics.jsonl').write_text(
      '{"step": 1, "kind": "train", "loss": "high", "top1_error": [1]}\n'
      '{"step": 2, "kind": "train", "loss": NaN, "top1_error": null}\n'
      '{"step": 3, "kind": "train", "loss": 1' + '0' * 400 + '}\n')
  first, second, third = written.read(str(tmp_path))
  assert first == {'step': 1, 'kind': 'train'}
  assert math.isnan(second['loss']) and math.isnan(second['top1_error'])
  assert third['loss'] == math.inf


def test_numbers_that_are_not_finite_are_written_as_null(tmp_path):
  journal = Journal(str(tmp_path), CONFIG, 0, 100)
  journal.validation(1, {'loss': math.nan, 'top1_error': math.inf})
  journal.close()
  line, = (tmp_path / 'metrics.jsonl').read_text().splitlines()
  assert json.loads(line, parse_constant=pytest.fail) == {
      'step': 1, 'kind': 'validation', 'loss': None, 'top1_error': None}
  assert math.isnan(written.read(str(tmp_path))[0]['loss'])


@pytest.mark.parametrize('content', [
    b'', b'{"seed": ', b'\0\xff', b'[]', b'7', b'[' * 10 ** 5])
def test_a_damaged_config_or_command_reads_as_none(write, tmp_path, content):
  write(0, (1,))
  for name in ('config.json', 'command.txt'):
    (tmp_path / name).write_bytes(content)
  assert written.read_config(str(tmp_path)) is None
  assert isinstance(written.read_command(str(tmp_path)), str)
  write(1, (2,))  # and is written again
  assert written.read_config(str(tmp_path)) == CONFIG


def test_a_workdir_that_was_removed_is_not_written_in_silence(tmp_path):
  workdir = tmp_path / 'run'
  journal = Journal(str(workdir), CONFIG, 0, 100)
  shutil.rmtree(workdir)
  with pytest.raises(OSError) as error:
    journal.train(1, MEANS, {})
  assert f'{workdir}/metrics.jsonl: it does not exist' in files.sentence_of(
      error.value)
  journal.close()


def test_speed_counts_the_images_since_the_last_line(
    tmp_path, monkeypatch):
  clock = iter([0.0, 2.0, 100.0, 101.0])
  monkeypatch.setattr('time.perf_counter', lambda: next(clock))
  journal = Journal(str(tmp_path), CONFIG, 0, 100)  # at 0
  journal.train(5, MEANS, {})  # at 2
  journal.validation(5, MEANS)  # until 100: not training
  journal.train(10, MEANS, {})  # at 101
  monkeypatch.undo()
  journal.close()
  with open(tmp_path / 'metrics.jsonl', encoding='utf-8') as file:
    speeds = [json.loads(line).get('images_per_second') for line in file]
  assert speeds == [20, None, 40]


def test_without_a_terminal_there_are_plain_lines(tmp_path, capsys):
  journal = Journal(str(tmp_path), CONFIG, 0, 100)
  journal.train(5, MEANS, {})
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
