"""Several processes with a device each are one process with several."""

import dataclasses
import json
import os
import re
import signal
import socket
import subprocess
import sys

import cv2
import jax
import numpy as np
import program
import pytest
import tiny

from alexnet_jax.errors import InputError
from alexnet_jax.network import placement
from alexnet_jax.run import processes

LOST = (r'launch.py: (process \d|another process) of this run has ended or does'
        ' not answer: start all processes again with the same commands; the run'
        ' goes on from its last checkpoint.')


def free_port():
  with socket.socket() as free:
    free.bind(('localhost', 0))
    return free.getsockname()[1]


def start(count, arguments, compiled, others=()):
  port = free_port()
  return [program.start(
      [*arguments, f'--coordinator=localhost:{port}',
       f'--num_processes={count}', f'--process={i}', *(others if i else ())],
      compiled) for i in range(count)]


def start_two(arguments, compiled, second=()):
  return start(2, arguments, compiled, second)


def start_two_by_slurm(arguments, compiled, monkeypatch):
  """As `srun` would, which tells each process its number."""
  for name, value in (('JOB_ID', os.getpid()), ('STEP_NODELIST', 'localhost'),
                      ('NTASKS', 2)):
    monkeypatch.setenv(f'SLURM_{name}', str(value))
  started = []
  for i in range(2):
    monkeypatch.setenv('SLURM_PROCID', str(i))
    monkeypatch.setenv('SLURM_LOCALID', str(i))
    started.append(program.start([*arguments, '--distributed'], compiled))
  return started


def write_photos(folder, seed):
  """Photographs of two classes, of other colors for another seed."""
  tiny.write_photos(folder)
  draw = np.random.default_rng(seed)
  for file in folder.rglob('*.png'):
    cv2.imwrite(str(file), draw.integers(0, 256, (80, 80, 3), np.uint8))


def is_training(workdir, lines=2):
  return lambda: ((workdir / 'metrics.jsonl').exists()
                  and len(tiny.metrics(workdir)) >= lines)


def assert_all_end_well(started):
  for process in started:
    code, out, err = program.finish(process)
    assert code == 0 and 'Gloo' not in out + err, err


def assert_same_run(ours, theirs, config):
  """Two workdirs differ by rounding alone."""
  np.testing.assert_allclose(tiny.losses(ours), tiny.losses(theirs), rtol=1e-4)
  assert [(line['kind'], line['step']) for line in tiny.metrics(ours)] == [
      (line['kind'], line['step']) for line in tiny.metrics(theirs)]
  for a, b in zip(*(tiny.metrics(folder, 'validation', 'test')
                    for folder in (ours, theirs)), strict=True):
    assert a == pytest.approx(b, abs=1e-4)
  tiny.assert_close(tiny.state(config, str(ours)), tiny.state(config, theirs))


def written_by(process, workdir):
  """Bytes of the arrays in the last checkpoint that a process has written."""
  folder = workdir / f'checkpoints/6/state/ocdbt.process_{process}'
  return sum(file.stat().st_size for file in folder.rglob('*')
             if file.is_file())


@pytest.mark.slow
def test_two_processes_under_slurm_are_one_and_write_half_each(
    trained, compiled, tmp_path, monkeypatch):
  config, workdir, _ = trained
  assert_all_end_well(start_two_by_slurm(
      [*tiny.flags({'mesh.data': 2}), f'--workdir={tmp_path}'], compiled,
      monkeypatch))
  assert_same_run(tmp_path, workdir, config)
  first, second = (written_by(i, tmp_path) for i in range(2))
  assert 0.5 < first / second < 2


@pytest.mark.slow
@pytest.mark.parametrize('data, column', [(1, 2), (4, 1), (2, 2)])
def test_two_and_four_processes_are_one(
    trained, compiled, tmp_path, data, column):
  config, workdir, _ = trained
  fields = {'mesh.data': data, 'mesh.column': column}
  assert_all_end_well(start(
      data * column, [*tiny.flags(fields), f'--workdir={tmp_path}'], compiled))
  assert_same_run(tmp_path, workdir, config)
  for process in range(data * column):
    assert written_by(process, tmp_path) > 0


@pytest.mark.slow
def test_two_processes_stop_at_the_same_step_and_go_on(
    trained, compiled, tmp_path):
  fields = {'mesh.data': 2, 'run.steps': 10**6, 'run.save_every': 10**6,
            'run.evaluate_every': 10**6}
  arguments = [*tiny.flags(fields), f'--workdir={tmp_path}']
  two = start_two(arguments, compiled)
  program.wait_for(is_training(tmp_path), two[0])
  two[1].send_signal(signal.SIGTERM)  # one of them is enough
  for process in two:
    code, _, err = program.finish(process)
    assert code == 0, err
  last = tiny.metrics(tmp_path)[-1]['step']
  assert tiny.steps(tmp_path) == [last]

  # On one process, a little longer.
  program.launch([*arguments, f'--config.run.steps={last + 2}'], compiled,
                 devices=2)
  steps = [line['step'] for line in tiny.metrics(tmp_path, 'train')]
  assert steps == list(range(1, last + 3))


@pytest.mark.slow
def test_two_processes_write_once_what_is_mixed_up(
    trained, compiled, tmp_path):
  workdir, errors = trained[1:]
  two = start_two(
      ['--task=evaluate', f'--workdir={workdir}', '--config.mesh.data=2',
       '--confusion', f'--out={tmp_path}/out'], compiled)
  said = []
  for process in two:
    code, out, err = program.finish(process)
    assert code == 0, err
    said.append('shows what is mixed up' in err)
    last = json.loads(out.splitlines()[-1])
    assert last == pytest.approx({'step': 6, 'images': 24, **errors}, abs=1e-4)
  assert said == [True, False]
  held = json.loads((tmp_path / 'out/summary.json').read_text('utf-8'))
  assert held['images'] == 24 and len(held['uncertain']) == 24
  assert len(os.listdir(tmp_path / 'out')) == 7


# --- Meshes of several processes ----------------------------------------------


@dataclasses.dataclass(frozen=True)
class Device:
  """What a mesh knows of the place of a device."""

  process_index: int
  id: int
  platform: str = 'cpu'
  device_kind: str = 'cpu'


@pytest.mark.parametrize('count, each, data, column, sentence', [
    (2, 1, 1, 1, 'config.mesh.data=1 times config.mesh.column=1 takes 1 of the'
     ' devices of process 0 and 0 of those of process 1: give a mesh of all 2'
     ' devices (config.mesh.data=2), or start fewer processes.'),
    (4, 4, 5, 2, 'takes 4 of the devices of process 0 and 2 of those of process'
     ' 2: give a mesh of all 16 devices (config.mesh.data=8), or'),
    (3, 1, 1, 2, 'of process 2: give a mesh of all 3 devices, or start'),
    (2, 3, 3, 2, 'config.mesh.column=2 does not fit processes with 3 devices'
     ' each: give a divisor or a multiple')])
def test_meshes_that_give_processes_unlike_parts_are_refused(
    count, each, data, column, sentence, monkeypatch):
  devices = [Device(p, i) for p in range(count) for i in range(each)]
  monkeypatch.setattr(jax, 'devices', lambda: devices)
  monkeypatch.setattr(jax, 'process_count', lambda: count)
  with pytest.raises(InputError, match=re.escape(sentence)):
    processes.check_mesh(placement.make_mesh(data, column, 2))


@pytest.mark.parametrize('variables, devices', [
    ({}, [1]),
    ({'CUDA_VISIBLE_DEVICES': '0,1,2,3'}, [1]),
    ({'CUDA_VISIBLE_DEVICES': '0'}, None),  # srun --gpus-per-task=1
    ({'SLURM_STEP_TASKS_PER_NODE': '2(x4),1'}, [1]),
    ({'SLURM_STEP_TASKS_PER_NODE': '1(x8)'}, None)], ids=str)
def test_a_process_takes_its_device_of_several_or_all_that_are_its_own(
    variables, devices, monkeypatch):
  step = {'JOB_ID': 4096, 'STEP_NODELIST': 'node[07-08]', 'NTASKS': 8,
          'PROCID': 5, 'LOCALID': 1}
  monkeypatch.delenv('CUDA_VISIBLE_DEVICES', raising=False)
  for name, value in ({f'SLURM_{name}': value for name, value in step.items()}
                      | variables).items():
    monkeypatch.setenv(name, str(value))
  assert processes.from_cluster(1) == processes.Address(
      'node07', 61440, 8, 5, devices)


def test_under_open_mpi_the_cluster_is_known(monkeypatch):
  for name, value in {
      'MCA_orte_hnp_uri': '40960.0;tcp://10.0.0.1,10.1.0.1:34911',
      'COMM_WORLD_SIZE': 2, 'COMM_WORLD_RANK': 1, 'COMM_WORLD_LOCAL_RANK': 0,
      'COMM_WORLD_LOCAL_SIZE': 1}.items():
    monkeypatch.setenv(f'OMPI_{name}', str(value))
  assert processes.from_cluster(1) == processes.Address(
      '10.0.0.1', 61450, 2, 1, None)


# --- One of them is lost ------------------------------------------------------

# What a process does that is neither in a step nor in a checkpoint.
JOINED = """
import sys, time
from alexnet_jax.run import processes
processes.start(processes.Flags(
    False, 'localhost:{port}', 2, int(sys.argv[1]), 60, 3), {{}})
print('joined', flush=True)
time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize('lost, number', [
    (0, signal.SIGKILL), (1, signal.SIGKILL), (1, signal.SIGSTOP)])
def test_a_lost_process_ends_the_other_with_a_sentence(lost, number):
  script = JOINED.format(port=free_port())
  two = [subprocess.Popen(
      [sys.executable, '-c', script, str(i)], cwd=program.ROOT, text=True,
      env=os.environ | {'JAX_PLATFORMS': 'cpu'}, stdout=subprocess.PIPE,
      stderr=subprocess.PIPE) for i in range(2)]
  for process in two:
    assert process.stdout.readline() == 'joined\n'
  two[lost].send_signal(number)
  code, _, err = program.finish(two[1 - lost], 40)
  assert code == 1 and re.fullmatch(LOST + '\n', err), err
  assert f'process {lost} ' in err
  if number == signal.SIGSTOP:
    two[lost].send_signal(signal.SIGCONT)
    code, _, err = program.finish(two[lost], 40)
    assert code == 1 and re.fullmatch(LOST + '\n', err), err
  else:
    program.kill(two[lost])


@pytest.mark.slow
@pytest.mark.parametrize('lost', [0, 1])
def test_a_run_that_lost_a_process_ends_as_if_it_had_not(
    compiled, tmp_path, lost):
  fields = {'mesh.data': 2, 'run.steps': 60, 'run.save_every': 5,
            'run.evaluate_every': 30}
  config = tiny.config(fields)
  for name in ('whole', 'parts'):
    workdir = tmp_path / name
    arguments = [*tiny.flags(fields), f'--workdir={workdir}']
    if name == 'parts':
      two = start_two([*arguments, '--peer_timeout=10'], compiled)
      program.wait_for(is_training(workdir, 12), two[0])
      program.kill(two[lost])
      code, _, err = program.finish(two[1 - lost])
      assert code == 1 and re.fullmatch(LOST, err.splitlines()[-1]), err
      assert 'Traceback' not in err and 'stack trace' not in err
      assert max(tiny.steps(workdir)) < 60
    for process in start_two(arguments, compiled):
      code, _, err = program.finish(process)
      assert code == 0, err
  tiny.assert_same(*(tiny.state(config, str(tmp_path / name))
                     for name in ('parts', 'whole')))
  assert tiny.metrics(tmp_path / 'parts') == tiny.metrics(tmp_path / 'whole')


@pytest.mark.slow
def test_processes_with_other_data_are_refused(compiled, tmp_path):
  for name, seed in (('a', 0), ('b', 1)):
    write_photos(tmp_path / name, seed)
  fields = {'data.name': 'folder', 'mesh.data': 2}
  arguments = [*tiny.flags(fields), f'--workdir={tmp_path}/run']
  two = start_two([*arguments, f'--config.data.path={tmp_path}/a'], compiled,
                  [f'--config.data.path={tmp_path}/b'])
  for process in two:
    code, _, err = program.finish(process)
    assert code == 2, err
    assert 'process 1 reads other training data than process 0' in err
    assert 'Traceback' not in err
