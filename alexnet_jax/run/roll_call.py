"""The roll call of several processes, before JAX connects them.

Process 0 listens at the coordinator's address until all others have called,
compares what they were started with, and answers everybody with the same
sentence, which is empty if the run can start. JAX itself ends a process with a
dump of its stack if another is missing or two have the same number.
"""

import json
import os
import socket
import time
from collections.abc import Mapping
from typing import NamedTuple

from alexnet_jax.errors import InputError

GREETING = 'alexnet_jax'  # first word of a call and of its answer
PAUSE = 0.2  # seconds between two calls
ANSWER_SECONDS = 5.0  # process 0 may reach the end of its time a little later


class Member(NamedTuple):
  """One process of a run."""

  process: int
  num_processes: int
  host: str  # of process 0
  port: int
  settings: Mapping[str, str]  # that all processes share, by name


def wait_for_all(member: Member, timeout: float) -> None:
  """Waits until all processes are there.

  Args:
    member: this process.
    timeout: how long to wait, in seconds.

  Raises:
    InputError: they are not, a number occurs twice, or the settings differ;
      raised in every process that has called.
  """
  deadline = time.monotonic() + timeout
  sentence = (_call if member.process else _listen)(member, deadline, timeout)
  if sentence:
    raise InputError(sentence)


def _listen(member, deadline, timeout):
  """Process 0: returns the sentence that all others get."""
  callers: dict[int, socket.socket] = {}
  refused, sentence = [], ''
  try:
    # A port that is in use, if only by gRPC, is an error.
    server = (socket.create_server(('', member.port), family=socket.AF_INET6,
                                   dualstack_ipv6=True)
              if socket.has_dualstack_ipv6()
              else socket.create_server(('', member.port)))
  except OSError as error:
    return (f'--coordinator: port {member.port} cannot be used'
            f' ({os.strerror(error.errno or 0)}): end the other process 0, or'
            ' give all processes another port.')
  with server:
    while not sentence:
      callers = _waiting(callers)
      if len(callers) == member.num_processes - 1:
        break
      server.settimeout(max(0.01, deadline - time.monotonic()))
      try:
        connection, _ = server.accept()
      except TimeoutError:
        sentence = _missing(member, callers, timeout)
        break
      call = _read(connection, 1.0)
      callers = _waiting(callers)  # one may have been started again
      number = call.get('process')
      if number is None:  # not one of us
        connection.close()
        continue
      sentence = _difference(member, call) or (
          _twice(number) if number in callers else '')
      if sentence:
        refused.append(connection)
      else:
        callers[number] = connection
    for connection in [*refused, *callers.values()]:
      _send(connection, {'sentence': sentence})
      connection.close()
  return sentence


def _call(member, deadline, timeout):
  """Other processes: returns the answer of process 0."""
  reason, answered = '', False
  while time.monotonic() < deadline:
    try:
      with socket.create_connection(
          (member.host, member.port),
          max(0.1, deadline - time.monotonic())) as connection:
        _send(connection, {
            'process': member.process, 'num_processes': member.num_processes,
            'settings': dict(member.settings)})
        answer = _read(
            connection, deadline - time.monotonic() + ANSWER_SECONDS)
      if 'sentence' in answer:
        return answer['sentence']
      answered = True
    except OSError as error:
      reason = error.strerror or str(error)
    time.sleep(PAUSE)
  address = f'--coordinator={member.host}:{member.port}'
  if answered:
    return (f'{address} is used by another program, or by a run that has'
            f' already started with its process {member.process}: end it, or'
            ' give another port.')
  return (f'{address} did not answer within {timeout:.0f} s ({reason}): start'
          ' process 0 there, check the address, or give a longer'
          ' --start_timeout.')


def _missing(member, callers, timeout):
  numbers = [number for number in range(1, member.num_processes)
             if number not in callers]
  one = len(numbers) == 1
  return (f'process{"" if one else "es"} {", ".join(map(str, numbers))} of'
          f' {member.num_processes} did not start within {timeout:.0f} s: start'
          f' {"it" if one else "them"} with the same command, or give another'
          ' --num_processes or a longer --start_timeout.')


def _twice(number):
  return (f'two processes were started with --process={number}: give each'
          ' process a number of its own.')


def _difference(member, call):
  theirs = {'--num_processes': str(call['num_processes']), **call['settings']}
  ours = {'--num_processes': str(member.num_processes), **member.settings}
  for name in [*ours, *(name for name in theirs if name not in ours)]:
    if ours.get(name) != theirs.get(name):
      a, b = (settings.get(name, 'nothing') for settings in (theirs, ours))
      return (f'process {call["process"]} was started with {name}={a} and'
              f' process 0 with {name}={b}: start all processes with the same'
              ' command.')
  if not 0 < call['process'] < member.num_processes:
    return _twice(call['process'])
  return ''


def _send(connection, content):
  try:
    connection.settimeout(ANSWER_SECONDS)
    connection.sendall(
        f'{GREETING} {json.dumps(content)}\n'.encode())
  except OSError:  # its process has ended
    return


def _waiting(callers):
  return {number: caller for number, caller in callers.items()
          if not _has_ended(caller)}


def _has_ended(connection):
  """Whether the other side is gone instead of waiting."""
  connection.settimeout(0)
  try:
    return not connection.recv(1, socket.MSG_PEEK)
  except BlockingIOError:
    return False
  except OSError:
    return True


def _read(connection, timeout):
  """One line of the other side; {} if it is not of a roll call."""
  connection.settimeout(max(0.1, timeout))
  try:
    with connection.makefile('rb') as file:
      word, _, text = file.readline(2**20).decode().partition(' ')
    content = json.loads(text) if word == GREETING else {}
  except (OSError, ValueError):
    return {}
  return content if isinstance(content, dict) else {}
