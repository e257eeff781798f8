"""Damages every file of a checkpoint in every way, and counts what happens.

    PYTHONPATH=.:tests python tests/campaigns/checkpoint_files.py

Not a part of the suite: it takes some minutes. A damage is handled well if the
state that is read is that of a step that was saved, to the last bit, and a step
that is not the newest is announced; or if it is refused in one sentence where
the damaged step was asked for. Prints a table of kinds.
"""

import collections
import contextlib
import io
import logging
import os
import random
import shutil
import sys
import tempfile

import jax
import numpy as np
import tiny

from alexnet_jax import tables
from alexnet_jax.errors import InputError
from alexnet_jax.run import (
  checkpoint,
  experiment,
  trained,
  training,
  typed_config,
)

CHANCE = random.Random(0)


def flip(path):
  with open(path, 'r+b') as file:
    content = bytearray(file.read())
    if content:
      content[CHANCE.randrange(len(content))] ^= 1 << CHANCE.randrange(8)
    file.seek(0)
    file.write(content)


def replace(content):
  def write(path):
    with open(path, 'wb') as file:
      file.write(content)

  return write


def folder_instead(path):
  os.remove(path)
  os.mkdir(path)


def file_instead(path):
  shutil.rmtree(path)
  replace(b'')(path)


def empty(path):
  shutil.rmtree(path)
  os.mkdir(path)


OF_FILES = {
    'a bit flipped': flip,
    'another bit': flip,
    'cut in half': lambda path: os.truncate(path, os.path.getsize(path) // 2),
    'last byte lost': lambda path: os.truncate(
        path, max(0, os.path.getsize(path) - 1)),
    'emptied': lambda path: os.truncate(path, 0),
    'removed': os.remove,
    'garbage': replace(b'\0\xff{garbage'),
    'JSON of another form': replace(b'[1, 2]'),
    'deep JSON': replace(b'[' * 10 ** 5),
    'a folder instead': folder_instead,
}
OF_FOLDERS = {'folder removed': shutil.rmtree, 'folder emptied': empty,
              'a file instead': file_instead}


def read(workdir, which):
  network = trained.open_trained(workdir, which)
  return network.step, jax.device_get((network.params, network.input_stats))


def resume(workdir, shapes):
  with checkpoint.open_manager(workdir, 3) as manager:
    step = manager.latest_step()
    checkpoint.read_metadata(manager, step)
    state = checkpoint.restore(manager, step, shapes)
  return step, jax.device_get((state.params, state.input_stats))


def outcome(action, saved, newest, may_refuse):
  """Returns 'newest', 'older' or 'refused', or a description of a failure."""
  said = io.StringIO()
  try:
    with contextlib.redirect_stderr(said):
      step, arrays = action()
  except InputError as error:
    return 'refused' if may_refuse else f'FAILED: {error}'
  except Exception as error:
    return f'FAILED: traceback of {error!r}'
  same = jax.tree.map(np.array_equal, arrays, saved[step])
  if not all(jax.tree.leaves(same)):
    return f'FAILED: other numbers for step {step}'
  if step == newest:
    return 'newest'
  return 'older' if str(newest) in said.getvalue() else 'FAILED: silent'


def main():
  logging.getLogger('absl').setLevel(logging.CRITICAL)
  place = tempfile.mkdtemp(prefix='damages_')
  whole, workdir = os.path.join(place, 'whole'), os.path.join(place, 'run')
  settings = typed_config.read(tiny.config())
  training.train(settings, whole)
  shapes = experiment.build(settings, 12, 64).state_shapes()
  saved = {step: read(whole, str(step))[1] for step in tiny.steps(whole)}
  newest = max(saved)
  inside = os.path.join(checkpoint.FOLDER, str(newest))
  parts = [os.path.relpath(os.path.join(parent, name), whole)
           for parent, folders, names in os.walk(os.path.join(whole, inside))
           for name in [*folders, *names]] + [inside]
  counts, failures = collections.defaultdict(collections.Counter), []
  for part in parts:
    is_file = os.path.isfile(os.path.join(whole, part))
    for kind, damage_it in (OF_FILES if is_file else OF_FOLDERS).items():
      if part == inside and kind == 'folder removed':
        continue  # nobody can know that there was one
      shutil.rmtree(workdir, ignore_errors=True)
      shutil.copytree(whole, workdir)
      damage_it(os.path.join(workdir, part))
      for manner, action, may_refuse in (
          ('latest', lambda: read(workdir, 'latest'), False),
          ('best', lambda: read(workdir, 'best'), True),
          ('step', lambda: read(workdir, str(newest)), True),
          ('resumed', lambda: resume(workdir, shapes), False)):
        result = outcome(action, saved, newest, may_refuse)
        counts[kind][result.partition(':')[0]] += 1
        if result.startswith('FAILED'):
          failures.append(f'{kind}, {part}, {manner}: {result}')
  shutil.rmtree(place)
  outcomes = ('newest', 'older', 'refused', 'FAILED')
  print('\n'.join(tables.aligned(
      [('damage', 'tried', 'good', *outcomes)]
      + [(kind, str(count.total()), str(count.total() - count['FAILED']),
          *(str(count[name]) for name in outcomes))
         for kind, count in counts.items()])))
  print('\n'.join(failures))
  return 1 if failures else 0


if __name__ == '__main__':
  sys.exit(main())
