"""The stored command line of a run, and what it says of the run's start."""

import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.results import runs
from alexnet_jax.run import commands, journal

NEW = 'python launch.py --config=a.py'
TUNED = f'{NEW} --init_from=runs/x'


@pytest.mark.parametrize('command, parts', [
    ('python launch.py --config=a.py:b --workdir=w', ('a.py:b', {}, '')),
    ("python launch.py --config a.py '--config.model.kernels=(1, 2)'",
     ('a.py', {'model.kernels': '(1, 2)'}, '')),
    ('launch.py -config=a.py --noconfig.model.dropout --config.data.path /x'
     ' --config.data.reshuffle --init_from=/y',
     ('a.py', {'model.dropout': 'False', 'data.path': '/x',
               'data.reshuffle': 'True'}, '/y')),
    ("launch.py --config '' --init_from=/y", ('', {}, '/y')),
])
def test_a_command_line_is_read_as_the_shell_reads_it(command, parts):
  assert commands.parse(command) == parts


def test_a_command_that_was_written_is_read_back():
  fields = {'model.kernels': '(1, 2)', 'data.path': "/a b/'c'"}
  assert commands.parse(runs.command('a.py', fields, init_from='/x y')) == (
      'a.py', fields, '/x y')


@pytest.fixture
def stored(tmp_path):
  """f(command line) -> a workdir with it."""

  def write(command):
    (tmp_path / journal.COMMAND).write_text(command + '\n')
    return str(tmp_path)

  return write


@pytest.mark.parametrize('command, began', [
    (NEW, ''), (TUNED, 'runs/x'), ('', None), ('python "launch.py', None)])
def test_a_run_says_what_it_began_with(stored, command, began):
  assert commands.began_with(stored(command)) == began


def test_what_was_imported_did_not_begin_with_new_parameters(stored, tmp_path):
  (tmp_path / commands.IMPORTED).write_text('Took conv1 to fc8.')
  workdir = stored(NEW)
  assert commands.began_with(workdir) is None
  assert commands.resumed(workdir, NEW) == NEW


@pytest.mark.parametrize('before, given, after', [
    (NEW, NEW, NEW), (TUNED, TUNED, TUNED), (NEW, '', ''), (TUNED, '', ''),
    (TUNED, f'{NEW} --init_from=./runs/x/', f'{NEW} --init_from=./runs/x/'),
    ('', TUNED, TUNED), (TUNED, f'{NEW} --config.seed=1',
                         f'{NEW} --config.seed=1 --init_from=runs/x')])
def test_a_run_that_goes_on_still_says_what_it_began_with(
    stored, before, given, after):
  assert commands.resumed(stored(before), given) == after


@pytest.mark.parametrize('before, origin', [
    (NEW, 'new parameters'), (TUNED, 'the parameters of runs/x')])
def test_other_parameters_than_it_began_with_are_refused(
    stored, before, origin):
  workdir = stored(before)
  with pytest.raises(InputError) as refused:
    commands.resumed(workdir, f'{NEW} --init_from=runs/y')
  assert str(refused.value) == (
      f'--init_from=runs/y: the run in --workdir={workdir} began with {origin}'
      ' and goes on from its own: leave out --init_from, or give another'
      ' --workdir.')
