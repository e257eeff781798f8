"""From the command to the end of the first step of a run.

    python -m benchmarks.first_step --config=configs/quickstart.py --rounds=5

A cold start has an empty compilation cache, a warm one that of the cold start
before it. Seconds of the processor count all cores and no other programs. The
loss of the first step is read when the second step has been handed over.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence

from absl import app, flags

from alexnet_jax import tables
from alexnet_jax.bench import turns

KINDS = ('cold', 'warm')


def start(config: str, cache: str, more: Sequence[str] = ()
          ) -> tuple[float, float]:
  """Starts a run and ends it after its first step.

  Args:
    config: the file of the experiment.
    cache: the folder for compiled programs.
    more: further arguments.

  Returns:
    Seconds until the step was done, by the clock and of the processor.

  Raises:
    RuntimeError: the run ended before.
  """
  with tempfile.TemporaryDirectory() as workdir:
    before, begin = _processor_seconds(), time.perf_counter()
    said = []
    with subprocess.Popen(
        [sys.executable, 'launch.py', f'--config={config}',
         '--config.run.log_every=1', f'--workdir={workdir}/run', *more],
        env=os.environ | {'XDG_CACHE_HOME': cache}, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
      try:
        for line in process.stderr or ():
          said.append(line)
          if line.startswith('step 1/'):
            break
        seconds = time.perf_counter() - begin
      finally:
        process.kill()
  if not said or not said[-1].startswith('step 1/'):
    raise RuntimeError(''.join(said))
  return seconds, _processor_seconds() - before


def _processor_seconds() -> float:
  """Returns those of all child processes that have ended."""
  usage = resource.getrusage(resource.RUSAGE_CHILDREN)
  return usage.ru_utime + usage.ru_stime


def main(argv: list[str]) -> None:
  """Prints the table."""
  found = {kind: [] for kind in KINDS}
  for _ in range(flags.FLAGS.rounds):
    with tempfile.TemporaryDirectory() as cache:
      for kind in KINDS:
        found[kind].append(start(flags.FLAGS.config, cache, argv[1:]))

  def cell(values):
    seconds = turns.spread(list(values))
    return f'{seconds.median:.1f} ({seconds.least:.1f}-{seconds.most:.1f})'

  print('\n'.join(tables.aligned([
      ('start', 'seconds', 'of the processor'),
      *((kind, *(cell(values) for values in zip(*seconds, strict=True)))
        for kind, seconds in found.items())])))


if __name__ == '__main__':
  flags.DEFINE_string('config', 'configs/quickstart.py', 'The experiment.')
  flags.DEFINE_integer(
      'rounds', 3, 'Starts of each kind.', lower_bound=1, upper_bound=10**6)
  app.run(main)
