"""Files: atomic writes, folders with one writer, and errors in one sentence."""

import errno
import fcntl
import json
import os
import re
import socket
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO

from alexnet_jax import signals
from alexnet_jax.errors import InputError, one_line

LOCK = '.lock'  # in a folder that a process is writing
# Errors of file systems that have no locks.
NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)
AGAIN = 'then run the same command again; what was saved before is kept'
ROOM = f'free some space, {AGAIN}'
# What an error of the operating system means, and what to do.
MEANINGS = {
    errno.ENOSPC: f'the disk is full: {ROOM}',
    errno.EDQUOT: f'the disk quota is used up: {ROOM}',
    errno.EFBIG: ('the file would be larger than this system allows: raise'
                  f' `ulimit -f`, {AGAIN}'),
    errno.EROFS: ('the file system is read-only: give a folder that can be'
                  ' written, or mount it for writing'),
    errno.EACCES: ('permission denied: change the permissions, or give another'
                   ' path'),
    errno.EPERM: ('this is not permitted: change the permissions, or give'
                  ' another path'),
    errno.ENOENT: ('it does not exist, or was removed while the program ran:'
                   ' put it back or give another path, then run the same'
                   ' command again'),
    errno.ENOTDIR: 'a part of this path is a file, not a folder: give another',
    errno.EISDIR: 'it is a folder: remove it, or give the path of a file',
    errno.EEXIST: 'a file is in the way: remove it, or give another path',
    errno.ENAMETOOLONG: 'the name is too long: give a shorter one',
    errno.ELOOP: 'its links form a loop: give another path',
    errno.EIO: ('the disk reports an error: check it, or give a path on another'
                ' one'),
    errno.ESTALE: f'the network file system lost it: mount it again, {AGAIN}',
    errno.ENOTCONN: f'the file system is gone: mount it again, {AGAIN}',
    errno.EMFILE: f'too many open files: raise `ulimit -n`, {AGAIN}',
}


# --- Writing and reading ------------------------------------------------------


@contextmanager
def atomic_write(path: str) -> Generator[BinaryIO]:
  """Opens PATH.part for writing and renames it to `path` when the block ends.

  Missing folders are created. If the block raises, PATH.part is removed and an
  existing file at `path` is unchanged. The content reaches the disk before the
  new name does, so that a power failure leaves the old file or the new one.

  Raises:
    OSError: the file cannot be written; the error names `path`.
  """
  part = f'{path}.part'
  signals.unfinished.add(part)
  try:
    with errors_name(path, part):
      os.makedirs(os.path.dirname(path) or '.', exist_ok=True)
      with open(part, 'wb') as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
      os.replace(part, path)
  except BaseException:
    with suppress(OSError):
      os.remove(part)
    raise


@contextmanager
def errors_name(path: str, temporary: str | None = None) -> Generator[None]:
  """Gives errors of the file system in the block a path.

  An error in a write to an open file has none.

  Args:
    path: the file that the block writes.
    temporary: its name while it is written, replaced by `path` in errors.

  Raises:
    OSError: an error in the block, with `path`.
  """
  try:
    yield
  except OSError as error:
    if error.errno and error.filename in (None, temporary):
      raise OSError(error.errno, error.strerror, path) from error
    raise


def write_json(path: str, content: Any) -> None:
  """Atomically writes `content` as indented JSON with a final newline."""
  with atomic_write(path) as file:
    file.write(json.dumps(content, indent=2).encode() + b'\n')


def read_json(path: str) -> Any:
  """Reads a JSON file; None if it is missing or damaged."""
  try:
    with open(path, 'rb') as file:
      return json.loads(file.read())
  # Garbage may nest so deeply that the parser gives up.
  except (OSError, ValueError, RecursionError):
    return None


# --- One writer at a time -----------------------------------------------------


@contextmanager
def hold(folder: str, what: str) -> Generator[None]:
  """Keeps other processes from writing a folder while the block runs.

  The operating system releases the lock of a process that dies, however it
  dies, and processes that it has forked do not inherit it.

  Args:
    folder: the folder; created if it does not exist.
    what: what is done in it, in the sentence that refuses another process:
      'a training run'.

  Raises:
    InputError: another process is writing the folder.
    OSError: the folder cannot be written.
  """
  os.makedirs(folder, exist_ok=True)
  path = os.path.join(folder, LOCK)
  file = _locked(path, folder)
  try:
    with suppress(OSError):  # a full disk has no room for who holds the lock
      os.ftruncate(file, 0)
      os.pwrite(file, json.dumps({
          'host': socket.gethostname(), 'process': os.getpid(),
          'what': what}).encode(), 0)
    yield
  finally:
    with suppress(OSError):
      os.remove(path)
    os.close(file)


def _locked(path: str, folder: str) -> int:
  """Opens and locks a file; a descriptor."""
  while True:
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
      fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
      if error.errno in NO_LOCKS:
        print(f'{folder} is on a file system without locks: make sure that no'
              ' other process writes it.', file=sys.stderr)
        return file
      os.close(file)
      if error.errno not in (errno.EAGAIN, errno.EACCES):
        raise OSError(error.errno, error.strerror, path) from error
      raise InputError(_in_use(path, folder)) from error
    # The process that had the lock may have removed the file meanwhile.
    with suppress(FileNotFoundError):
      if os.path.samestat(os.fstat(file), os.stat(path)):
        return file
    os.close(file)


def _in_use(path, folder):
  holder = read_json(path)
  if not isinstance(holder, dict):
    return (f'{folder} is in use by another process: wait for its end, or give'
            ' another --workdir.')
  return (f'{folder} is in use by process {holder.get("process")} on'
          f' {holder.get("host")} ({holder.get("what")}): wait for its end,'
          ' stop it, or give another --workdir.')


# --- Errors -------------------------------------------------------------------


def sentence_of(error: BaseException) -> str:
  """Returns what an error of the file system means and what to do.

  The libraries that write checkpoints and records raise other exceptions than
  OSError, with the words of the operating system in their text.

  Returns:
    A sentence that names the path, or '' if the error is of another kind.
  """
  for cause in _causes(error):
    number, path = _number_and_path(cause)
    if number in MEANINGS:
      # Temporary names mean nothing to a reader.
      path = re.sub(r'/[^/]*\.orbax-checkpoint-tmp.*|\.part$', '', path)
      return (f'{path or "A file cannot be written or read"}:'
              f' {MEANINGS[number]}.')
  return ''


def reason_of(error: BaseException) -> str:
  """Returns why something could not be done, on one line, for any error."""
  return sentence_of(error) or one_line(error) or type(error).__name__


def _causes(error: BaseException | None) -> Iterator[BaseException]:
  while error is not None:
    yield error
    error = error.__cause__


def _number_and_path(error):
  if isinstance(error, OSError):
    return error.errno, os.fsdecode(error.filename or '')
  if type(error) not in (ValueError, RuntimeError):  # of the libraries
    return None, ''
  text = str(error)
  number = next((number for number in MEANINGS if os.strerror(number) in text),
                None)
  if number is None and text.startswith('NOT_FOUND'):  # as TensorStore says it
    number = errno.ENOENT
  # The innermost cause comes last.
  paths = re.findall(r'(?<![\w.])/[^\s"\';:,]+', text)
  return number, paths[-1] if paths else ''
