"""What fine-tuning gains from the network that it starts from.

    python -m benchmarks.fine_tuning --tiny=TINY --cifar=CIFAR --out=OUT

TINY and CIFAR are folders of photographs: Tiny ImageNet with train/ and val/,
CIFAR-10 with train/ and test/, one folder a class in each. For 50, 200 and 500
pictures a class, and three seeds that choose the pictures and the order of
training, networks learn

- the ten classes of CIFAR-10, 32 pixels wide, tested on 200 others a class,
- the first 20 classes of Tiny ImageNet by name, tested on the 50 of val/,

starting from photographs (`tiny_imagenet_small`; for the 20 classes a twin that
was trained on the other 80 alone), from the procedural pictures of the
quickstart, and from nothing. A fifth of the pictures decides when the rate
drops; the test pictures are used once, at the end. All train for the same
number of steps; from nothing with a batch twice as large and the paper's rate.

OUT gets runs/, photos/ and fine_tuning.json with a line for each finished run.
The same command goes on where it stopped.
"""

import argparse
import concurrent.futures
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from alexnet_jax import files, tables

PICTURES, SEEDS = (50, 200, 500), (0, 1, 2)
HELD_OUT = 20  # classes of Tiny ImageNet
CIFAR_TEST = 200  # pictures a class
STARTS = ('photographs', 'quickstart', 'nothing')
SAME = ('--config.precision=tf32', '--config.run.hold_data',
        '--config.data.check=none', '--config.run.log_every=100')


class Job(NamedTuple):
  """One run: photographs to learn, and what the network starts from."""

  photos: str  # 'cifar10' or 'tiny20'
  start: str  # one of STARTS
  pictures: int  # per class
  seed: int


def main(argv: Sequence[str]) -> None:
  """Trains and tests all networks and prints the table."""
  parser = argparse.ArgumentParser(description=__doc__)
  parser.add_argument('--tiny', required=True)
  parser.add_argument('--cifar', required=True)
  parser.add_argument('--out', required=True)
  parser.add_argument('--at_once', type=int, default=1)
  parser.add_argument('--seconds', type=float, default=1e9,
                      help='start no run after this time')
  parser.add_argument('flags', nargs='*', help='further flags of each run')
  args = parser.parse_args(argv)
  end = time.monotonic() + args.seconds
  out = os.path.abspath(args.out)
  data = {'tiny20': _tiny20(args.tiny), 'cifar10': _cifar10(args.cifar)}
  os.makedirs(os.path.join(out, 'runs'), exist_ok=True)
  _link(os.path.join(out, 'photos', 'eighty'), _eighty(args.tiny))
  path = os.path.join(out, 'fine_tuning.json')
  done = {Job(*row[:4]): row for row in files.read_json(path) or []}

  with concurrent.futures.ThreadPoolExecutor(args.at_once) as pool:
    for job in jobs():
      _link(_photos(out, job),
            _chosen(data[job.photos], job.pictures, job.seed))
    starts = {name: pool.submit(_train_start, out, name, args.flags)
              for name in ('eighty', 'quickstart')}
    futures = {}
    for job in jobs():
      if job not in done:
        start = starts.get(_start_of(job))
        futures[pool.submit(
            _run, job, out, start, end, args.flags)] = job
    for future in concurrent.futures.as_completed(futures):
      job = futures[future]
      try:
        errors = future.result()
      except subprocess.CalledProcessError:
        print(f'{job} has failed; its log is in {out}/runs', file=sys.stderr)
        continue
      if errors:
        done[job] = [*job, *errors]
        files.write_json(path, list(done.values()))
  print('\n'.join(table(list(done.values()))))


def jobs() -> Iterator[Job]:
  """Yields all runs; those that wait for the network of 80 classes last."""
  for photos in ('cifar10', 'tiny20'):
    for start in reversed(STARTS):
      for pictures in PICTURES:
        for seed in SEEDS:
          yield Job(photos, start, pictures, seed)


def table(rows: Sequence[Sequence]) -> list[str]:
  """Returns the means over the seeds, top-1 error in percent, as text."""
  lines = [('photographs', 'a class', *STARTS)]
  for photos in ('cifar10', 'tiny20'):
    for pictures in PICTURES:
      cells = []
      for start in STARTS:
        errors = [100 * row[4] for row in rows
                  if tuple(row[:3]) == (photos, start, pictures)]
        cells.append(', '.join(f'{error:.1f}' for error in sorted(errors)))
      lines.append((photos, str(pictures), *cells))
  return tables.aligned(lines)


# --- Runs ---------------------------------------------------------------------


def _start_of(job):
  if job.start == 'photographs':
    return 'eighty' if job.photos == 'tiny20' else 'tiny_imagenet_small'
  return job.start


def _photos(out, job):
  return os.path.join(
      out, 'photos', f'{job.photos}-{job.pictures}-{job.seed}')


def _train_start(out, name, more):
  config = {'eighty': 'configs/tiny_imagenet_small.py',
            'quickstart': 'configs/quickstart.py'}[name]
  path = [f'--config.data.path={os.path.join(out, "photos", name)}']
  _launch(os.path.join(out, 'runs', name), f'--config={config}',
          *(path if name == 'eighty' else []), *more)


def _run(job, out, start, end, more):
  """Trains and tests one network; None if there is no time left."""
  if start is not None:
    start.result()
  if time.monotonic() > end:
    return None
  name = '-'.join(map(str, job))
  photos = _photos(out, job)
  workdir = os.path.join(out, 'runs', name)
  flags = [f'--config.data.path={photos}', f'--config.seed={job.seed}', *SAME]
  form = 'quickstart' if job.start == 'quickstart' else 'tiny_imagenet_small'
  if job.start == 'nothing':
    flags += ['--config.optimizer.layer_rates=()', '--config.run.epochs=60',
              '--config.optimizer.batch_size=64',
              '--config.optimizer.learning_rate=0.01',
              '--config.optimizer.plateau_patience=8']
  else:
    at = _start_of(job)
    flags.append('--init_from=' + (
        at if at == 'tiny_imagenet_small' else os.path.join(out, 'runs', at)))
  _launch(workdir, f'--config=configs/fine_tune.py:{form}', *flags, *more)
  errors = json.loads(_launch(
      workdir, '--task=evaluate', '--split=test').splitlines()[-1])
  return errors['ten_crop_top1_error'], errors['ten_crop_top5_error']


def _launch(workdir, *flags):
  """Runs launch.py and returns its output; its log is beside the workdir."""
  with open(f'{workdir}.log', 'a', encoding='utf-8') as log:
    return subprocess.run(
        [sys.executable, 'launch.py', f'--workdir={workdir}', *flags],
        check=True, stdout=subprocess.PIPE, stderr=log, text=True).stdout


# --- Photographs --------------------------------------------------------------


def _tiny20(tiny):
  classes = sorted(os.listdir(os.path.join(tiny, 'train')))[:HELD_OUT]
  return {'train': _pictures(tiny, 'train', classes),
          'test': _pictures(tiny, 'val', classes)}


def _eighty(tiny):
  classes = sorted(os.listdir(os.path.join(tiny, 'train')))[HELD_OUT:]
  return {split: _pictures(tiny, split, classes) for split in ('train', 'val')}


def _cifar10(cifar):
  classes = sorted(os.listdir(os.path.join(cifar, 'train')))
  test = _pictures(cifar, 'test', classes)
  return {'train': _pictures(cifar, 'train', classes),
          'test': {name: paths[:CIFAR_TEST] for name, paths in test.items()}}


def _pictures(folder, split, classes):
  """Returns {class: paths}."""
  at = os.path.abspath(os.path.join(folder, split))
  return {name: [os.path.join(at, name, file)
                 for file in sorted(os.listdir(os.path.join(at, name)))]
          for name in classes}


def _chosen(data, pictures, seed):
  """Returns the pictures of a run; fewer are among the more of its seed."""
  chosen = {name: random.Random(seed).sample(paths, len(paths))[:pictures]
            for name, paths in data['train'].items()}
  return {'train': chosen, 'test': data['test']}


def _link(folder, splits):
  """Makes a folder of links to pictures, unless it is there."""
  if os.path.exists(folder):
    return
  shutil.rmtree(f'{folder}.new', ignore_errors=True)
  for split, classes in splits.items():
    for name, paths in classes.items():
      os.makedirs(os.path.join(f'{folder}.new', split, name))
      for path in paths:
        os.symlink(path, os.path.join(
            f'{folder}.new', split, name, os.path.basename(path)))
  os.rename(f'{folder}.new', folder)


if __name__ == '__main__':
  main(sys.argv[1:])
