"""The command line of a run, and the parameters that the run began with."""

import itertools
import os
import re
import shlex

from alexnet_jax.errors import InputError
from alexnet_jax.run import journal

IMPORTED = 'imported.txt'  # what --task=import took


def parse(command_line: str) -> tuple[str, dict[str, str], str]:
  """Parses a command line into config path, overrides and --init_from."""
  path, overrides, init_from = '', {}, ''
  words = shlex.split(command_line)
  for word, next_word in itertools.pairwise([*words, '-']):
    match = re.fullmatch(
        r'--?(no)?(config|init_from)(?:\.([\w.]+))?(?:=(.*))?', word, re.DOTALL)
    if not match:
      continue
    no, flag, field, value = match.groups()
    if value is None:  # --config FILE, --config.model.dropout
      value = ('False' if no else 'True') if next_word.startswith(
          '-') else next_word
    if field:
      overrides[field] = value
    elif flag == 'config':
      path = value
    else:
      init_from = value
  return path, overrides, init_from


def began_with(workdir: str) -> str | None:
  """Returns the --init_from of a run, '' if it began with new parameters.

  None: the workdir does not say it, or --task=import made it.
  """
  command_line = journal.read_command(workdir).strip()
  if not command_line or os.path.exists(os.path.join(workdir, IMPORTED)):
    return None
  try:
    return parse(command_line)[2]
  except ValueError:  # the file was changed
    return None


def resumed(workdir: str, command_line: str) -> str:
  """Returns the command line to store for a run that goes on.

  It has the --init_from that the run began with, since that of a command that
  resumes a run is not used.

  Raises:
    InputError: it has another --init_from than the run began with.
  """
  began = began_with(workdir)
  given = parse(command_line)[2]
  if began is None or not command_line or _same(given, began):
    return command_line
  if given:
    origin = f'the parameters of {began}' if began else 'new parameters'
    raise InputError(
        f'--init_from={given}: the run in --workdir={workdir} began with'
        f' {origin} and goes on from its own: leave out --init_from, or give'
        ' another --workdir.')
  return f'{command_line} {shlex.quote(f"--init_from={began}")}'


def _same(path: str, other: str) -> bool:
  """Returns whether two values of --init_from name the same thing."""
  if not path or not other:
    return path == other
  return os.path.realpath(os.path.expanduser(path)) == os.path.realpath(
      os.path.expanduser(other))
