"""Several processes find each other, or all say why not."""

import socket
import time
from concurrent import futures

import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.run import roll_call

SETTINGS = {'config.seed': '0', '--workdir': 'runs/a'}


def free_port():
  with socket.socket() as free:
    free.bind(('localhost', 0))
    return free.getsockname()[1]


def sentences(*members, timeout=2.0):
  """What each (process, num_processes[, settings]) says: '' if all is well."""
  port = free_port()

  def call(member):
    process, count, settings = (*member, SETTINGS)[:3]
    try:
      roll_call.wait_for_all(roll_call.Member(
          process, count, 'localhost', port, settings), timeout)
    except InputError as error:
      return str(error).replace(str(port), 'PORT')
    return ''

  with futures.ThreadPoolExecutor(len(members)) as pool:
    return list(pool.map(call, members))


@pytest.mark.parametrize('count', [2, 4])
def test_processes_find_each_other(count):
  assert sentences(*((i, count) for i in range(count))) == [''] * count


def test_all_say_who_is_missing():
  sentence = ('process 2 of 3 did not start within 2 s: start it with the same'
              ' command, or give another --num_processes or a longer'
              ' --start_timeout.')
  assert sentences((0, 3), (1, 3)) == [sentence] * 2
  assert sentences((0, 4))[0].startswith('processes 1, 2, 3 of 4 did not start')


def test_without_process_0_the_others_say_so():
  assert sentences((1, 2), timeout=0.5) == [
      '--coordinator=localhost:PORT did not answer within 0 s (Connection'
      ' refused): start process 0 there, check the address, or give a longer'
      ' --start_timeout.']


def test_a_number_that_occurs_twice():
  sentence = ('two processes were started with --process=1: give each process a'
              ' number of its own.')
  assert sentences((0, 3), (1, 3), (1, 3)) == [sentence] * 3


def test_process_0_twice():
  first, second = sentences((0, 2), (0, 2), timeout=0.5)
  assert '--coordinator: port PORT cannot be used (Address already in use)' in (
      max(first, second, key=lambda text: 'PORT' in text))


@pytest.mark.parametrize('member, difference', [
    ((1, 3), ('--num_processes=3', '--num_processes=2')),
    ((2, 3), ('--num_processes=3', '--num_processes=2')),
    ((1, 2, SETTINGS | {'config.seed': '1'}),
     ('config.seed=1', 'config.seed=0')),
    ((1, 2, SETTINGS | {'--init_from': 'a'}),
     ('--init_from=a', '--init_from=nothing')),
    ((1, 2, {'config.seed': '0'}), ('--workdir=nothing', '--workdir=runs/a')),
])
def test_processes_that_were_started_differently(member, difference):
  theirs, ours = difference
  sentence = (f'process {member[0]} was started with {theirs} and process 0'
              f' with {ours}: start all processes with the same command.')
  assert sentences((0, 2), member) == [sentence] * 2


def test_a_port_of_another_program():
  with socket.create_server(('localhost', 0)) as server:
    port = server.getsockname()[1]
    with pytest.raises(InputError, match='cannot be used'):
      roll_call.wait_for_all(roll_call.Member(0, 2, 'localhost', port, {}), 1.0)
    with futures.ThreadPoolExecutor(1) as pool:
      caller = pool.submit(roll_call.wait_for_all, roll_call.Member(
          1, 2, 'localhost', port, {}), 0.5)
      server.accept()[0].sendall(b'HTTP/1.1 400 Bad Request\r\n\r\n')
      with pytest.raises(InputError, match='is used by another program'):
        caller.result()


def test_what_else_knocks_at_the_port_does_not_disturb():
  port = free_port()
  members = [roll_call.Member(i, 2, 'localhost', port, {}) for i in (0, 1)]
  with futures.ThreadPoolExecutor(2) as pool:
    first = pool.submit(roll_call.wait_for_all, members[0], 5.0)
    while True:
      try:
        with socket.create_connection(('localhost', port)) as stranger:
          stranger.sendall(b'GET / HTTP/1.1\r\n\r\n')
        break
      except OSError:
        continue
    second = pool.submit(roll_call.wait_for_all, members[1], 5.0)
    assert first.result() is second.result() is None


def test_a_process_may_be_started_again_while_others_are_awaited():
  port = free_port()
  members = [roll_call.Member(i, 3, 'localhost', port, {}) for i in range(3)]
  with futures.ThreadPoolExecutor(3) as pool:
    calls = [pool.submit(roll_call.wait_for_all, members[0], 10.0)]
    while True:
      time.sleep(0.05)  # a connection may get this very port as its own
      try:
        died = socket.create_connection(('localhost', port))
        break
      except OSError:
        continue
    died.sendall(
        b'alexnet_jax {"process": 1, "num_processes": 3, "settings": {}}\n')
    died.close()
    calls += [pool.submit(roll_call.wait_for_all, member, 10.0)
              for member in members[1:]]
    assert [call.result() for call in calls] == [None] * 3
