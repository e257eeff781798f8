"""What a run says it was waiting for."""

import time

import pytest
import tiny

from alexnet_jax.run import experiment, loop, training, typed_config


@pytest.fixture
def clock(monkeypatch):
  """A clock that a test moves."""
  now = [0.0]
  monkeypatch.setattr(time, 'perf_counter', lambda: now[0])

  def step(waited, data, device):
    waited.before_batch()
    now[0] += data
    waited.after_batch()
    now[0] += device
    waited.after_step()

  return step


def test_data_and_device_are_told_apart_without_the_first_step(clock):
  waited = loop.WaitTimer()
  clock(waited, 50, 70)  # compiles
  clock(waited, 0.01, 1)
  clock(waited, 0.03, 3)
  assert waited.summary() == (
      '2 steps took 4.0 s: 0.0 s (1.0%) waiting for data, 4.0 s for the'
      ' device.')


def test_a_run_that_waits_for_data_is_told_what_helps(clock):
  waited = loop.WaitTimer()
  clock(waited, 1, 1)
  clock(waited, 60, 20)
  assert '60.0 s (75.0%) waiting for data' in waited.summary()
  for cure in ('threads', 'workers', '--config.run.hold_data'):
    assert cure in waited.summary()


def test_a_run_that_holds_its_data_is_told_no_cure(clock):
  waited = loop.WaitTimer()
  clock(waited, 1, 1)
  clock(waited, 60, 20)
  assert waited.summary(on_device=True).endswith('20.0 s for the device.')


def test_every_run_says_it_at_its_end(tmp_path, capsys):
  training.train(
      typed_config.read(tiny.config({'run.steps': 3})), str(tmp_path))
  said = [line for line in capsys.readouterr().err.splitlines()
          if 'waiting for data' in line]
  assert len(said) == 1 and said[0].startswith('2 steps took')


def test_a_short_run_gets_no_advice(clock):
  waited = loop.WaitTimer()
  clock(waited, 1, 1)
  clock(waited, 30, 10)
  assert '--config' not in waited.summary()


def test_a_slow_source_is_seen(tmp_path, capsys, monkeypatch):
  quick = experiment.Experiment.device_batches

  def slow(*arguments):
    for batch in quick(*arguments):
      time.sleep(0.3)
      yield batch

  monkeypatch.setattr(loop, 'SLOW_DATA_SECONDS', 0.5)
  monkeypatch.setattr(experiment.Experiment, 'device_batches', slow)
  training.train(typed_config.read(tiny.config(
      {'run.steps': 4, 'run.hold_data': False})), str(tmp_path))
  assert '--config.run.hold_data' in capsys.readouterr().err
