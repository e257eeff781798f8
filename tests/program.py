"""launch.py as a person starts it: another process."""

import functools
import json
import os
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(__file__))


def environment(compiled, devices=1):
  """What the program sees of the machine: so many CPU devices, a cache."""
  return os.environ | {
      'JAX_PLATFORMS': 'cpu',
      'JAX_NUM_CPU_DEVICES': str(devices),
      'JAX_COMPILATION_CACHE_DIR': compiled,
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
      'JAX_DISABLE_MOST_OPTIMIZATIONS': '1',
  }


def start(arguments, compiled, devices=1):
  """Starts launch.py and comes back at once."""
  return subprocess.Popen(
      [sys.executable, 'launch.py', *arguments], cwd=ROOT, text=True,
      env=environment(compiled, devices), stdout=subprocess.PIPE,
      stderr=subprocess.PIPE)


def finish(process, timeout=240):
  """(exit code, standard output, standard error)."""
  try:
    out, err = process.communicate(timeout=timeout)
  finally:
    process.kill()
  return process.returncode, out, err


def launch(arguments, compiled, devices=1):
  """Runs launch.py to its end, which must be a good one; its output."""
  (code, out, err), = launch_many([arguments], compiled, devices)
  assert code == 0, (code, err)
  return out


def kill(process):
  """kill -9."""
  os.kill(process.pid, signal.SIGKILL)
  process.communicate()


def launch_many(command_lines, compiled, devices=1):
  """[(exit code, output, errors)] of many short runs, for one start-up."""
  process, its_environment = _forks(compiled, devices)
  variables = {name: value for name, value in os.environ.items()
               if its_environment.get(name) != value}
  process.stdin.write(json.dumps([command_lines, variables]) + '\n')
  process.stdin.flush()
  return [tuple(result) for result in json.loads(process.stdout.readline())]


@functools.cache
def _forks(compiled, devices):
  """forks.py, until these tests end, and the environment it started with."""
  given = environment(compiled, devices)
  forks = os.path.join(os.path.dirname(__file__), 'forks.py')
  return subprocess.Popen(
      [sys.executable, forks], cwd=ROOT, text=True, env=given,
      stdin=subprocess.PIPE, stdout=subprocess.PIPE), given


def wait_for(happened, process, seconds=200):
  for _ in range(seconds * 20):
    if happened():
      return
    assert process.poll() is None, process.communicate()[1]
    time.sleep(0.05)
  raise TimeoutError
