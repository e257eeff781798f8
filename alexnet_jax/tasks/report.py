"""--task=report: writes our numbers beside those of the paper, as Markdown.

This task reads all finished runs below --workdir. It needs no config and no
data. --form=overfit prints only the ablations of this form, seed by seed.
"""

import os
from collections.abc import Iterable

from absl import flags

from alexnet_jax import files
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.errors import InputError
from alexnet_jax.results import (
  claims,
  claims_of_no_config,
  report_table,
  runs,
  seeds_table,
)
from alexnet_jax.results.runs import Run

CONFIG = 'unused'
NAME = 'report.md'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'out', '', 'The file to write; WORKDIR/report.md unless given, and none'
      ' for --form.',
      flag_values=values)
  flags.DEFINE_string(
      'form', '', 'A form of configs/ablations.py, such as overfit: prints its'
      ' table alone, seed by seed.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Writes and prints the report, or prints the table of one form."""
  folder, values = invocation.workdir or 'runs', invocation.flags
  if values.form:
    table = by_seed(folder, values.form)
    if values.out:
      with files.atomic_write(os.path.expanduser(values.out)) as file:
        file.write(table.encode())
    print(table, end='')
  else:
    report(folder, values.out)


def by_seed(folder: str, form: str) -> str:
  """Returns the ablations of one form in a folder as Markdown, seed by seed.

  Raises:
    InputError: no run of this form is finished.
  """
  return seeds_table.as_markdown(
      form, claims.read(), read_finished(folder, runs.workdirs(folder)))


def report(folder: str, out: str = '') -> str:
  """Writes and prints the report on all runs in a folder.

  Args:
    folder: a folder that contains workdirs, at any depth.
    out: the file to write; '' is FOLDER/report.md.

  Returns:
    The Markdown.

  Raises:
    InputError: there is no finished run, or the file cannot be written.
  """
  workdirs = runs.workdirs(folder)
  finished = read_finished(folder, workdirs)
  done = {run.workdir for run in finished}
  text = report_table.as_markdown(
      folder,
      claims.in_order([*claims.read(), *claims_of_no_config.CLAIMS]),
      finished, [workdir for workdir in workdirs if workdir not in done])
  out = out or os.path.join(folder, NAME)
  try:
    with open(out, 'a', encoding='utf-8'):  # refuses a missing folder
      pass
    with files.atomic_write(out) as file:
      file.write(text.encode())
  except OSError as error:
    raise InputError(f'--out={out} cannot be written ({error.strerror}): give'
                     ' a file in an existing folder.') from error
  print(text, end='')
  return text


def read_finished(folder: str, workdirs: Iterable[str]) -> list[Run]:
  """Reads the finished runs of some workdirs.

  Args:
    folder: the folder that contains them, for the message.
    workdirs: the workdirs.

  Raises:
    InputError: there is no finished run.
  """
  finished = [run for run in map(runs.read, workdirs) if run]
  if not finished:
    raise InputError(
        f'--workdir={folder} holds no finished run: give a folder that contains'
        ' workdirs of runs, or train with --task=train or --task=compare.')
  return finished
