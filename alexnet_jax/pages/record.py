"""What the files of a workdir say about its run, without its network."""

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from alexnet_jax import config_files, files
from alexnet_jax.config_files import fields
from alexnet_jax.errors import InputError
from alexnet_jax.results import claims, runs
from alexnet_jax.run import commands, journal, session


class Record(NamedTuple):
  """The records of a run, finished or not."""

  workdir: str
  path: str  # of the config, as --config takes it; '' if it is not known
  overrides: dict[str, str]  # of the command line: {'section.field': value}
  init_from: str
  lines: list[dict[str, Any]]  # of metrics.jsonl
  final: dict[str, Any]  # its last line, of the final test; {} if there is none
  machine: dict[str, Any]  # see session.describe_machine; {} in older runs

  @property
  def command(self) -> str:
    """A shell command that trains the same network; '' if it is not known."""
    if not self.path:
      return ''
    return runs.command(self.path, self.overrides, init_from=self.init_from,
                        workdir=self.workdir)


def read(workdir: str) -> Record:
  """Reads the records of a run.

  Raises:
    InputError: there are none, or they are damaged.
  """
  if journal.read_config(workdir) is None:
    raise InputError(f'{workdir} holds no run: give the --workdir of one, or'
                     ' train with --config=CONFIG.')
  try:
    path, overrides, init_from = commands.parse(journal.read_command(workdir))
  except ValueError:  # the file was changed
    path, overrides, init_from = '', {}, ''
  machine = files.read_json(os.path.join(workdir, session.MACHINE))
  return Record(
      os.path.normpath(workdir), claims.current_path(path), overrides,
      init_from, journal.read(workdir), journal.final_line(workdir) or {},
      machine if isinstance(machine, dict) else {})


def flat(config: Mapping[str, Any]) -> dict[str, str]:
  """Returns {'section.field': value as Python writes it} of a stored config."""
  # Through JSON, as configs are stored: tuples become lists and then tuples.
  stored = config_files.from_json(json.loads(json.dumps(config)))
  return {field: repr(value) for field, value in fields(stored)}


def defaults(path: str) -> dict[str, str]:
  """Returns the fields of a config file, as `flat` does.

  Only files in configs/ are read, as config files are programs, and a workdir
  may come from anywhere.

  Args:
    path: the config, as --config takes it.

  Returns:
    {} if the file is not in configs/ or cannot be read.
  """
  folder = os.path.join(claims.ROOT, claims.FOLDER)
  file = os.path.realpath(path.partition(':')[0])
  if not file.startswith(os.path.realpath(folder) + os.sep):
    return {}
  try:
    config = config_files.load(path)
  except (InputError, OSError):
    return {}
  return flat(config.to_dict())


def changed(record: Record,
            config: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
  """Yields (field, value, value in the config file) where these differ.

  If the config file is not there, the fields of the command line count, and
  their values in the file are ''.

  Args:
    record: the records of a run.
    config: its resolved config.
  """
  original = defaults(record.path)
  for field, value in flat(config).items():
    if field in original and original[field] != value:
      yield field, value, original[field]
    elif not original and field in record.overrides:
      yield field, value, ''
