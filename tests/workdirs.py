"""Workdirs of finished runs, written by hand with numbers of known means."""

import json
import os

from alexnet_jax.results import runs


def write(folder, config, seed, top1, top5=0.5, *, crops='ten', steps=100,
          flags='', finished=True, init_from='', **data):
  """Writes the workdir of a run whose training steps took a minute.

  Args:
    folder: that contains the workdirs.
    config: as --config takes it, without 'configs/'.
    seed: the config's.
    top1: top-1 error with `crops`; with one crop it is 0.05 larger.
    top5: top-5 error, likewise.
    crops: averaged in the final test: 'one', 'nine' or 'ten'.
    steps: of the run.
    flags: further ones on its command line.
    finished: whether the run has its final errors.
    init_from: --init_from.
    **data: fields of config.data.

  Returns:
    The workdir.
  """
  name = config.translate(str.maketrans('/:,', '___'))
  workdir = os.path.join(folder, name, str(seed))
  os.makedirs(workdir)
  resolved = {
      'seed': seed, 'model': {}, 'augment': {}, 'mesh': {'data': 1},
      'optimizer': {'batch_size': 6},
      'data': {'name': 'records', 'path': '/data/tiny', 'image_size': 72,
               'validation_fraction': 0.1, 'train_examples': 0,
               'validation_examples': 0} | data}
  errors = {f'{name}_crop_{metric}': value + (name == 'one') * 0.05
            for name in {'one', crops} for metric, value in (
                ('loss', 1.0), ('top1_error', top1), ('top5_error', top5))}
  lines = [{'step': step, 'kind': 'train', 'loss': 1.0,
            'images_per_second': steps * 6 / 60} for step in (
                steps // 2, steps)]
  if finished:
    lines.append({'step': steps, 'kind': 'final', **errors})
  command = (f'python launch.py --config=configs/{config} --config.seed={seed}'
             f' {flags} --config.run.log_every=3'
             + (f' --init_from={init_from}' if init_from else '')
             + f' --workdir={workdir}')
  for file, text in (
      ('config.json', json.dumps(resolved)), ('command.txt', command + '\n'),
      ('metrics.jsonl', ''.join(json.dumps(line) + '\n' for line in lines))):
    with open(os.path.join(workdir, file), 'w', encoding='utf-8') as out:
      out.write(text)
  return workdir


def write_trio(folder):
  """Writes no_norm and its baseline, three seeds each, and a seed of one.

  The top-1 error of no_norm is larger by 1, 2 and 6 points, the top-5 error
  smaller by 1.
  """
  for seed, base, gap in ((0, 0.40, 0.01), (1, 0.42, 0.02), (2, 0.44, 0.06)):
    write(folder, 'ablations.py:baseline,small', seed, base)
    write(folder, 'ablations.py:no_norm,small', seed, base + gap, 0.49)
  write(folder, 'ablations.py:no_norm,small', 3, 0.9)


def read(folder):
  """The finished runs in a folder."""
  return [run for run in map(runs.read, runs.workdirs(folder)) if run]
