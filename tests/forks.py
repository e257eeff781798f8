"""Runs launch.py's main for each of many command lines, each in a fork.

Importing JAX, Orbax and Grain takes seconds; here it happens once. Each line
that is read is JSON of [argument lists, environment variables]; each line that
is written, one of [exit code, stdout, stderr] for each of the argument lists.
"""

import gc
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
    curves,
    evaluate,
    export,
    features,
    figure3,
    gradients,
    predict,
    prepare,
    projections,
    retrieve,
    train,
)

SECONDS = 600


def run(arguments, environment):
  """One command line to its end."""
  with (open(os.devnull, encoding='utf-8') as nothing,
        tempfile.TemporaryFile('w+') as out,
        tempfile.TemporaryFile('w+') as err):
    pid = os.fork()
    if not pid:
      signal.alarm(SECONDS)  # each program has a time limit of its own
      for number, file in enumerate((nothing, out, err)):
        os.dup2(file.fileno(), number)
      os.environ.update(environment)
      sys.argv = ['launch.py', *arguments]
      app.run(launch.main, flags_parser=launch.parse)  # exits
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, *(file.seek(0) or file.read() for file in (out, err))


if __name__ == '__main__':
  gc.freeze()  # or each fork copies all pages when it looks for garbage
  for line in sys.stdin:
    command_lines, variables = json.loads(line)
    print(json.dumps([run(arguments, variables)
                      for arguments in command_lines]), flush=True)
