"""Damage to checkpoints, records, weights and metrics of small runs."""

import json
import os
import random
import re
import shutil
from collections.abc import Iterator

import program
from trial import Trial, clean, fields, write_pictures

CHECKPOINTS, RECORDS, METRICS = 45, 25, 12


def trials(folder: str, seed: int) -> Iterator[Trial]:
  """Yields a trial per damage."""
  chance = random.Random(seed)
  cache = os.path.join(folder, 'compiled')
  yield from _checkpoints(folder, cache, chance)
  yield from _records(folder, cache, chance)
  yield from _metrics(folder, cache, chance)


def damage(path: str, how: str, chance: random.Random) -> None:
  """Damages a file.

  Args:
    path: of the file.
    how: 'flip' a bit, 'truncate', 'empty', 'remove', or 'noise'.
    chance: chooses where.
  """
  size = os.path.getsize(path)
  if how == 'remove':
    os.remove(path)
  elif how == 'empty':
    os.truncate(path, 0)
  elif how == 'truncate':
    os.truncate(path, chance.randrange(max(size, 1)))
  elif how == 'noise':
    with open(path, 'r+b') as file:
      file.write(chance.randbytes(max(size, 16)))
  elif size:
    place = chance.randrange(size)
    with open(path, 'r+b') as file:
      file.seek(place)
      byte = file.read(1)[0] ^ (1 << chance.randrange(8))
      file.seek(place)
      file.write(bytes([byte]))


HOWS = ('flip', 'truncate', 'empty', 'remove', 'noise')


def _files(folder):
  return sorted(os.path.join(parent, name)
                for parent, _, names in os.walk(folder) for name in names)


def _numbers(text):
  """The errors that evaluate prints as JSON."""
  found = re.findall(r'^\{.*\}$', text, re.MULTILINE)
  return json.loads(found[-1]) if found else None


def _checkpoints(folder, cache, chance):
  sound = os.path.join(folder, 'sound')
  program.launch(
      [*fields(data__train_examples=64, data__validation_examples=16,
               run__steps=6, run__save_every=2, run__evaluate_every=2),
       f'--workdir={sound}'], cache)
  expected = {step: _numbers(program.launch(
      ['--task=evaluate', f'--workdir={sound}', f'--checkpoint={step}'],
      cache)) for step in _steps(sound)}
  lines, names = [], []
  for i in range(CHECKPOINTS):
    workdir = os.path.join(folder, f'damaged_{i}')
    shutil.copytree(sound, workdir)
    newest = os.path.join(workdir, 'checkpoints', str(max(expected)))
    path = chance.choice(_files(newest))
    how = HOWS[i % len(HOWS)]
    damage(path, how, chance)
    names.append(f'{how} {os.path.relpath(path, workdir)}')
    lines.append(['--task=evaluate', f'--workdir={workdir}'])
  for name, line, (code, out, err) in zip(
      names, lines, program.launch_many(lines, cache), strict=True):
    text, numbers = out + err, _numbers(out)
    good = clean(text) and (code == 2 or (
        code == 0 and numbers == expected[numbers['step']]
        and (numbers['step'] == max(expected) or 'is damaged' in err)))
    yield Trial(f'checkpoint: {name.split()[0]}', f'{name}: exit {code}', good,
                ' '.join(line) + '\n' + text)


def _steps(workdir):
  return sorted(int(name) for name in os.listdir(
      os.path.join(workdir, 'checkpoints')) if name.isdigit())


def _records(folder, cache, chance):
  photos = os.path.join(folder, 'photos')
  for k, name in enumerate(('cat', 'dog', 'elk')):
    write_pictures(os.path.join(photos, name), 20, k)
  sound = os.path.join(folder, 'records')
  program.launch([*fields(data__name='folder', data__path=photos),
                  '--task=prepare', f'--workdir={sound}'], cache)

  def train(records, workdir):
    return [*fields(data__name='records', data__path=records,
                    data__train_examples=0, data__validation_examples=0,
                    run__steps=4),
            f'--workdir={os.path.join(folder, workdir)}']

  lines, names = [train(sound, 'run_sound')], ['']
  for i in range(RECORDS):
    records = os.path.join(folder, f'records_{i}')
    shutil.copytree(sound, records)
    path = chance.choice([path for path in _files(records)
                          if not os.path.basename(path).startswith('.')])
    how = HOWS[i % len(HOWS)]
    damage(path, how, chance)
    names.append(f'{how} {os.path.relpath(path, records)}')
    lines.append(train(records, f'run_{i}'))
  outcomes = program.launch_many(lines, cache)
  expected = outcomes[0][1]
  for name, line, (code, out, err) in zip(
      names[1:], lines[1:], outcomes[1:], strict=True):
    text = out + err
    good = clean(text) and (
        (code == 2 and 'records_' in text)
        or (code == 0 and _errors(out) == _errors(expected)))
    yield Trial(f'records: {name.split()[0]}', f'{name}: exit {code}', good,
                ' '.join(line) + '\n' + text)


def _errors(text):
  return re.findall(r'top-\d [\d.]+ %', text)


def _metrics(folder, cache, chance):
  junk = (b'{"step": 3, "ki', b'\x00' * 64, b'[1, 2]\n', b'\xff\xfe\n',
          b'{}\n', b'null\n', b'{"step": "x", "kind": 3}\n', b'\n\n\n',
          b'{"step": 1e400, "kind": "train"}\n', b'{"step": NaN}\n',
          b'"' + b'x' * 10000, b'{"step": 1, "kind": "train", "loss": "a"}\n')
  lines = []
  for i in range(METRICS):
    workdir = os.path.join(folder, f'odd_{i}')
    shutil.copytree(os.path.join(folder, 'sound'), workdir)
    with open(os.path.join(workdir, 'metrics.jsonl'), 'ab') as file:
      file.write(junk[i % len(junk)])
    lines.append(
        [*fields(data__train_examples=64, data__validation_examples=16,
                 run__steps=8, run__save_every=2, run__evaluate_every=2),
         f'--workdir={workdir}'])
  for i, (code, out, err) in enumerate(program.launch_many(lines, cache)):
    yield Trial('odd line in metrics.jsonl', repr(junk[i % len(junk)][:30]),
                code in (0, 2) and clean(out + err)
                and (code == 0 or 'config.run.steps' in err), out + err)
