"""The training step with every kind of input: `python -m benchmarks.input`.

    python -m benchmarks.input --config.data.path=RECORDS
    python -m benchmarks.input --config.data.path=RECORDS --json
    python -m benchmarks.input --config.data.path=RECORDS --cores=16

The last reads every stored form without a step, and says what that many cores
would read if they did not disturb each other. All rows take turns in one
process; ratios are to the same step on a batch that is already on the device.
The default of --config is configs/paper.py.
"""

import json
import sys
from typing import Any

from alexnet_jax import machine

if __name__ == '__main__':
  machine.use_huge_pages()
machine.set_flags()  # Before JAX starts.

from absl import app, flags, logging  # noqa: E402
from ml_collections import ConfigDict, config_flags  # noqa: E402

from alexnet_jax import tables  # noqa: E402
from alexnet_jax.bench import measurements, turns  # noqa: E402
from alexnet_jax.bench.measurements import Training  # noqa: E402
from alexnet_jax.data import statistics  # noqa: E402
from alexnet_jax.learning import augment  # noqa: E402
from alexnet_jax.run import experiment, typed_config  # noqa: E402

KINDS: dict[str, dict[str, Any]] = {
    'one thread': {'threads': 1},
    'two threads': {'threads': 2},
    'four threads': {'threads': 4},
    'one worker process': {'threads': 1, 'workers': 1},
    'held on the device': {'hold_data': True},
}
READY = 'on the device already'
TURN_SECONDS = 5.0  # Several steps, since a few batches are prefetched.
ROUNDS = 4

_CONFIG = config_flags.DEFINE_config_file(
    'config', 'configs/paper.py', 'The experiment.', lock_config=True)
_ROUNDS = flags.DEFINE_integer(
    'rounds', ROUNDS, 'Turns of each.', lower_bound=1, upper_bound=10**6)
_TURN_SECONDS = flags.DEFINE_float(
    'turn_seconds', TURN_SECONDS, 'How long a turn lasts at least.',
    lower_bound=0, upper_bound=10**6)
_CORES = flags.DEFINE_integer(
    'cores', 0, 'Measure stored forms in place of steps, for so many cores.',
    lower_bound=0, upper_bound=10**6)
_JSON = flags.DEFINE_bool('json', False, 'Print JSON.')


def measure(config: ConfigDict, rounds: int,
            turn_seconds: float) -> dict[str, dict[str, float]]:
  """Returns {kind of input: speed relative to no input, with its spread}.

  Args:
    config: the experiment; its data set is read.
    rounds: turns of each kind.
    turn_seconds: the minimum duration of a turn.
  """
  settings = typed_config.read(config)
  source = settings.open_split('train')
  built = experiment.build(settings, len(source.class_names), len(source))
  results = statistics.statistics(source, limit=64)
  training = Training(built.new_state(
      augment.pixel_stats(results.mean, results.covariance)))
  train_step = built.train_step()
  batches = {}
  for name, run in KINDS.items():
    varied = settings._replace(run=settings.run._replace(**run))
    batches[name] = built._replace(settings=varied).device_batches(source)
  ready = next(batches['held on the device'])
  rows = {READY: turns.Row(
      lambda: training.take(train_step, ready), turn_seconds)}
  for name, each in batches.items():
    rows[name] = turns.Row(
        lambda each=each: training.take(train_step, next(each)), turn_seconds)
  for row in rows.values():
    row.warm_up()
  turns.take_turns(rows, rounds, 'input')
  for each in batches.values():
    each.close()
  return {name: turns.ratio(row, rows[READY])._asdict()
          for name, row in rows.items()}


def read_forms(config: ConfigDict,
               rounds: int) -> dict[str, dict[str, float]]:
  """Returns {stored form: images that one core reads in a second}.

  Args:
    config: the experiment; its data set is read.
    rounds: turns of each form.
  """
  settings = typed_config.read(config)
  return measurements.input_forms(
      settings.open_split('train'), settings.data.image_size, rounds)


def _print_forms(results, cores) -> None:
  print('\n'.join(tables.aligned([
      ('input', 'images/s of a core', '(slowest, fastest)',
       f'of {cores} cores'),
      *((name, f'{rate["median"]:,.0f}',
         f'({rate["least"]:,.0f}, {rate["most"]:,.0f})',
         f'{cores * rate["median"]:,.0f}')
        for name, rate in results.items())])))


def main(argv: list[str]) -> None:
  """Prints the table, or JSON."""
  del argv
  logging.set_verbosity(logging.ERROR)
  if _CORES.value:
    results = read_forms(_CONFIG.value, _ROUNDS.value)
    if _JSON.value:
      print(json.dumps(results))
    else:
      _print_forms(results, _CORES.value)
    return
  results = measure(_CONFIG.value, _ROUNDS.value, _TURN_SECONDS.value)
  if _JSON.value:
    print(json.dumps(results))
    return
  print('\n'.join(tables.aligned([
      ('input', 'times the step without', '(least, most)'),
      *((name, f'{ratio["median"]:.3f}',
         f'({ratio["least"]:.3f}, {ratio["most"]:.3f})')
        for name, ratio in results.items())])))


if __name__ == '__main__':
  sys.exit(app.run(main))
