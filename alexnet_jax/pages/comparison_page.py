"""compare.html: several runs side by side, made after --task=compare."""

import os
import shlex
import urllib.parse
from collections.abc import Sequence

from alexnet_jax import files
from alexnet_jax.errors import printable
from alexnet_jax.figures import curves
from alexnet_jax.pages import markup, record, run_page
from alexnet_jax.pages.markup import Section
from alexnet_jax.results import runs
from alexnet_jax.results.runs import Run
from alexnet_jax.run import journal

NAME = 'compare.html'
# Fields in which runs may differ without being another experiment.
SET_BY_COMPARE = ('seed',)
NOTE = ('The difference is to the first config, in percent points: above nought'
        ' is worse. With several seeds a number is a mean and its standard'
        ' error, and differences are taken seed by seed.')


def make(workdir: str, trained: Sequence[tuple[str, Sequence[Run]]],
         head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """Writes the page of a comparison; never raises an error.

  Args:
    workdir: the folder of all runs, where the page is written.
    trained: pairs of (config as given, its finished runs).
    head: the heading of each column of the table of errors.
    rows: the cells of the table of errors.

  Returns:
    A sentence that says where the page is, or why there is none.
  """
  try:
    page = markup.page(
        f'{len(trained)} configs compared',
        f'{trained[0][0]} and {_count(len(trained) - 1, "other")},'
        f' {_count(len(trained[0][1]), "seed")} each.',
        [Section('errors', 'Errors', markup.paragraph(NOTE, 'note')
                 + markup.table(head, [
                     [cell.replace('+-', '±') for cell in row]
                     for row in rows])),
         Section('curves', 'How training went', _curves(trained)),
         Section('fields', 'Which fields differ', _fields(trained)),
         Section('runs', 'Runs', _runs(workdir, trained))],
        f'{NAME} of {os.path.abspath(workdir)}. This file needs no other file'
        ' and no network; the links to the pages of single runs work where it'
        ' was made.')
    path = os.path.join(workdir, NAME)
    markup.write(path, page)
  except Exception as error:  # the runs are finished, with a page or without
    return ('The comparison is finished, but its page could not be made'
            f' ({printable(files.reason_of(error))}): the same command tries it'
            ' again.')
  return printable(f'The comparison on one page: {path}')


def _count(number: int, what: str) -> str:
  return f'{number} {what}' + ('s' if number != 1 else '')


def _curves(trained: Sequence[tuple[str, Sequence[Run]]]) -> str:
  lines = {path: [journal.read(run.workdir) for run in own_runs]
           for path, own_runs in trained if own_runs}
  return markup.figure(
      markup.drawn(lambda path: curves.draw(lines, path)),
      f'Loss and top-1 error of {len(lines)} configs over the steps; the table'
      ' above has the errors at the end.',
      'Loss and top-1 error while the networks learned. Of several seeds the'
      ' mean is drawn, in a band from the least to the largest value.')


def _fields(trained: Sequence[tuple[str, Sequence[Run]]]) -> str:
  """Returns a table of the fields that differ between configs."""
  configs = [(path, record.flat(own_runs[0].config))
             for path, own_runs in trained if own_runs]
  names = dict.fromkeys(field for _, config in configs for field in config)
  rows = []
  for field in names:
    values = [config.get(field, 'not there') for _, config in configs]
    if len(set(values)) > 1 and field not in SET_BY_COMPARE:
      rows.append((field, *values))
  if not rows:
    return markup.paragraph('None: all configs are the same.')
  head = ('field', *(path for path, _ in configs))
  return markup.table(head, rows, words=range(len(head)))


def _runs(workdir: str, trained: Sequence[tuple[str, Sequence[Run]]]) -> str:
  """Returns a table of all runs, with links to their pages, and commands."""
  rows, links, folds = [], {}, []
  for path, own_runs in trained:
    for run in own_runs:
      folder = os.path.relpath(run.workdir, workdir)
      crops = runs.crops([run])[-1]
      rows.append((
          folder, path, str(run.seed),
          *(markup.percent(run.errors[f'{crops}_crop_top{top}_error'])
            for top in (1, 5)), f'{run.minutes:.1f}'))
      if os.path.exists(os.path.join(run.workdir, run_page.NAME)):
        links[folder] = urllib.parse.quote(
            os.fsencode(os.path.join(folder, run_page.NAME)))
      folds.append(markup.folded(f'How to repeat {folder}', markup.commands(
          runs.command(run.path, run.overrides, workdir=run.workdir))))
  first = trained[0][1][0].workdir
  return (
      markup.table(('workdir', 'config', 'seed', 'top-1 error', 'top-5 error',
                    'minutes'), rows, words=(0, 1), links=links)
      + markup.paragraph('A single run gets a page of its own, here the first:')
      + markup.commands(
          f'python launch.py --task=page --workdir={shlex.quote(first)}')
      + ''.join(folds))
