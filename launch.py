"""The program: python launch.py --config=FILE [--task=TASK] [--workdir=RUN].

Every field of a config can be set on the command line after --config:
--config.optimizer.learning_rate=0.005. A task that looks into a trained network
needs only its workdir: --task=predict --workdir=RUN --images a.jpg photos/
`python launch.py --help` lists the tasks.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Any

from alexnet_jax import signals

# Under IPython's %run a script is __main__, but the process is the notebook's.
IS_PROGRAM = (__name__ == '__main__' and 'IPython' not in sys.modules
              and sys.orig_argv[-len(sys.argv):] == sys.argv)
if IS_PROGRAM:
  signals.block()  # before anything that takes time

from alexnet_jax import machine  # noqa: E402

if IS_PROGRAM:
  machine.require_packages()
  machine.use_huge_pages()
  signals.watch()
elif __name__ == '__mp_main__':  # a worker process, before its slow imports
  machine.end_with_parent()
machine.set_flags()  # before JAX starts
machine.keep_compiled()

from absl import app, logging  # noqa: E402

from alexnet_jax import files  # noqa: E402
from alexnet_jax.command_line import parsing  # noqa: E402
from alexnet_jax.command_line.invocation import Task, from_flags  # noqa: E402
from alexnet_jax.errors import InputError, refuse  # noqa: E402
from alexnet_jax.run import lost_process, processes  # noqa: E402


def load_task(argv: Sequence[str]) -> Task:
  """The module of the task that --task names."""
  name = parsing.task_name(argv)
  task: Any = importlib.import_module(f'alexnet_jax.tasks.{name}')
  return task


def parse(argv: Sequence[str]) -> list[str]:
  """Parses the flags of the task; returns the positional arguments."""
  return parsing.parse(argv, load_task(argv))


def main(argv: list[str]) -> None:
  """Starts the processes and runs the task."""
  # Orbax logs every step, and the traceback of an error that it also raises.
  logging.set_verbosity(logging.FATAL)
  invocation = from_flags(argv)
  with lost_process.end_without_waiting():
    try:
      processes.start(processes.flags_of(invocation),
                      processes.shared_settings(invocation))
      load_task(sys.argv).run(invocation)
    except InputError as error:
      refuse(str(error))
    except Exception as error:
      sentence = files.sentence_of(error)
      if not sentence or lost_process.is_lost(error):
        raise
      refuse(sentence)


if __name__ == '__main__':
  with signals.quiet_without_readers():
    app.run(main, flags_parser=parse)
