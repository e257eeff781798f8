"""One run in several processes: `python -m benchmarks.processes`.

    python -m benchmarks.processes --rounds=3
    python -m benchmarks.processes --json

A short run of the quickstart on a mesh of four data shards: four devices of one
process, two of each of two, one of each of four; and on one device. All take
turns, as fresh starts of launch.py. The seconds of a step are the median of the
last half of a run. The parameters at its end are compared with those of one
process on the same mesh.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import app, flags, logging

from alexnet_jax import tables
from alexnet_jax.bench import turns
from alexnet_jax.run import trained


class Start(NamedTuple):
  """How the devices of a mesh are divided among processes."""

  processes: int
  devices: int  # of each

  def workdir(self, folder: str, turn: int) -> str:
    """Returns where a turn is written."""
    return os.path.join(folder, f'{self.processes}x{self.devices}-{turn}')


ALONE, REFERENCE = Start(1, 1), Start(1, 4)
STARTS = (ALONE, REFERENCE, Start(2, 2), Start(4, 1))


def run(start: Start, workdir: str, steps: int) -> None:
  """Trains to the end in processes of their own.

  Args:
    start: the processes.
    workdir: the folder of the run.
    steps: number of steps.

  Raises:
    CalledProcessError: a process failed; the others are ended.
  """
  with socket.socket() as free:
    free.bind(('localhost', 0))
    port = free.getsockname()[1]
  command = [
      sys.executable, 'launch.py', '--config=configs/quickstart.py',
      f'--workdir={workdir}', f'--config.run.steps={steps}',
      f'--config.mesh.data={start.processes * start.devices}',
      '--config.run.log_every=1', '--config.run.views=1',
      *(f'--config.run.{name}_every={steps}' for name in ('evaluate', 'save'))]
  environment = os.environ | {
      'JAX_PLATFORMS': 'cpu', 'JAX_NUM_CPU_DEVICES': str(start.devices)}
  several = [f'--coordinator=localhost:{port}',
             f'--num_processes={start.processes}', '--start_timeout=600',
             '--peer_timeout=600']
  started = []
  try:
    for i in range(start.processes):
      started.append(subprocess.Popen(
          [*command, *several, f'--process={i}'] if start.processes > 1 else
          command, env=environment, stdout=subprocess.DEVNULL,
          stderr=subprocess.DEVNULL))
    for process in started:
      if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command)
  finally:
    for process in started:
      process.kill()  # does nothing to one that has ended
    for process in started:
      process.wait()


def seconds_per_step(workdir: str) -> float:
  """Returns the median of the last half of the steps."""
  with open(os.path.join(workdir, 'metrics.jsonl'), encoding='utf-8') as file:
    lines = [json.loads(line) for line in file]
  seconds = [line['step_seconds'] for line in lines if 'step_seconds' in line]
  return statistics.median(seconds[len(seconds) // 2:])


def difference(workdir: str, reference: str) -> float:
  """Returns the largest difference of a parameter, in parts of the largest."""
  ours, theirs = (jax.tree.leaves(trained.open_trained(folder).params)
                  for folder in (workdir, reference))
  return max(float(np.abs(a - b).max() / np.abs(b).max())
             for a, b in zip(map(np.asarray, ours), map(np.asarray, theirs),
                             strict=True))


def measure(rounds: int, steps: int, folder: str) -> list[dict[str, Any]]:
  """Returns the speed of each start, and its difference from the reference.

  Args:
    rounds: runs of each.
    steps: steps of a run.
    folder: where the runs are written.
  """
  seconds: dict[Start, list[float]] = {start: [] for start in STARTS}
  for turn in range(rounds):
    for start in STARTS:
      workdir = start.workdir(folder, turn)
      run(start, workdir, steps)
      seconds[start].append(seconds_per_step(workdir))
  return [{
      **start._asdict(),
      'step_seconds': turns.spread(seconds[start])._asdict(),
      'speed': turns.spread([
          reference / ours for reference, ours in zip(
              seconds[REFERENCE], seconds[start], strict=True)])._asdict(),
      'difference': difference(
          start.workdir(folder, 0), REFERENCE.workdir(folder, 0)),
  } for start in STARTS]


def main(argv: list[str]) -> None:
  """Prints the table, or JSON."""
  del argv
  logging.set_verbosity(logging.FATAL)
  with tempfile.TemporaryDirectory() as folder:
    results = measure(flags.FLAGS.rounds, flags.FLAGS.steps, folder)
  if flags.FLAGS.json:
    print(json.dumps(results))
    return
  print('\n'.join(tables.aligned([
      ('processes x devices', 'ms a step', 'speed', '(least, most)',
       'parameters differ by'),
      *((f'{row["processes"]} x {row["devices"]}',
         f'{1e3 * row["step_seconds"]["median"]:.0f}',
         f'{row["speed"]["median"]:.2f}',
         f'({row["speed"]["least"]:.2f}, {row["speed"]["most"]:.2f})',
         f'{row["difference"]:.1e}') for row in results)])))


if __name__ == '__main__':
  flags.DEFINE_integer(
      'rounds', 3, 'Runs of each.', lower_bound=1, upper_bound=10**6)
  flags.DEFINE_integer(
      'steps', 40, 'Steps of a run.', lower_bound=4, upper_bound=10**6)
  flags.DEFINE_bool('json', False, 'Print JSON.')
  sys.exit(app.run(main))
