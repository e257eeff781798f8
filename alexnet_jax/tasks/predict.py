"""--task=predict: what a network makes of a person's pictures (6.1).

Standard output contains only the predictions, in the order of the pictures and
as soon as they are available; everything else goes to standard error.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from absl import flags
from tqdm import tqdm

from alexnet_jax.analysis.class_words import (
  class_of_picture,
  classes_of_folders,
  readable,
  shortened,
)
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.data import images, pictures
from alexnet_jax.errors import InputError, printable
from alexnet_jax.figures import figure4_left, style
from alexnet_jax.learning import augment
from alexnet_jax.library.network import Network, most_probable
from alexnet_jax.run.trained import open_trained

FIVE = 5  # Labels per picture.
# Column widths in characters; longer paths are printed in full.
PATH, LABEL = 48, 20


CONFIG, POSITIONAL = 'unused', 'images'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'checkpoint', 'latest', 'latest, best or a step.', flag_values=values)
  flags.DEFINE_multi_string(
      'images', [], 'Pictures and folders of them; more may follow.',
      flag_values=values)
  flags.DEFINE_string(
      'figure', '',
      'Draw Figure 4, left, into this file.', flag_values=values)
  flags.DEFINE_integer(
      'views', 10,
      'Crops averaged: 10, 9 or 1.', lower_bound=1, upper_bound=10,
      flag_values=values)
  flags.DEFINE_string(
      'words', '', 'A file with a line "CLASS its, words" for each class.',
      flag_values=values)
  flags.DEFINE_bool(
      'json', False,
      'Print a JSON object a line.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Prints the labels."""
  values = invocation.flags
  predict(invocation.require_workdir(), values.checkpoint,
          [*values.images, *invocation.arguments], values.views, values.words,
          values.figure, values.json)


class Answer(NamedTuple):
  """The prediction for one picture; classes are given by number."""

  path: str
  classes: tuple[int, ...] = ()  # Five, most probable first.
  probabilities: tuple[float, ...] = ()  # Of the five.
  true: int | None = None  # The class, if the picture's folder names it.
  error: str = ''  # Set instead if the picture cannot be read.


def predict(workdir: str, checkpoint: str, images: Sequence[str],
            views: int = 10, words: str = '', figure: str = '',
            as_json: bool = False) -> None:
  """Prints the five most probable labels of every picture.

  A picture that cannot be read is reported on standard error and, with JSON,
  also in its line of the output. If pictures are in folders named after their
  classes, the errors over them are printed at the end.

  Args:
    workdir: the workdir of the run.
    checkpoint: 'latest', 'best' or a step.
    images: pictures, and folders of pictures.
    views: the number of patches to average (4.1): 10, 9 or 1.
    words: the file of class names in words; see `class_words.readable`.
    figure: a .png, .pdf or .svg file for the first eight pictures, drawn as in
      the left panel of Figure 4; the predictions are in the .json file of the
      same name. '' for no figure.
    as_json: print one JSON object per line instead of a table.

  Raises:
    InputError: an argument that cannot work, or no picture can be read.
  """
  figure = os.path.expanduser(figure)
  _check(images, views, figure)
  paths = pictures.find(images)
  network = Network(open_trained(workdir, checkpoint))
  names = readable(network.class_names, words)
  form = record_line if as_json else table_row
  try:
    first, counts = _print_answers(
        network, paths, views, names, form,
        [*map(os.path.expanduser, images)])
  except BrokenPipeError:  # As with `| head`; stop Python from writing again.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return
  if not first:
    raise InputError('none of the pictures could be read: give --images sound'
                     ' JPEG or PNG files.')
  _print_errors(counts, len(paths))
  if figure:
    _draw(network, first, views, names, figure)
    print(f'The first {len(first)} of {len(paths):,} are drawn in'
          f' {printable(figure)}.', file=sys.stderr)


def _check(images, views, figure):
  if not images:
    raise InputError('--task=predict needs pictures: add --images FILE, or a'
                     ' folder of them.')
  if views not in augment.CROPS:
    raise InputError(f'--views={views} is no test of 2012: give one of'
                     f' {", ".join(map(str, augment.CROPS))}.')
  if figure:
    style.check_picture_path('figure', figure)


# --- Predicting ---------------------------------------------------------------


def answers(network: Network, paths: Sequence[str], views: int,
            names: Sequence[str],
            roots: Sequence[str] = ()) -> Iterator[Answer]:
  """Yields the network's prediction for every picture, in order.

  Args:
    network: the network.
    paths: the pictures.
    views: the number of patches to average: 10, 9 or 1.
    names: the class names in words; folders may have these names.
    roots: the files and folders that the pictures were found in.
  """
  known = classes_of_folders(network.class_names, names)
  for path, outputs in zip(paths, network.probabilities(paths, views),
                           strict=True):
    if isinstance(outputs, InputError):
      yield Answer(path, error=str(outputs))
      continue
    five = most_probable(outputs, FIVE)
    yield Answer(path, five, tuple(float(outputs[i]) for i in five),
                 class_of_picture(path, known, roots))


# --- Output -------------------------------------------------------------------


def _print_answers(network, paths, views, names, form, roots):
  """Prints predictions; returns those to draw, and counts of the outcomes."""
  first, counts = [], Counter()
  width = min(PATH, max(map(len, paths)))
  title = printable(f'{network.trained.workdir}, {network.trained.step}')
  with tqdm(total=len(paths), desc=title,
            unit=' pictures', leave=False, dynamic_ncols=True,
            disable=None) as bar:
    for answer in answers(network, paths, views, names, roots):
      if answer.error:
        tqdm.write(printable(answer.error), sys.stderr)
      elif len(first) < figure4_left.DRAWN:
        first.append(answer)
      counts.update(
          bad=bool(answer.error), known=answer.true is not None,
          top1=answer.true in answer.classes[:1],
          top5=answer.true in answer.classes)
      line = form(answer, names, width)
      if line:
        tqdm.write(line, sys.stdout)
        sys.stdout.flush()  # A reader of the pipe gets the line at once.
      bar.update()
  return first, counts


def record(answer: Answer, names: Sequence[str]) -> dict[str, Any]:
  """Returns a prediction for JSON, with 'true' only if the class is known."""
  if answer.error:
    return {'image': answer.path, 'error': answer.error}
  true = {} if answer.true is None else {'true': names[answer.true]}
  return {'image': answer.path, 'labels': [names[i] for i in answer.classes],
          'probabilities': [round(p, 6) for p in answer.probabilities], **true}


def record_line(answer: Answer, names: Sequence[str], width: int = 0) -> str:
  """Formats a prediction as a line of JSON.

  Args:
    answer: the prediction.
    names: the class names in words.
    width: ignored; the parameter is that of `table_row`.
  """
  del width
  return json.dumps(record(answer, names))


def table_row(answer: Answer, names: Sequence[str], width: int) -> str:
  """Formats a prediction as a table row, with a star before the true label.

  Args:
    answer: the prediction; the row is empty if the picture cannot be read.
    names: the class names in words.
    width: the width of the column of paths, in characters.
  """
  if answer.error:
    return ''
  label_width = min(LABEL, max(map(len, names)))
  cells = [
      f'{"*" if i == answer.true else " "}'
      f'{shortened(printable(names[i]), LABEL):<{label_width}}'
      f' {probability:6.1%}'
      for i, probability in zip(answer.classes, answer.probabilities,
                                strict=True)]
  return f'{printable(answer.path):<{width}} {" ".join(cells)}'


def _print_errors(counts: Mapping[str, int], total: int) -> None:
  if counts['bad']:
    print(f'{counts["bad"]:,} of {total:,} pictures could not be read.',
          file=sys.stderr)
  known = counts['known']
  if known:
    print(f'{known:,} pictures whose folder names their class (*): top-1 error'
          f' {1 - counts["top1"] / known:.2%}, top-5 error'
          f' {1 - counts["top5"] / known:.2%}.', file=sys.stderr)


def _draw(network, first, views, names, figure):
  numbers = {'workdir': network.trained.workdir,
             'step': network.trained.step, 'views': views,
             'pictures': [record(answer, names) for answer in first]}
  figure4_left.draw(
      [_panel(answer, names) for answer in first], numbers, figure)


def _panel(answer, names):
  known = answer.true is not None
  name = printable(os.path.basename(answer.path))
  return figure4_left.Panel(
      images.read_square(answer.path, figure4_left.SIDE),
      title=printable(names[answer.true]) if known else name, known=known,
      labels=[printable(names[i]) for i in answer.classes],
      probabilities=answer.probabilities,
      right=(answer.classes.index(answer.true)
             if answer.true in answer.classes else None))
