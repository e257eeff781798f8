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

from alexnet_jax import machine

if __name__ == '__main__':
  machine.use_huge_pages()
machine.set_flags()  # before JAX starts
machine.keep_compiled()

from absl import app, flags, logging  # noqa: E402

from alexnet_jax import command_line, files  # noqa: E402
from alexnet_jax.errors import InputError  # noqa: E402


def load_task(argv: Sequence[str]) -> command_line.Task:
  """The module of the task that --task names."""
  name = command_line.task_name(argv)
  task: Any = importlib.import_module(f'alexnet_jax.tasks.{name}')
  return task


def parse(argv: Sequence[str]) -> list[str]:
  """Parses the flags of the task; returns the positional arguments."""
  return command_line.parse(argv, load_task(argv))


def start_processes(values: flags.FlagValues) -> None:
  """Joins the other processes of a run, if there are any."""
  if values.coordinator:
    import jax
    jax.distributed.initialize(
        values.coordinator, values.num_processes, values.process)
  elif values.num_processes > 1 or values.process:
    raise InputError(
        '--num_processes and --process need --coordinator=HOST:PORT, where the'
        ' first of the processes can be reached: add it, or leave them out.')


def main(argv: list[str]) -> None:
  """Starts the processes and runs the task."""
  # Orbax logs every step, and the traceback of an error that it also raises.
  logging.set_verbosity(logging.FATAL)
  invocation = command_line.invocation(argv)
  try:
    start_processes(invocation.flags)
    load_task(sys.argv).run(invocation)
  except InputError as error:
    command_line.refuse(str(error))
  except Exception as error:
    sentence = files.sentence_of(error)
    if not sentence:
      raise
    command_line.refuse(sentence)


if __name__ == '__main__':
  app.run(main, flags_parser=parse)
