"""A file is there whole or not at all, a folder has one writer."""

import errno
import fcntl
import os
import resource
import signal
import subprocess
import sys

import pytest

from alexnet_jax import files
from alexnet_jax.errors import InputError


def test_a_file_gets_its_name_at_the_end(tmp_path):
  path = tmp_path / 'new' / 'file'
  with files.atomic_write(str(path)) as file:
    file.write(b'whole')
    assert not path.exists()
  assert path.read_bytes() == b'whole'
  assert [one.name for one in path.parent.iterdir()] == ['file']


def test_what_goes_wrong_on_the_way_leaves_the_old_file(tmp_path):
  path = tmp_path / 'file'
  path.write_bytes(b'old')
  with pytest.raises(KeyError), files.atomic_write(str(path)) as file:
    file.write(b'half of the new one')
    raise KeyError
  assert path.read_bytes() == b'old'


def test_a_full_disk_leaves_the_old_file_and_no_part_of_the_new_one(tmp_path):
  path = tmp_path / 'file'
  path.write_bytes(b'old')
  os.symlink('/dev/full', f'{path}.part')  # a disk that is always full
  with pytest.raises(OSError) as error, files.atomic_write(str(path)) as file:
    file.write(b'new')
  assert [one.name for one in tmp_path.iterdir()] == ['file']
  assert path.read_bytes() == b'old'
  assert files.sentence_of(error.value) == (
      f'{path}: the disk is full: free some space, then run the same command'
      ' again; what was saved before is kept.')


def test_a_file_that_is_larger_than_allowed_leaves_no_part(tmp_path):
  path = tmp_path / 'file'
  limits = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
  try:
    with pytest.raises(OSError) as error, files.atomic_write(str(path)) as file:
      file.write(bytes(2000))
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
  assert not list(tmp_path.iterdir())
  assert f'{path}: the file would be larger' in files.sentence_of(error.value)


@pytest.mark.parametrize('content', [
    None, b'', b'{"half": ', b'\0\xff', b'[' * 10 ** 5, b'9' * 10 ** 5])
def test_json_that_is_damaged_reads_as_nothing(tmp_path, content):
  if content is not None:
    (tmp_path / 'file').write_bytes(content)
  assert files.read_json(str(tmp_path / 'file')) is None


# --- Errors -------------------------------------------------------------------


def of_the_system(number, path='/runs/a'):
  return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize('error, parts', [
    (of_the_system(errno.ENOSPC), ['/runs/a: ', 'full', 'free some space']),
    (of_the_system(errno.EDQUOT), ['/runs/a: ', 'quota', 'free some space']),
    (of_the_system(errno.EROFS), ['/runs/a: ', 'read-only', 'give a folder']),
    (of_the_system(errno.EACCES), ['/runs/a: ', 'permission denied']),
    (of_the_system(errno.ENOENT), ['/runs/a: ', 'removed', 'another path']),
    (of_the_system(errno.ENOTDIR), ['/runs/a: ', 'a file, not a folder']),
    (of_the_system(errno.ENAMETOOLONG), ['/runs/a: ', 'a shorter one']),
    (of_the_system(errno.EIO), ['/runs/a: ', 'the disk reports an error']),
    (of_the_system(errno.ENOSPC, b'/runs/a'), ['/runs/a: ', 'full']),
    (of_the_system(errno.ENOSPC, '/r/3.orbax-checkpoint-tmp/about/metadata'),
     ['/r: ', 'full']),
    (OSError(errno.ENOSPC, 'no name'), ['A file', 'full']),
    # As TensorStore and ArrayRecord say it.
    (ValueError(
        'RESOURCE_EXHAUSTED: Error writing "params.w/0.0" in OCDBT database at'
        ' local file "/r/checkpoints/3.orbax-checkpoint-tmp/state.orbax-'
        'checkpoint-tmp/": Failed writing: "/r/checkpoints/3.orbax-checkpoint-'
        'tmp/state.orbax-checkpoint-tmp/d/1": Failed to write 18106 bytes to'
        ' file 18: No space left on device'), ['/r/checkpoints: ', 'full']),
    (RuntimeError('write() failed: No space left on device; writing'
                  ' /r/train.part; at byte 307200'), ['/r/train: ', 'full']),
])
def test_an_error_of_the_file_system_is_one_sentence(error, parts):
  sentence = files.sentence_of(error)
  assert all(part in sentence for part in parts), sentence
  assert sentence.endswith('.') and '\n' not in sentence


def test_the_cause_of_an_error_counts():
  error = KeyError('state')
  error.__cause__ = of_the_system(errno.ENOSPC)
  assert 'full' in files.sentence_of(error)


@pytest.mark.parametrize('error', [
    KeyError('a'), ValueError('no device'), OSError(errno.EINVAL, 'odd'),
    ImportError('libcudnn.so: No such file or directory')])
def test_other_errors_have_no_sentence(error):
  assert files.sentence_of(error) == ''


# --- One writer at a time -----------------------------------------------------

HOLD = '''
import os, sys, time
from alexnet_jax import files
with files.hold(sys.argv[1], 'a training run'):
  if sys.argv[2] == 'fork' and not os.fork():
    os.setsid()
    time.sleep(60)
  print(os.getpid(), flush=True)
  time.sleep(60)
'''


@pytest.fixture
def holder(tmp_path):
  """A function that starts a process that writes tmp_path."""
  processes = []

  def start(manner='alone'):
    process = subprocess.Popen(
        [sys.executable, '-c', HOLD, str(tmp_path), manner],
        stdout=subprocess.PIPE, text=True)
    processes.append(process)
    assert process.stdout.readline() == f'{process.pid}\n'
    return process

  yield start
  for process in processes:
    process.kill()
    process.communicate()


def test_a_second_writer_is_refused_until_the_first_is_gone(holder, tmp_path):
  process = holder()
  with pytest.raises(InputError) as error, files.hold(str(tmp_path), 'codes'):
    pass
  for part in (f'{tmp_path} is in use by process {process.pid} on '
               f'{os.uname().nodename} (a training run)', 'another --workdir'):
    assert part in str(error.value)
  process.send_signal(signal.SIGKILL)  # leaves its file behind
  process.wait()
  assert (tmp_path / files.LOCK).exists()
  with files.hold(str(tmp_path), 'codes'):
    assert files.read_json(str(tmp_path / files.LOCK)) == {
        'host': os.uname().nodename, 'process': os.getpid(), 'what': 'codes'}
  assert not (tmp_path / files.LOCK).exists()


@pytest.mark.skipif(not os.path.isdir('/proc'), reason='finds it in /proc')
def test_a_worker_that_outlives_its_parent_does_not_hold_the_folder(
    tmp_path):
  process = subprocess.Popen(
      [sys.executable, '-c', HOLD, str(tmp_path), 'fork'],
      stdout=subprocess.PIPE, text=True)
  process.stdout.readline()
  worker, = (int(pid) for pid in os.listdir('/proc') if pid.isdecimal()
             and parent_of(pid) == process.pid)
  process.send_signal(signal.SIGKILL)
  process.wait()
  try:
    os.kill(worker, 0)  # it still lives
    with files.hold(str(tmp_path), 'a training run'):
      pass
  finally:
    os.kill(worker, signal.SIGKILL)


def parent_of(pid):
  try:
    with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
      return int(file.read().rpartition(')')[2].split()[1])
  except OSError:
    return None


@pytest.mark.parametrize('left', [b'', b'\0\0', b'[]', b'{"host": "moon"}'])
def test_a_file_that_a_dead_process_left_does_not_count(tmp_path, left):
  (tmp_path / files.LOCK).write_bytes(left)
  with files.hold(str(tmp_path), 'a training run'):
    pass


@pytest.mark.parametrize('number', [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_reported_and_used(
    tmp_path, monkeypatch, capsys, number):
  def no_locks(*arguments):
    raise of_the_system(number)

  monkeypatch.setattr(fcntl, 'lockf', no_locks)
  with files.hold(str(tmp_path), 'a training run'):
    pass
  err = capsys.readouterr().err
  assert f'{tmp_path} is on a file system without locks' in err
