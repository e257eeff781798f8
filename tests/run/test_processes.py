"""Two processes with a device each are one process with two."""

import signal
import socket

import numpy as np
import program
import pytest
import tiny


def start_two(arguments, compiled):
  with socket.socket() as free:
    free.bind(('localhost', 0))
    port = free.getsockname()[1]
  return [program.start(
      [*arguments, f'--coordinator=localhost:{port}', '--num_processes=2',
       f'--process={i}'], compiled) for i in range(2)]


@pytest.mark.parametrize('axis', [
    'data', pytest.param('column', marks=pytest.mark.slow)])
def test_two_processes_are_one(trained, compiled, tmp_path, axis):
  config, workdir, _ = trained
  arguments = [*tiny.flags({f'mesh.{axis}': 2}), f'--workdir={tmp_path}']
  for process in start_two(arguments, compiled):
    code, _, err = program.finish(process)
    assert code == 0, err
  np.testing.assert_allclose(
      tiny.losses(tmp_path), tiny.losses(workdir), rtol=1e-4)
  assert [(line['kind'], line['step']) for line in tiny.metrics(tmp_path)] == [
      (line['kind'], line['step']) for line in tiny.metrics(workdir)]
  ours, theirs = (tiny.metrics(folder, 'validation', 'test')
                  for folder in (tmp_path, workdir))
  for a, b in zip(ours, theirs, strict=True):
    assert a == pytest.approx(b, abs=1e-4)
  tiny.assert_close(tiny.state(config, str(tmp_path)),
                    tiny.state(config, workdir))


@pytest.mark.slow
def test_two_processes_stop_at_the_same_step_and_go_on(
    trained, compiled, tmp_path):
  fields = {'mesh.data': 2, 'run.steps': 10**6, 'run.save_every': 10**6,
            'run.evaluate_every': 10**6}
  arguments = [*tiny.flags(fields), f'--workdir={tmp_path}']
  two = start_two(arguments, compiled)
  program.wait_for(lambda: (tmp_path / 'metrics.jsonl').exists()
                       and len(tiny.metrics(tmp_path)) > 1, two[0])
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
