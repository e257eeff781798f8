"""Signals end the program with one line, whatever it is doing."""

import os
import signal
import subprocess
import sys
import time

import program
import pytest
import tiny

# What each test adds runs in a process that watches for signals.
WATCHING = """
import os, sys, threading, time
from alexnet_jax import files, signals
signals.watch()
"""
READY = "print('ready', flush=True)\n"


@pytest.fixture(autouse=True)
def hangups_reach_children():
  """Under `nohup` too: children inherit SIG_IGN, and no handler."""
  before = signal.signal(signal.SIGHUP, lambda *_: None)
  yield
  signal.signal(signal.SIGHUP, before)


def start(script):
  """Starts a script and waits until it prints that it is ready."""
  process = subprocess.Popen(
      [sys.executable, '-c', WATCHING + script], cwd=program.ROOT, text=True,
      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
  assert process.stdout.readline() == 'ready\n'
  return process


def end(process, number, timeout=20):
  """(exit code, standard error) after a signal."""
  process.send_signal(number)
  code, _, err = program.finish(process, timeout)
  return code, err


def stopped_by(number):
  return (f'launch.py: stopped by {number.name}; start the same command again'
          ' to go on or to repeat it.\n')


@pytest.mark.parametrize('number', [
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_program_with_one_line(number):
  assert end(start(READY + 'time.sleep(60)'), number) == (
      128 + number, stopped_by(number))


@pytest.mark.parametrize('busy', [
    # Neither waits for Python code of the main thread to go on.
    'lock = threading.Lock(); lock.acquire(); lock.acquire()',
    'list(range(3)) and os.read(os.pipe()[0], 1)'])
def test_the_main_thread_may_be_waiting(busy):
  code, err = end(start(READY + busy + '\ntime.sleep(60)'), signal.SIGTERM)
  assert (code, err) == (143, stopped_by(signal.SIGTERM))


def test_the_first_signal_may_be_a_request_and_the_second_ends():
  process = start(
      "signals.on_first(lambda: print('asked', flush=True))\n"
      + READY + 'time.sleep(60)')
  process.send_signal(signal.SIGINT)
  assert process.stdout.readline() == 'asked\n'
  assert end(process, signal.SIGINT) == (130, stopped_by(signal.SIGINT))


def test_an_unfinished_file_is_removed(tmp_path):
  path = tmp_path / 'whole.txt'
  path.write_text('old')
  process = start(f"""
with files.atomic_write({str(path)!r}) as file:
  file.write(b'half')
  file.flush()
  {READY.strip()}
  time.sleep(60)
""")
  assert os.listdir(tmp_path) == ['whole.txt', 'whole.txt.part']
  assert end(process, signal.SIGTERM)[0] == 143
  assert os.listdir(tmp_path) == ['whole.txt']
  assert path.read_text() == 'old'


def test_a_signal_is_not_lost_when_the_program_starts_over(tmp_path):
  script = tmp_path / 'script.py'
  script.write_text(WATCHING.replace('signals.watch', 'signals.block') + """
if sys.argv[1:]:
  os.kill(os.getpid(), 2)
  os.execv(sys.executable, [sys.executable, sys.argv[0]])
signals.watch()
time.sleep(60)
""")
  done = subprocess.run(
      [sys.executable, script, 'again'], capture_output=True, text=True,
      env=os.environ | {'PYTHONPATH': program.ROOT}, timeout=60)
  assert (done.returncode, done.stderr) == (130, stopped_by(signal.SIGINT))


def test_a_signal_to_the_whole_group_leaves_the_children_to_their_parent():
  process = start(f"""
import subprocess
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1)'])
signals.on_first(lambda: os._exit(child.wait()))
{READY}
time.sleep(60)
""")
  os.kill(process.pid, signal.SIGINT)
  children = subprocess.run(
      ['ps', '-o', 'pid=', '--ppid', str(process.pid)], capture_output=True,
      text=True).stdout.split()
  for child in children:  # a terminal sends Ctrl-C to all of them
    os.kill(int(child), signal.SIGINT)
  code, _, err = program.finish(process)
  assert (code, err) == (0, '')


def test_a_program_under_nohup_ignores_a_hangup():
  process = subprocess.Popen(
      ['nohup', sys.executable, '-c', WATCHING + READY + 'time.sleep(60)'],
      cwd=program.ROOT, text=True, stdout=subprocess.PIPE,
      stderr=subprocess.PIPE)
  assert process.stdout.readline() == 'ready\n'
  process.send_signal(signal.SIGHUP)
  time.sleep(0.3)
  assert process.poll() is None
  assert end(process, signal.SIGTERM)[0] == 143


# --- The program --------------------------------------------------------------


def test_signals_in_the_first_second(compiled):
  """While modules are imported, or a little earlier or later."""
  numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
  processes = [program.start(tiny.flags(), compiled) for _ in numbers]
  time.sleep(0.7)
  for process, number in zip(processes, numbers, strict=True):
    process.send_signal(number)
  for process, number in zip(processes, numbers, strict=True):
    code, out, err = program.finish(process)
    assert (code, out, err) == (128 + number, '', stopped_by(number))


def test_an_interrupted_preparation_leaves_no_part(compiled, tmp_path):
  photos = tiny.write_photos(tmp_path / 'photos')
  for i in range(2000):
    os.link(f'{photos}/train/cat/0.png', f'{photos}/train/cat/more{i}.png')
  records = tmp_path / 'records'
  process = program.start(
      [*tiny.flags({'data.name': 'folder', 'data.path': photos}),
       '--task=prepare', f'--workdir={records}'], compiled)
  program.wait_for(lambda: list(records.glob('*.part')), process)
  code, err = end(process, signal.SIGINT)
  assert code == 130 and err.endswith(stopped_by(signal.SIGINT))
  assert 'Traceback' not in err
  assert not list(records.glob('*.part'))


@pytest.mark.parametrize('arguments', [
    ['--help'], ['--task=predict', '--help'],
    ['--config=configs/paper.py', '--task=describe']])
def test_output_that_nobody_reads_is_no_error(compiled, arguments):
  process = program.start(arguments, compiled)
  process.stdout.close()  # as `| head` does
  err = process.stderr.read()
  assert (process.wait(60), err) == (128 + signal.SIGPIPE, '')


def test_a_script_under_ipython_is_left_alone(tmp_path):
  # %run sets __name__; the process and its signals are the notebook's.
  script = """
import runpy, signal, sys, types
sys.modules['IPython'] = types.ModuleType('IPython')
sys.argv = ['launch.py', '--help']
try:
  runpy.run_path('launch.py', run_name='__main__')
except SystemExit as end:
  print(end.code, signal.pthread_sigmask(signal.SIG_BLOCK, []))
"""
  done = subprocess.run(
      [sys.executable, '-c', script], cwd=program.ROOT, capture_output=True,
      text=True, env={name: value for name, value in os.environ.items()
                      if name != 'GLIBC_TUNABLES'})
  assert done.stdout.splitlines()[-1] == '0 set()', done.stderr
