"""Two runs at once, full disks, folders that go away: one sentence each."""

import os
import shutil
import subprocess
import sys

import numpy as np
import program
import pytest
import tiny

from alexnet_jax import files
from alexnet_jax.errors import InputError
from alexnet_jax.run import session, training, typed_config
from alexnet_jax.run import trained as networks

ENDLESS = {'run.steps': 10**6, 'run.evaluate_every': 10**6,
           'run.save_every': 10**6, 'run.log_every': 20}


def lines(workdir):
  path = os.path.join(workdir, 'metrics.jsonl')
  return len(tiny.metrics(workdir)) if os.path.exists(path) else 0


@pytest.fixture
def small_disk(tmp_path):
  """A function: bytes -> a file system of that size, at one place."""
  place = tmp_path / 'disk'
  place.mkdir()

  def mount(*options):
    done = subprocess.run(['mount', '-t', 'tmpfs', '-o', ','.join(options),
                           'tmpfs', str(place)], capture_output=True)
    if done.returncode:
      pytest.skip('only root can mount a small disk')
    return place

  yield mount
  # Lazily, since a writer of the run may still have a file open.
  subprocess.run(['umount', '--lazy', str(place)], capture_output=True)


HOLD = '''
import sys
from alexnet_jax import files
with files.hold(sys.argv[1], 'a training run'):
  print('held', flush=True)
  sys.stdin.read()
'''


def test_a_run_is_refused_where_another_process_writes(trained, tmp_path):
  shutil.copytree(trained[1], tmp_path / 'run')
  workdir = str(tmp_path / 'run')
  before = {path: path.read_bytes() for path in (tmp_path / 'run').rglob('*')
            if path.is_file()}
  with subprocess.Popen([sys.executable, '-c', HOLD, workdir], text=True,
                        stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
    first.stdout.readline()
    with pytest.raises(InputError, match=f'in use by process {first.pid} on'):
      training.train(typed_config.read(trained[0]), workdir)
    assert {path: path.read_bytes() for path in before} == before
    assert networks.open_trained(workdir).step == 6  # readers do not mind
    first.stdin.close()


@pytest.mark.slow
def test_a_second_run_is_refused_and_a_removed_workdir_is_said(
    compiled, tmp_path):
  workdir = str(tmp_path / 'run')
  arguments = [*tiny.flags(ENDLESS), f'--workdir={workdir}']
  first = program.start(arguments, compiled)
  program.wait_for(lambda: lines(workdir) > 1, first)
  (code, out, err), = program.launch_many([arguments], compiled)
  assert code == 2 and not out, err
  assert err == (
      f'launch.py: {workdir} is in use by process {first.pid} on'
      f' {os.uname().nodename} (a training run): wait for its end, stop it, or'
      ' give another --workdir.\n')
  before = lines(workdir)
  program.wait_for(lambda: lines(workdir) > before, first)  # undisturbed

  shutil.rmtree(workdir)
  code, _, err = program.finish(first)
  assert code == 2 and 'Traceback' not in err, err
  assert err.splitlines()[-1].startswith(f'launch.py: {workdir}'), err
  assert 'it does not exist, or was removed' in err.splitlines()[-1]


def test_a_full_disk_ends_a_run_in_one_sentence(small_disk, capfd):
  workdir = str(small_disk('size=320k') / 'run')
  with pytest.raises((OSError, ValueError)) as error:
    training.train(typed_config.read(tiny.config()), workdir)
  assert files.sentence_of(error.value) == (
      f'{workdir}/checkpoints: the disk is full: free some space, then run the'
      ' same command again; what was saved before is kept.')
  err = capfd.readouterr().err
  assert f'The disk of {workdir} has ' in err and 'config.run.keep' in err
  assert 'Event loop is closed' not in err
  saved = tiny.steps(workdir)
  assert sorted(os.listdir(os.path.join(workdir, 'checkpoints'))) == list(
      map(str, saved))  # and nothing of the one that did not fit
  assert networks.open_trained(workdir).step == saved[-1]


@pytest.mark.slow
def test_a_run_on_a_full_disk_keeps_its_checkpoint_and_goes_on_later(
    trained, compiled, small_disk):
  disk = small_disk('size=320k')
  workdir = str(disk / 'run')
  arguments = [*tiny.flags(), f'--workdir={workdir}']
  (code, _, err), = program.launch_many([arguments], compiled)
  assert code == 2 and 'Traceback' not in err, err
  assert f'The disk of {workdir} has ' in err and 'config.run.keep' in err
  last = err.splitlines()[-1]
  assert last.startswith(f'launch.py: {workdir}/'), last
  assert 'the disk is full: free some space' in last
  saved = tiny.steps(workdir)
  assert sorted(os.listdir(os.path.join(workdir, 'checkpoints'))) == [
      str(step) for step in saved] and saved[-1] < 6
  assert not list(disk.rglob('*.part'))
  small_disk('remount', 'ro')
  results = program.launch_many([
      arguments, [*tiny.flags(), f'--workdir={disk}/new'],
      ['--task=export', f'--workdir={workdir}'],
      ['--task=evaluate', f'--workdir={workdir}']], compiled)
  for code, out, err in results[:3]:
    assert code == 2 and not out and err.count('\n') == 1, err
    assert f'launch.py: {disk}/' in err and 'read-only' in err
  assert results[3][0] == 0, results[3][2]
  small_disk('remount', 'rw', 'size=4m')
  (code, _, err), = program.launch_many([arguments], compiled)
  assert code == 0 and f'Going on from step {saved[-1]}' in err, err
  assert [(line['kind'], line['step']) for line in tiny.metrics(workdir)] == [
      (line['kind'], line['step']) for line in tiny.metrics(trained[1])]
  np.testing.assert_allclose(
      tiny.losses(workdir), tiny.losses(trained[1]), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('step', [2, 4])
def test_a_workdir_that_goes_away_ends_the_run(tmp_path, monkeypatch, step):
  workdir = tmp_path / 'run'
  tick, seen = session.Journal.tick, []

  def removing(self):
    tick(self)
    seen.append(self)
    if len(seen) == step:
      workdir.rename(tmp_path / 'elsewhere')

  monkeypatch.setattr(session.Journal, 'tick', removing)
  with pytest.raises((OSError, ValueError)) as error:
    training.train(typed_config.read(tiny.config()), str(workdir))
  assert str(workdir) in files.sentence_of(error.value)
  assert len(seen) <= step + 1
