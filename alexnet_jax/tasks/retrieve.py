"""--task=retrieve: the training images most similar to others (6.1).

"If two images produce feature activation vectors with a small Euclidean
separation, we can say that the higher levels of the neural network consider
them to be similar." Features are compared as they are, without normalization,
as in the 2012 program.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import flags

from alexnet_jax import command_line
from alexnet_jax.analysis import retrieval_precision as precision_at
from alexnet_jax.analysis.class_words import (
  classes_of_folders,
  readable,
  shortened,
)
from alexnet_jax.analysis.features import (
  FOLDER,
  Features,
  compute_features,
  describe_features,
  feature_metadata,
  make_feature_step,
  open_features,
)
from alexnet_jax.command_line import Invocation
from alexnet_jax.data import pictures
from alexnet_jax.data.sources import Source, evenly_spread
from alexnet_jax.errors import InputError
from alexnet_jax.figures import figure4_right, style
from alexnet_jax.figures import retrieval as precision_picture
from alexnet_jax.figures.figure4_right import Picture, QueryRow
from alexnet_jax.run import checkpoint
from alexnet_jax.run.trained import Trained, open_split, open_trained

SEED = 0  # of the draw of queries
TRIES = 20  # images looked at for each query, to find one of another class
GLANCES = 8  # labels that tell other images apart
LABEL = 24  # characters of the table


CONFIG, POSITIONAL = 'unused', 'images'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_multi_string(
      'images', [], 'Pictures and folders of them; more may follow.',
      flag_values=values)
  flags.DEFINE_integer(
    'queries',
    5,
    'How many validation images to look for, without --images.',
    flag_values=values,
  )
  flags.DEFINE_integer(
      'neighbors', 6,
      'How many to find for each.', flag_values=values)
  flags.DEFINE_string(
    'features',
    '',
    'What --task=features wrote; WORKDIR/features unless given.',
    flag_values=values,
  )
  flags.DEFINE_string(
    'data',
    '',
    'Where the images of these features are, if they were moved.',
    flag_values=values,
  )
  flags.DEFINE_string(
      'words', '', 'A file with a line "CLASS its, words" for each class.',
      flag_values=values)
  flags.DEFINE_string(
      'figure', '',
      'Draw Figure 4, right, into this file.', flag_values=values)


def run(given: Invocation) -> None:
  """Prints what was found."""
  values = given.flags
  retrieve(command_line.require_workdir(given),
           [*values.images, *given.arguments], values.queries,
           values.neighbors, values.features, values.data, values.words,
           values.figure)


class Database(NamedTuple):
  """The training images as numbers, as pictures and in words."""

  held: Features
  found: Trained  # the network whose features they are
  path: str  # where the pictures lie; '' for the run's own data
  source: Source
  names: tuple[str, ...]  # of the classes


class Queries:
  """The images that are asked for, as a source; label -1 is an unknown one."""

  def __init__(self, names: Sequence[str], images: Sequence[np.ndarray],
               labels: Sequence[int], class_names: tuple[str, ...]):
    self.names, self.images, self.labels = names, images, labels
    self.class_names = class_names

  def __len__(self) -> int:
    return len(self.images)

  def __getitem__(self, i: int) -> dict:
    return {'image': self.images[i], 'label': np.int32(self.labels[i])}

  def where(self, i: int) -> str:
    return self.names[i]


class Found(NamedTuple):
  """The training images nearest to each query, nearest first."""

  distances: np.ndarray  # [Q, k]
  indices: np.ndarray  # [Q, k]


def retrieve(workdir: str, images: Sequence[str] = (), queries: int = 5,
             neighbors: int = 6, features: str = '', data: str = '',
             words: str = '', figure: str = '') -> dict[str, Any]:
  """Prints the nearest training images of each query, and draws them.

  With a figure the nearest by pixels are looked for as well, for which all
  training images are decoded twice, and precision@k is drawn into a second
  file, FIGURE_precision. What the two show is in the .json files beside them.

  Args:
    workdir: of the run whose features were written.
    images: pictures, and folders of them. A training image finds itself first,
      at distance 0.
    queries: without `images`, how many validation images to ask for. They are
      drawn with a fixed seed, of as many classes as possible.
    neighbors: how many to find for each.
    features: the folder that --task=features wrote; '' is WORKDIR/features.
    data: where the images of these features lie now, if they were moved.
    words: of `words.readable`.
    figure: .png, .pdf or .svg, to draw the first eight queries as in the right
      panel of Figure 4.

  Returns:
    What FIGURE.json says: of each query what was found, nearest first.

  Raises:
    InputError: anything given that cannot work.
  """
  figure = os.path.expanduser(figure)
  _check(images, queries, neighbors, figure)
  root = os.path.expanduser(features) or os.path.join(workdir, FOLDER)
  held = open_features(os.path.join(root, 'train'))
  if neighbors > len(held.labels):
    raise InputError(
        f'--neighbors={neighbors} is more than the {len(held.labels)}'
        f' training images in {held.folder}: ask for fewer.')
  database = open_database(
      workdir, held, readable(held.class_names, words), data)
  found = database.found
  asked = (given_queries(images, database) if images else drawn_queries(
      open_split(found, 'validation', database.path), queries))
  vectors, _ = compute_features(found, make_feature_step(found), asked)
  by_features = Found(*precision_at.search_features(vectors, held, neighbors))
  print_table(asked, by_features, database)
  told = record(asked, database, {'by_features': by_features})
  if figure:
    by_pixels = _compare(asked, database, neighbors,
                         os.path.join(root, 'validation'), figure)
    told = record(asked, database, {
        'by_features': by_features, 'by_pixels': by_pixels})
    drawn = min(len(asked), figure4_right.QUERIES)
    figure4_right.draw(
        [_row(asked, i, by_features, by_pixels, database)
         for i in range(drawn)],
        {'workdir': found.workdir, 'step': found.step, **told}, figure)
    _print_files(figure, f'{drawn} of {len(asked)} queries')
  return told


def _check(images, queries, neighbors, figure):
  if not images and queries < 1:
    raise InputError(f'--queries={queries} asks for nothing: give 1 or more, or'
                     ' --images.')
  if neighbors < 1:
    raise InputError(f'--neighbors={neighbors} finds nothing: give 1 or more,'
                     ' such as 6.')
  if figure:
    style.check_picture_path('figure', figure)


# --- What is compared ---------------------------------------------------------


def open_database(workdir: str, held: Features, names: Sequence[str],
                  data: str = '') -> Database:
  """The training images, and the network that their features are of.

  Args:
    workdir: of the run.
    held: the features.
    names: of the classes.
    data: where the images lie now; '' is where they were.

  Raises:
    InputError: another network, or other images.
  """
  index = held.index
  checkpoint.check_exists(workdir)
  with checkpoint.open_to_read(workdir) as manager:
    if index['step'] not in manager.all_steps():
      raise InputError(
        f'{held.folder} holds features {describe_features(index)},'
        f' and {workdir} has'
        ' no such step: give the --workdir of that run, or make features of'
        ' a step that it has in another --features folder.'
      )
  found = open_trained(workdir, str(index['step']))
  path = data or index['path']
  source = open_split(found, index['split'], path)
  here = feature_metadata(found, index['split'], source, path)
  if any(here[field] != index[field]
         for field in ('saved', 'dimension', 'image_size')):
    raise InputError(
      f'{held.folder} holds features {describe_features(index)}, not'
      f' {describe_features(here)}: give --workdir and --features of one'
      ' network.'
    )
  if len(source) != index['count'] or any(
      source[int(i)]['label'] != held.labels[i]
      for i in evenly_spread(len(source), GLANCES)):
    raise InputError(
      f'{held.folder} holds features {describe_features(index)},'
      ' and the images that'
      f' are now in {here["path"] or "this data set"} are others: give the'
      ' same ones as --data, or make features of these.'
    )
  return Database(held, found, path, source, tuple(names))


def given_queries(images: Sequence[str], database: Database) -> Queries:
  """Pictures as queries; a folder called like a class tells that of its own.

  A picture that cannot be read is told on standard error and left out.

  Raises:
    InputError: no such picture, or none that can be read.
  """
  settings, class_names = database.found.settings, database.held.class_names
  numbers = classes_of_folders(class_names, database.names)
  names, squares, labels = [], [], []
  paths = pictures.find(images)
  for path, square in zip(paths, pictures.read_all(
      paths, settings.data.image_size, settings.run.threads), strict=True):
    if isinstance(square, InputError):
      print(square, file=sys.stderr)
      continue
    folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
    # A file's name need not be text; what is printed must be.
    names.append(os.fsencode(path).decode(errors='replace'))
    squares.append(square)
    labels.append(numbers.get(folder, -1))
  if not names:
    raise InputError('none of the pictures could be read: give --images sound'
                     ' JPEG or PNG files.')
  return Queries(names, squares, labels, class_names)


def drawn_queries(source: Source, count: int) -> Queries:
  """Images drawn with a fixed seed, of as many classes as can be found soon.

  Raises:
    InputError: no images.
  """
  if not len(source):
    raise InputError('there are no validation images to ask for: give --images'
                     ' some pictures.')
  new, further = {}, []
  for i in np.random.default_rng(SEED).permutation(len(source))[:TRIES * count]:
    if len(new) == count:
      break
    example = source[int(i)]
    if int(example['label']) not in new:
      new[int(example['label'])] = int(i), example
    else:
      further.append((int(i), example))
  chosen = [*new.values(), *further][:count]
  return Queries(
      [source.where(i) for i, _ in chosen],
      [example['image'] for _, example in chosen],
      [int(example['label']) for _, example in chosen], source.class_names)


def _compare(asked, database, neighbors, folder, figure):
  """The queries' nearest by pixels; precision@k in a figure of its own."""
  held, found, path, source, _ = database
  tested, images, labels = None, list(asked.images), []
  try:
    tested = _open_tested(folder, held)
  except InputError as error:
    print(f'Without precision@k: {error}', file=sys.stderr)
  if tested:
    validation = open_split(found, 'validation', path)
    for i in evenly_spread(len(validation), precision_at.PIXEL_QUERIES):
      example = validation[int(i)]
      images.append(example['image'])
      labels.append(example['label'])
  deep = precision_at.depth(held)
  distances, indices = precision_at.search_pixels(
      np.stack(images), source, max(neighbors, deep) if tested else neighbors,
      found.settings.run.threads)
  if tested:
    numbers = precision_at.of_features(tested, held)
    numbers['pixels'] = precision_at.of_found(
        np.array(labels), held.labels[indices[len(asked):, :deep]])
    stem, ending = os.path.splitext(figure)
    precision_picture.draw(numbers, f'{stem}_precision{ending}')
    _print_files(f'{stem}_precision{ending}', 'precision@k')
  own = slice(len(asked)), slice(neighbors)
  return Found(distances[own], indices[own])


def _open_tested(folder, held):
  """The features of the validation images, if they suit the others."""
  tested = open_features(folder)
  if tested.index['saved'] != held.index['saved'] or not len(tested.labels):
    raise InputError(
      f'{folder} holds features {describe_features(tested.index)},'
      f' and {held.folder}'
      f' {describe_features(held.index)}: make both with one --task=features.'
    )
  return tested


# --- What is told -------------------------------------------------------------


def print_table(asked: Queries, found: Found, database: Database) -> None:
  """Prints each query and below it what was found, a star where classes agree.

  Args:
    asked: the queries.
    found: the training images nearest to them.
    database: the training images.
  """
  for query, (distances, indices) in enumerate(zip(*found, strict=True)):
    label = asked.labels[query]
    told = f': {database.names[label]}' if label >= 0 else ''
    print(f'{asked.where(query)}{told}')
    for place, (distance, i) in enumerate(
        zip(distances, indices, strict=True), 1):
      other = database.held.labels[i]
      star = '*' if other == label else ' '
      name = shortened(database.names[other], LABEL)
      print(f'{place:>4} {distance:>10.4g} {star}{name:<{LABEL}}'
            f' {database.source.where(int(i))}')


def record(asked: Queries, database: Database,
           searches: dict[str, Found]) -> dict[str, Any]:
  """What was found as JSON has it; a label is null where it is not known.

  Args:
    asked: the queries.
    database: the training images.
    searches: what was found, by its name.
  """
  held, names, source = database.held, database.names, database.source

  def found_by(search, query):
    return [{'image': source.where(int(i)), 'label': names[held.labels[i]],
             'distance': float(distance)}
            for distance, i in zip(search.distances[query],
                                   search.indices[query], strict=True)]

  return {'queries': [
      {'image': asked.where(query),
       'label': names[label] if label >= 0 else None,
       **{name: found_by(search, query) for name, search in searches.items()}}
      for query, label in enumerate(asked.labels)]}


def _row(asked, query, by_features, by_pixels, database):
  """One query and its neighbors as they are drawn."""
  held, names, source = database.held, database.names, database.source
  label = asked.labels[query]

  def neighbors(found):
    return [
        Picture(source[int(i)]['image'], names[held.labels[i]],
                bool(held.labels[i] == label))
        for i in found.indices[query][:figure4_right.NEIGHBORS]]

  name = (names[label] if label >= 0
          else os.path.basename(asked.where(query)))
  return QueryRow(Picture(asked.images[query], name), neighbors(by_features),
             neighbors(by_pixels))


def _print_files(figure, what):
  print(f'{figure} shows {what}, {style.numbers_path(figure)} the numbers.',
        file=sys.stderr)
