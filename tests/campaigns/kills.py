"""Kills and signals at random moments of training, preparing and evaluating."""

import os
import random
import signal
import subprocess
from collections.abc import Iterator, Sequence

import program
import tiny
from trial import Trial, clean, fields, write_pictures

KILLS, SIGNALS, STEPS = 50, 30, 400
CODES = {signal.SIGINT: (130, 0), signal.SIGTERM: (143, 0)}


def trials(folder: str, seed: int) -> Iterator[Trial]:
  """Yields a trial per kill, per signal, and per run that was killed."""
  chance = random.Random(seed)
  cache = os.path.join(folder, 'compiled')
  arguments = _training(folder, 'calm')
  program.launch(arguments, cache)
  calm = _parameters(folder, 'calm')
  yield from _kill_until_done(folder, cache, calm, chance)
  yield from _signals(folder, cache, chance)
  yield from _kill_prepare(folder, cache, chance)


LONG = {'run.steps': STEPS, 'run.save_every': 20, 'run.evaluate_every': 50,
        'run.log_every': 5}


def _training(folder, name):
  return [*tiny.flags(LONG), f'--workdir={os.path.join(folder, name)}']


def _parameters(folder, name):
  return tiny.state(tiny.config(LONG), os.path.join(folder, name))


def _run_for(arguments: Sequence[str], cache: str, seconds: float,
             number: int) -> tuple[int, str, bool]:
  """Runs the program and sends it a signal after some seconds.

  Args:
    arguments: of launch.py.
    cache: folder of compiled programs.
    seconds: until the signal.
    number: of the signal.

  Returns:
    Its exit code, all it printed, and whether the signal came before its end.
  """
  process = program.start(arguments, cache)
  try:
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out + err, False
  except subprocess.TimeoutExpired:
    process.send_signal(number)
  try:
    out, err = process.communicate(timeout=60)
  except subprocess.TimeoutExpired:
    process.kill()
    out, err = process.communicate()
    return -1, out + err + '\n(still there after 60 seconds)', True
  return process.returncode, out + err, True


def _kill_until_done(folder, cache, calm, chance):
  killed = run = 0
  while killed < KILLS:
    run += 1
    arguments = _training(folder, f'killed_{run}')
    longest = 10.0  # seconds; it grows, so that every run comes to its end
    while True:
      longest *= 1.1
      code, text, hit = _run_for(
          arguments, cache, chance.uniform(1, longest), signal.SIGKILL)
      killed += hit
      if hit:
        yield Trial('kill -9 in training', f'run {run}', clean(text), text)
        continue
      yield Trial('run that was killed: ends', f'run {run}',
                  code == 0 and clean(text), text)
      break
    try:
      tiny.assert_same(calm, _parameters(folder, f'killed_{run}'))
      equal = ''
    except AssertionError as error:
      equal = str(error)
    yield Trial('run that was killed: same bits', f'run {run}', not equal,
                equal)


def _signals(folder, cache, chance):
  photos = os.path.join(folder, 'photos')
  for k, name in enumerate(('cat', 'dog')):
    write_pictures(os.path.join(photos, name), 60, k)
  calm = os.path.join(folder, 'calm')
  tasks = {
      'train': lambda i: _training(folder, f'signaled_{i}'),
      'prepare': lambda i: [
          *fields(data__name='folder', data__path=photos), '--task=prepare',
          f'--workdir={os.path.join(folder, f"records_{i}")}'],
      'evaluate': lambda i: ['--task=evaluate', f'--workdir={calm}'],
      'features': lambda i: [
          '--task=features', f'--workdir={calm}',
          f'--out={os.path.join(folder, f"features_{i}")}'],
  }
  for i in range(SIGNALS):
    task = list(tasks)[i % len(tasks)]
    number = chance.choice(list(CODES))
    code, text, hit = _run_for(
        tasks[task](i), cache, chance.uniform(0.05, 9), number)
    good = clean(text) and (code in CODES[number] if hit else code == 0)
    yield Trial(f'signal in {task}', f'{number.name}: exit {code}', good, text)


def _kill_prepare(folder, cache, chance):
  photos = os.path.join(folder, 'photos')

  def prepare(name):
    return [*fields(data__name='folder', data__path=photos), '--task=prepare',
            f'--workdir={os.path.join(folder, name)}']

  program.launch(prepare('records'), cache)
  for i in range(5):
    name = f'records_killed_{i}'
    for _ in range(3):
      _run_for(prepare(name), cache, chance.uniform(2, 7), signal.SIGKILL)
    program.launch(prepare(name), cache)
    same = subprocess.run(
        ['diff', '-r', '-x', '.*', os.path.join(folder, 'records'),
         os.path.join(folder, name)], capture_output=True, text=True)
    yield Trial('kill -9 in prepare: same bytes', name, not same.returncode,
                same.stdout)
