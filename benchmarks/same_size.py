"""Five networks side by side: `configs/history/same_size.py`, trained.

    python -m benchmarks.same_size RUNS --measure
    python -m benchmarks.same_size RUNS --out=same_photographs.png

RUNS is the workdir of --task=compare with these configs, or has the lines that
its runs logged. The first command times the training steps of all networks
that were trained, in turns, and writes them to RUNS/speed.json. The second
prints the tables of docs/same_photographs.md and draws its picture.

The seconds of a run are its steps times the median step that was measured, not
those of the run, which may have had company on its machine; neither input nor
validation is in them.
"""

import argparse
import glob
import os
import statistics
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from alexnet_jax import machine

if __name__ == '__main__':
  machine.use_huge_pages()
  machine.keep_compiled()
machine.set_flags()  # Before JAX starts.

import numpy as np  # noqa: E402

from alexnet_jax import files, tables  # noqa: E402
from alexnet_jax.bench import measurements, turns  # noqa: E402
from alexnet_jax.figures import error_by_time, style  # noqa: E402
from alexnet_jax.figures.curves import Lines  # noqa: E402
from alexnet_jax.learning import augment  # noqa: E402
from alexnet_jax.network import describe  # noqa: E402
from alexnet_jax.results import sweeps  # noqa: E402
from alexnet_jax.run import device_data, experiment, journal, typed_config  # noqa: E402
from configs.history import same_size  # noqa: E402

CONFIG = 'configs/history/same_size.py'
CLASSES, IMAGES = 20, 10_000
NAMES = {'lenet': 'LeNet-5', 'alexnet': 'AlexNet', 'vgg': 'VGG-11',
         'googlenet': 'GoogLeNet', 'resnet': 'ResNet-18', 'plain': 'plain-18'}
SPEED, ROUNDS, TURN_SECONDS = 'speed.json', 15, 0.3
REFERENCE = 'alexnet'  # of the ratios


def measure(names: Iterable[str], rounds: int,
            turn_seconds: float) -> dict[str, dict[str, Any]]:
  """Returns {network: its size, and the seconds of a training step}.

  Args:
    names: the networks, REFERENCE among them.
    rounds: turns of each network.
    turn_seconds: the minimum duration of a turn.
  """
  rows, sizes = {}, {}
  for name in names:
    rows[name], sizes[name] = _step(name, turn_seconds)
    rows[name].warm_up()
  turns.take_turns(rows, rounds, 'steps')
  return {name: sizes[name] | {
      'seconds': row.seconds,
      'speed_over_reference': turns.ratio(row, rows[REFERENCE])._asdict()}
          for name, row in rows.items()}


def _step(name: str, turn_seconds: float) -> tuple[turns.Row, dict[str, Any]]:
  """Returns the training step of a network, and the sizes of the network."""
  config = same_size.get_config(name)
  built = experiment.build(typed_config.read(config), CLASSES, IMAGES)
  side, batch_size = config.data.image_size, config.optimizer.batch_size
  drawn = np.random.default_rng(0)
  batch = device_data.to_device({
      'image': drawn.integers(0, 256, (batch_size, side, side, 3), np.uint8),
      'label': drawn.integers(0, CLASSES, batch_size, np.int32)}, built.mesh)
  training = measurements.Training(built.new_state(augment.pixel_stats(
      np.full((side, side, 3), 120.0), 3000 * np.eye(3))))
  train_step: Any = built.train_step()
  compiled = train_step.lower(training.state, batch).compile()
  totals = describe.totals(describe.layer_rows(built.model, CLASSES))
  return turns.Row(lambda: training.take(compiled, batch), turn_seconds), {
      'batch_size': batch_size,
      **{field: totals[field] for field in (
          'parameters', 'flops', 'step_flops', 'map_bytes')},
      'step_temporary_bytes': measurements.memory(
          compiled)['step_temporary_bytes']}


def read_runs(folder: str) -> dict[str, dict[int, Lines]]:
  """Returns {network: {seed: the lines of its run}} of all finished runs."""
  found: dict[str, dict[int, Lines]] = {}
  for name in same_size.NETWORKS:
    at = os.path.join(folder, sweeps.folder(f'{CONFIG}:{name}'), 'seed_')
    seeds: dict[int, Lines] = {
        int(workdir.removeprefix(at)): journal.read(workdir)
        for workdir in sorted(glob.glob(f'{glob.escape(at)}[0-9]*'))
        if journal.final_line(workdir)}
    if seeds:
      found[name] = seeds
  return found


def steps_to(lines: Lines, error: float) -> int | None:
  """Returns the step of the first validation with an error this low.

  Args:
    lines: of one run.
    error: the top-1 error, 0..1.
  """
  return next((line['step'] for line in lines if line['kind'] == 'validation'
               and line['top1_error'] <= error), None)


def speed_table(speed: Mapping[str, Mapping[str, Any]]) -> str:
  """Returns sizes and speeds as Markdown.

  Args:
    speed: the result of `measure`.
  """
  head = ('network', 'parameters', 'MFLOP', 'maps, MB', 'step, MB', 'images/s',
          'against AlexNet')
  rows = []
  for name, of in speed.items():
    ratio = of['speed_over_reference']
    rows.append((
        NAMES[name], f'{of["parameters"]:,}', f'{of["flops"] / 1e6:.1f}',
        f'{of["map_bytes"] / 1e6:.2f}',
        f'{of["step_temporary_bytes"] / 1e6:.1f}',
        f'{of["batch_size"] / statistics.median(of["seconds"]):.0f}',
        f'{ratio["median"]:.2f} ({ratio["least"]:.2f} to {ratio["most"]:.2f})'))
  return tables.markdown(head, rows)


def error_table(runs: Mapping[str, Mapping[int, Lines]],
                speed: Mapping[str, Mapping[str, Any]],
                errors: Sequence[float]) -> str:
  """Returns errors and times as Markdown, those of all seeds in one cell.

  Args:
    runs: the result of `read_runs`.
    speed: the result of `measure`.
    errors: top-1 errors, in percent, with a column for the seconds to each.
  """
  head = ('network', 'seeds', 'top-1 error, %', 'top-5 error, %',
          'training error, %', 'seconds in all',
          *(f'seconds to {error:g} %' for error in errors))
  rows = []
  for name, seeds in runs.items():
    every = list(seeds.values())
    seconds = statistics.median(speed[name]['seconds'])
    reached = [[steps_to(lines, error / 100) for lines in every]
               for error in errors]
    rows.append((
        NAMES[name], ', '.join(map(str, seeds)),
        *(', '.join(f'{100 * lines[-1][f"one_crop_top{k}_error"]:.1f}'
                    for lines in every) for k in (1, 5)),
        ', '.join(f'{100 * _last_quarter(lines):.1f}' for lines in every),
        f'{max(lines[-1]["step"] for lines in every) * seconds:.0f}',
        *(', '.join('-' if steps is None else f'{steps * seconds:.0f}'
                    for steps in column) for column in reached)))
  return tables.markdown(head, rows)


def _last_quarter(lines):
  """The mean training error of the last quarter of the steps, an epoch."""
  end = lines[-1]['step']
  return statistics.fmean(
      line['top1_error'] for line in lines
      if line['kind'] == 'train' and line['step'] > 3 * end / 4)


def main(argv: Sequence[str]) -> None:
  """Measures, or prints the table and draws the picture."""
  parser = argparse.ArgumentParser(
      description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
  parser.add_argument('runs', help='the workdir of --task=compare')
  parser.add_argument('--measure', action='store_true',
                      help='time the steps, on a machine that is quiet')
  parser.add_argument('--out', default='same_photographs.png')
  parser.add_argument('--errors', type=float, nargs='+', default=[85, 70])
  args = parser.parse_args(argv)
  path = os.path.join(args.runs, SPEED)
  runs = read_runs(args.runs)
  if REFERENCE not in runs:
    parser.error(f'{args.runs} has no finished run of {CONFIG}:{REFERENCE}:'
                 ' train it and the others first.')
  missing = [name for name in same_size.NETWORKS if name not in runs]
  if missing:
    print(f'Without a finished run: {", ".join(missing)}.', file=sys.stderr)
  if args.measure:
    files.write_json(path, measure(runs, ROUNDS, TURN_SECONDS))
    return
  speed = files.read_json(path) or {}
  if not runs.keys() <= speed.keys():
    parser.error(f'{path} does not have the speed of all networks: give'
                 ' --measure first.')
  print(speed_table({name: speed[name] for name in runs}),
        error_table(runs, speed, args.errors), sep='\n\n')
  named = {NAMES[name]: list(seeds.values()) for name, seeds in runs.items()}
  seconds = {NAMES[name]: statistics.median(of['seconds'])
             for name, of in speed.items() if name in NAMES}
  error_by_time.draw(
      named, seconds, 1 - 1 / CLASSES, args.out,
      error_by_time.series(named, seconds))
  print(style.drawn(args.out))


if __name__ == '__main__':
  main(sys.argv[1:])
