"""report.html: the page of one run, made from its workdir.

It is made at the end of a run, so its time is bounded: the network looks at no
more than EXAMPLES validation pictures, one crop of each.
"""

import functools
import os
import shlex
from collections.abc import Callable

import jax
import numpy as np

from alexnet_jax import files
from alexnet_jax.analysis import answers, class_words, specialization
from alexnet_jax.analysis.answers import Answers
from alexnet_jax.data import check
from alexnet_jax.data.sources import Source, Subset
from alexnet_jax.errors import InputError, printable
from alexnet_jax.figures import curves, figure3
from alexnet_jax.network import classifier
from alexnet_jax.pages import markup, mistakes, numbers, record
from alexnet_jax.pages.markup import Section
from alexnet_jax.pages.record import Record
from alexnet_jax.run import evaluation, trained
from alexnet_jax.run.trained import Trained

NAME = 'report.html'
EXAMPLES = 2000  # validation pictures


def make(workdir: str, out: str = '', examples: int = EXAMPLES,
         words: str = '') -> str:
  """Writes the page of a run.

  Args:
    workdir: the workdir of the run.
    out: the file; '' is report.html in the workdir.
    examples: the most validation pictures that the network looks at.
    words: a file of class names in words; see `class_words.readable`.

  Returns:
    The file.

  Raises:
    InputError: the workdir has no run, or no checkpoint that can be read.
    OSError: the file cannot be written.
  """
  run = record.read(workdir)
  network = trained.open_trained(workdir)
  names = class_words.readable(network.class_names, words)
  title = run.path or os.path.basename(os.path.abspath(workdir))
  answered = _answers(network, examples)
  sections = [
      Section('numbers', 'Numbers', numbers.numbers(run, network, names)),
      Section('curves', 'How training went', _or_reason(
          lambda: _curves(run, network))),
      Section('kernels', 'What conv1 learned', _or_reason(
          lambda: _kernels(network))),
      Section('confusions', 'What it mixes up', _or_reason(
          lambda: mistakes.confusions(*answered(), names))),
      Section('pictures', 'Pictures', _or_reason(
          lambda: mistakes.pictures(*answered(), names))),
      Section('config', 'Config', _config(run, network)),
      Section('commands', 'Commands', _commands(run)),
  ]
  out = out or os.path.join(workdir, NAME)
  markup.write(out, markup.page(
      title, numbers.opening_sentence(run, network), sections,
      _last_words(run, network)))
  return out


def make_at_end(workdir: str) -> str:
  """Writes the page of a run that has just ended; never raises an error.

  Args:
    workdir: the workdir of the run.

  Returns:
    A sentence that says where the page is, or why there is none.
  """
  command = printable(
      f'python launch.py --task=page --workdir={shlex.quote(workdir)}')
  if jax.process_count() > 1:
    return f'One process alone makes the page of this run: {command}'
  try:
    return printable(f'The run on one page: {make(workdir)}')
  except Exception as error:  # the run is finished, with a page or without
    return (f'The run is finished, but its page could not be made'
            f' ({printable(files.reason_of(error))}): {command} tries it'
            ' again.')


def _or_reason(body: Callable[[], str]) -> str:
  """Returns a part of the page, or a sentence that says why it is missing."""
  try:
    return body()
  except InputError as error:
    return markup.paragraph(f'Not shown: {error}', 'note')


def _answers(network: Trained,
             examples: int) -> Callable[[], tuple[Answers, Source]]:
  """Returns a function that asks the network once, and gives what it said."""

  @functools.cache
  def ask():
    settings = network.settings
    source = Subset(trained.open_split(network, 'validation'), examples)
    evaluation.check_classes(source, network.class_names, network.workdir)
    mode = settings.data.check
    source, _ = check.without_damaged(  # not all pictures as a whole again
        source, 'headers' if mode == 'full' else mode,
        threads=settings.run.threads)
    return answers.measure(network, source, 1), source

  return ask


# --- Pictures -----------------------------------------------------------------


def _curves(run: Record, network: Trained) -> str:
  if not any(line['kind'] == 'train' for line in run.lines):
    raise InputError('the run has no log lines yet.')
  last = {line['kind']: line for line in run.lines}
  values = ', '.join(
      f'{title} loss {last[kind]["loss"]:.3f}'
      for kind, (title, _) in curves.KINDS.items()
      if 'loss' in last.get(kind, {}))
  return markup.figure(
      markup.drawn(lambda path: curves.draw({run.path: [run.lines]}, path)),
      'Loss and top-1 error of training and validation over'
      f' {network.step:,} steps. At the end: {values}.',
      'Loss and top-1 error while the network learned. Training is measured on'
      ' augmented pictures and with dropout, so it may look worse than'
      f' validation. At the end: {values}.')


def _kernels(network: Trained) -> str:
  first = classifier.first_kernels(network.model, network.params)
  if first is None:
    raise InputError('the first layer of this network reads no image.')
  kernels = np.moveaxis(np.asarray(first, np.float64), -1, 1)
  if not np.isfinite(kernels).all():
    raise InputError('the kernels are not all finite numbers.')
  measured = specialization.measure(kernels)
  picture = markup.drawn(
      lambda path: figure3.draw(kernels, measured, False, path))
  rows = [(f'column {k}', str(column['kernels']),
           markup.percent(column['learned'], 0),
           f'{column["mean_colorfulness"]:.2f}',
           markup.percent(column['oriented'], 0))
          for k, column in enumerate(measured['columns'], 1)]
  count, size = kernels.shape[0] * kernels.shape[1], measured['size']
  return markup.figure(
      picture, f'The {count} kernels of conv1, {size[0]} x {size[1]} pixels,'
      ' one column above the other, and a dot for the colorfulness of each.',
      'Every kernel of the first layer, as in Figure 3 of the paper: what it'
      ' responds to, in its colors. A kernel that looks like noise has not'
      ' learned yet.') + markup.table(
          ('', 'kernels', 'learned', 'mean colorfulness', 'oriented'), rows)


# --- Config and commands ------------------------------------------------------


def _config(run: Record, network: Trained) -> str:
  config = network.settings.config
  differing = list(record.changed(run, config))
  marked_fields = {field for field, _, _ in differing}
  sections: dict[str, list[tuple[str, str]]] = {'the whole run': []}
  for field, value in record.flat(config).items():
    section = field.partition('.')[0] if '.' in field else 'the whole run'
    sections.setdefault(section, []).append((field, value))
  source = run.path or 'its config file'
  parts = [markup.paragraph(
      f'This run differs from {source} in these fields:' if differing else
      f'No field differs from {source}.')]
  if differing:
    parts.append(markup.table(
        ('field', 'in this run', 'in the config file'), differing,
        words=(0, 1, 2)))
  for section, rows in sections.items():
    marked = [i for i, row in enumerate(rows) if row[0] in marked_fields]
    count = f', {len(marked)} changed' if marked else ''
    parts.append(markup.folded(
        f'{section} ({len(rows)} field{"s"[:len(rows) > 1]}{count})',
        markup.table((), rows, marked=marked, words=(0, 1))))
  return ''.join(parts)


def _commands(run: Record) -> str:
  workdir = shlex.quote(run.workdir)
  task = 'python launch.py --task='
  repeat = markup.paragraph(
      'This run again, with the same numbers on the same kind of machine;'
      ' another workdir keeps this one:') + markup.commands(
          run.command) if run.command else markup.paragraph(
              'The command line of this run is not known.', 'note')
  return repeat + markup.paragraph('What else it can show:') + markup.commands(
      f'{task}predict --workdir={workdir} --images PICTURES',
      f'{task}evaluate --workdir={workdir} --checkpoint=best',
      f'{task}retrieve --workdir={workdir}',
      f'{task}page --workdir={workdir}')


def _last_words(run: Record, network: Trained) -> str:
  return (f'{NAME} of {os.path.abspath(run.workdir)}, step {network.step:,}.'
          ' This file needs no other file and no network.')


