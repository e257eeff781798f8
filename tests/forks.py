"""Runs launch.py's main for each of many command lines, each in a fork.

Importing JAX, Orbax and Grain takes seconds; here it happens once. Reads a
JSON list of argument lists, writes one of [exit code, stdout, stderr].
"""

import json
import os
import signal
import sys
import tempfile
import warnings

sys.path.insert(0, os.getcwd())
warnings.filterwarnings('ignore', message='os.fork')  # JAX has not started yet

from absl import app  # noqa: E402

import launch  # noqa: E402
from alexnet_jax.tasks import (  # noqa: E402, F401
    bench,
    codes,
    evaluate,
    figure3,
    gradients,
    predict,
    prepare,
    projections,
    retrieve,
    train,
)

SECONDS = 120


def run(arguments):
  """One command line to its end."""
  with tempfile.TemporaryFile('w+') as out, tempfile.TemporaryFile('w+') as err:
    pid = os.fork()
    if not pid:
      signal.alarm(SECONDS)  # each program has a time limit of its own
      os.dup2(out.fileno(), 1)
      os.dup2(err.fileno(), 2)
      sys.argv = ['launch.py', *arguments]
      app.run(launch.main, flags_parser=launch.parse)  # exits
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, *(file.seek(0) or file.read() for file in (out, err))


if __name__ == '__main__':
  print(json.dumps([run(line) for line in json.load(sys.stdin)]))
