"""Benchmarks that start processes leave none behind."""

import os
import signal
import subprocess
import sys

import pytest

from benchmarks import first_step, processes


@pytest.fixture
def started(monkeypatch):
  """Starts Python programs in place of launch.py; a list of the processes."""
  ours, popen, programs = [], subprocess.Popen, []

  def start(command, **more):
    program = programs.pop(0)
    ours.append(popen([sys.executable, '-c', program], **more))
    return ours[-1]

  def instead(*texts):
    programs[:] = texts
    return ours

  monkeypatch.setattr(subprocess, 'Popen', start)
  yield instead
  for process in ours:
    process.kill()
    process.wait()


def test_a_process_that_fails_ends_the_others(started, tmp_path):
  ours = started('raise SystemExit(3)', 'import time; time.sleep(60)')
  with pytest.raises(subprocess.CalledProcessError):
    processes.run(processes.Start(2, 2), str(tmp_path), 4)
  assert [process.returncode for process in ours] == [3, -signal.SIGKILL]


def test_a_process_that_cannot_start_ends_the_others(started, tmp_path):
  ours = started('import time; time.sleep(60)')
  with pytest.raises(IndexError):  # there is no second program
    processes.run(processes.Start(2, 2), str(tmp_path), 4)
  assert [process.returncode for process in ours] == [-signal.SIGKILL]


def test_an_interrupt_before_the_first_step_ends_the_run(
    started, tmp_path):

  def interrupt(number, frame):
    raise KeyboardInterrupt

  before = signal.signal(signal.SIGUSR1, interrupt)
  ours = started(f'import os, time; os.kill({os.getpid()},'
                 f' {int(signal.SIGUSR1)}); time.sleep(60)')
  try:
    with pytest.raises(KeyboardInterrupt):
      first_step.start('configs/quickstart.py', str(tmp_path))
  finally:
    signal.signal(signal.SIGUSR1, before)
  assert ours[0].returncode == -signal.SIGKILL
