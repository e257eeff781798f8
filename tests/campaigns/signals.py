"""Sends signals to launch.py at random times and prints a table of the ends.

Not part of the suite: python tests/campaigns/signals.py [SEED [ROUNDS]]
"""

import collections
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import time

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:1] = [TESTS, os.path.dirname(TESTS)]

import program  # noqa: E402
import tiny  # noqa: E402

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
AFTER_TRAINING = ('evaluate', 'features', 'projections', 'figure3', 'retrieve')


def processes_of(group):
  return subprocess.run(['pgrep', '-g', str(group)], capture_output=True,
                        text=True).stdout.split()


def interrupt(arguments, compiled, delay, signals=1):
  """Why an end is wrong; '' for a right one."""
  number, to_group = random.choice(SIGNALS), random.random() < 0.5
  process = subprocess.Popen(
      [sys.executable, 'launch.py', *arguments], cwd=program.ROOT, text=True,
      env=program.environment(compiled), stdout=subprocess.PIPE,
      stderr=subprocess.PIPE, start_new_session=True)
  time.sleep(delay)
  for _ in range(signals):
    if process.poll() is None:
      (os.killpg if to_group else os.kill)(process.pid, number)
      time.sleep(random.uniform(0, 0.3))
  code, out, err = program.finish(process)
  deadline = time.monotonic() + 5
  while processes_of(process.pid) and time.monotonic() < deadline:
    time.sleep(0.1)
  wrong = []
  if code not in (0, 128 + number):
    wrong.append(f'status {code}')
  wrong += [text for text in ('Traceback', 'Exception', 'Warning')
            if text in err + out]
  if processes_of(process.pid):
    wrong.append('processes that remain')
  return ', '.join(wrong)


def main():
  """Runs the campaign."""
  seed, rounds = (*map(int, sys.argv[1:]), 0, 10)[:2]
  random.seed(seed)
  tried, wrong = collections.Counter(), collections.defaultdict(list)
  with tempfile.TemporaryDirectory() as folder:
    compiled, trained = f'{folder}/compiled', f'{folder}/trained'
    program.launch([*tiny.flags(), f'--workdir={trained}'], compiled)
    photos = tiny.write_photos(
        pathlib.Path(folder) / 'photos', train=500)
    endless = tiny.flags({'run.steps': 10**6, 'run.evaluate_every': 7})
    kinds = {
        'training': endless,
        'training with workers': [*endless, '--config.run.workers=2'],
        'the end of training': tiny.flags(),
        'prepare': [*tiny.flags({'data.name': 'folder', 'data.path': photos}),
                    '--task=prepare'],
        'bench': ['--config=configs/quickstart.py', '--task=bench'],
    } | {task: [f'--task={task}', f'--workdir={trained}']
         for task in AFTER_TRAINING}
    for number in range(rounds):
      for kind, arguments in kinds.items():
        if kind not in AFTER_TRAINING and kind != 'bench':
          arguments = [*arguments, f'--workdir={folder}/{kind}/{number}']
        reason = interrupt(arguments, compiled, random.uniform(0.05, 10),
                           random.choice([1, 2]))
        tried[kind] += 1
        wrong[kind] += [reason] if reason else []
    left = subprocess.run(['find', folder, '-name', '*.part'],
                          capture_output=True, text=True).stdout.split()
  for kind, count in tried.items():
    print(f'{kind:<24} {count:>4} tried, {count - len(wrong[kind]):>4} right',
          *wrong[kind])
  print('unfinished files:', len(left))


if __name__ == '__main__':
  main()
