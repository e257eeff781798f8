"""--task=predict: what a network makes of a person's pictures (6.1).

Standard output has the answers alone, in the order of the pictures and as soon
as they are there; all else goes to standard error.
"""

import functools
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags
from tqdm import tqdm

from alexnet_jax import command_line
from alexnet_jax.analysis.class_words import (
  classes_of_folders,
  readable,
  shortened,
)
from alexnet_jax.command_line import Invocation
from alexnet_jax.data import images, pictures
from alexnet_jax.errors import InputError
from alexnet_jax.figures import figure4_left, style
from alexnet_jax.learning import augment, step
from alexnet_jax.run.trained import Trained, open_trained

FIVE = 5  # labels for each picture
BATCH = 32  # pictures at a time; more would only delay the first answers
# Widths of the table in characters; a longer path is printed whole.
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
      'Crops averaged: 10, 9 or 1.', flag_values=values)
  flags.DEFINE_string(
      'words', '', 'A file with a line "CLASS its, words" for each class.',
      flag_values=values)
  flags.DEFINE_bool(
      'json', False,
      'Print a JSON object a line.', flag_values=values)


def run(given: Invocation) -> None:
  """Prints the labels."""
  values = given.flags
  predict(command_line.require_workdir(given), values.checkpoint,
          [*values.images, *given.arguments], values.views, values.words,
          values.figure, values.json)


class Answer(NamedTuple):
  """What the network says of one picture; classes by their number."""

  path: str
  classes: tuple[int, ...] = ()  # five, the most probable first
  probabilities: tuple[float, ...] = ()  # of the five
  true: int | None = None  # the class, if the picture's folder tells it
  error: str = ''  # in place of all that, of a picture that cannot be read


def predict(workdir: str, which: str, images: Sequence[str], views: int = 10,
            words: str = '', figure: str = '', as_json: bool = False) -> None:
  """Prints the five most probable labels of every picture.

  A picture that cannot be read is told on standard error and, among JSON lines,
  in its place. Where pictures lie in folders of their classes, the errors over
  them are told at the end.

  Args:
    workdir: of the run.
    which: its checkpoint: 'latest', 'best' or a step.
    images: pictures, and folders of them.
    views: patches to average (4.1): 10, 9 or 1.
    words: of `words.readable`.
    figure: .png, .pdf or .svg, to draw the first eight pictures as in the left
      panel of Figure 4; what it shows is in the .json of the same name.
    as_json: a JSON object a line in place of a table.

  Raises:
    InputError: anything given that cannot work, or no picture can be read.
  """
  figure = os.path.expanduser(figure)
  _check(images, views, figure)
  paths = pictures.find(images)
  found = open_trained(workdir, which)
  names = readable(found.class_names, words)
  form = record_line if as_json else table_row
  try:
    first, counts = _print_answers(found, paths, views, names, form)
  except BrokenPipeError:  # by `| head`: Python would try once more to write
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return
  if not first:
    raise InputError('none of the pictures could be read: give --images sound'
                     ' JPEG or PNG files.')
  _print_errors(counts, len(paths))
  if figure:
    _draw(found, first, views, names, figure)
    print(f'The first {len(first)} of {len(paths):,} are drawn in {figure}.',
          file=sys.stderr)


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


def answers(found: Trained, paths: Sequence[str], views: int,
            names: Sequence[str]) -> Iterator[Answer]:
  """What the network says of every picture, in their order.

  Args:
    found: the network.
    paths: the pictures.
    views: patches to average: 10, 9 or 1.
    names: of the classes, in words; folders may be called by them.
  """
  known = classes_of_folders(found.class_names, names)
  for path, said in zip(paths, probabilities(found, paths, views),
                        strict=True):
    if isinstance(said, InputError):
      yield Answer(path, error=str(said))
      continue
    five = tuple(map(int, np.argsort(-said, kind='stable')[:FIVE]))
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
    yield Answer(path, five, tuple(float(said[i]) for i in five),
                 known.get(folder))


def probabilities(found: Trained, paths: Sequence[str],
                  views: int) -> Iterator[np.ndarray | InputError]:
  """Softmax outputs averaged over patches, picture by picture: [classes].

  Instead of them comes the error that says why a picture cannot be read.
  """
  settings = found.settings
  size = settings.data.image_size
  predict_batch = jax.jit(functools.partial(
      step.mean_over_crops, found.model,
      augment.test_crops(size, settings.augmentation.crop, views)))
  # One size for all batches: another would have to be compiled as well.
  batch_size = min(BATCH, 1 << (len(paths) - 1).bit_length())
  seen = pictures.read_all(paths, size, settings.run.threads,
                           ahead=2 * batch_size)
  while some := list(itertools.islice(seen, batch_size)):
    batch = np.zeros((batch_size, size, size, 3), np.uint8)
    for place, one in enumerate(some):
      if not isinstance(one, InputError):
        batch[place] = one
    means = jax.device_get(
      predict_batch(found.params, found.input_stats, batch)
    )
    for one, mean in zip(some, means[:len(some)], strict=True):
      yield one if isinstance(one, InputError) else mean


# --- Saying -------------------------------------------------------------------


def _print_answers(found, paths, views, names, form):
  """The answers that may be drawn, and how many were what."""
  first, counts = [], Counter()
  width = min(PATH, max(map(len, paths)))
  with tqdm(total=len(paths), desc=f'{found.workdir}, {found.step}',
            unit=' pictures', leave=False, dynamic_ncols=True,
            disable=None) as bar:
    for answer in answers(found, paths, views, names):
      if answer.error:
        tqdm.write(answer.error, sys.stderr)
      elif len(first) < figure4_left.DRAWN:
        first.append(answer)
      counts.update(
          bad=bool(answer.error), known=answer.true is not None,
          top1=answer.true in answer.classes[:1],
          top5=answer.true in answer.classes)
      line = form(answer, names, width)
      if line:
        tqdm.write(line, sys.stdout)
        sys.stdout.flush()  # somebody may be reading along
      bar.update()
  return first, counts


def record(answer: Answer, names: Sequence[str]) -> dict[str, Any]:
  """An answer as JSON has it; 'true' only where that is known."""
  if answer.error:
    return {'image': answer.path, 'error': answer.error}
  true = {} if answer.true is None else {'true': names[answer.true]}
  return {'image': answer.path, 'labels': [names[i] for i in answer.classes],
          'probabilities': [round(p, 6) for p in answer.probabilities], **true}


def record_line(answer: Answer, names: Sequence[str], width: int = 0) -> str:
  """An answer as a line of JSON."""
  del width
  return json.dumps(record(answer, names))


def table_row(answer: Answer, names: Sequence[str], width: int) -> str:
  """An answer as a row of the table, a star before the true label.

  Args:
    answer: nothing is printed of a picture that cannot be read.
    names: of the classes.
    width: of the column of paths, in characters.
  """
  if answer.error:
    return ''
  label_width = min(LABEL, max(map(len, names)))
  cells = [
      f'{"*" if i == answer.true else " "}'
      f'{shortened(names[i], LABEL):<{label_width}} {probability:6.1%}'
      for i, probability in zip(answer.classes, answer.probabilities,
                                strict=True)]
  return f'{_text(answer.path):<{width}} {" ".join(cells)}'


def _text(path):
  """A file's name need not be text; what is printed and drawn must be."""
  return os.fsencode(path).decode(errors='replace')


def _print_errors(counts: Mapping[str, int], total: int) -> None:
  if counts['bad']:
    print(f'{counts["bad"]:,} of {total:,} pictures could not be read.',
          file=sys.stderr)
  known = counts['known']
  if known:
    print(f'{known:,} pictures whose folder names their class (*): top-1 error'
          f' {1 - counts["top1"] / known:.2%}, top-5 error'
          f' {1 - counts["top5"] / known:.2%}.', file=sys.stderr)


def _draw(found, first, views, names, figure):
  numbers = {'workdir': found.workdir, 'step': found.step, 'views': views,
             'pictures': [record(answer, names) for answer in first]}
  figure4_left.draw(
      [_panel(answer, names) for answer in first], numbers, figure)


def _panel(answer, names):
  known = answer.true is not None
  name = _text(os.path.basename(answer.path))
  return figure4_left.Panel(
      images.read_square(answer.path, figure4_left.SIDE),
      title=names[answer.true] if known else name, known=known,
      labels=[names[i] for i in answer.classes],
      probabilities=answer.probabilities,
      right=(answer.classes.index(answer.true)
             if answer.true in answer.classes else None))
