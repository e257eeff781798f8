"""--task=retrieve: the training images most similar to others (6.1).

"If two images produce feature activation vectors with a small Euclidean
separation, we can say that the higher levels of the neural network consider
them to be similar." As in the 2012 program, features are compared without
normalization.
"""

import os
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from absl import flags

from alexnet_jax.analysis import retrieval_precision as precision_at
from alexnet_jax.analysis import retrieved
from alexnet_jax.analysis.class_words import (
  class_of_picture,
  classes_of_folders,
  readable,
)
from alexnet_jax.analysis.features import (
  FOLDER,
  compute_features,
  describe_features,
  layer_of,
  make_feature_step,
  open_features,
)
from alexnet_jax.analysis.retrieval import (
  Database,
  Queries,
  check_images,
  draw_queries,
  open_database,
  with_classes,
)
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.data import any_image, pictures
from alexnet_jax.data.sources import evenly_spread
from alexnet_jax.errors import InputError, printable
from alexnet_jax.figures import figure4_right, style
from alexnet_jax.figures import retrieval as precision_picture
from alexnet_jax.figures.figure4_right import Picture, QueryRow
from alexnet_jax.run.trained import open_split

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
    lower_bound=0,
    upper_bound=10**6,
    flag_values=values,
  )
  flags.DEFINE_integer(
      'neighbors', 6,
      'How many to find for each.', lower_bound=1, upper_bound=10**6,
      flag_values=values)
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


def run(invocation: Invocation) -> None:
  """Prints the neighbors of each query."""
  values = invocation.flags
  retrieve(invocation.require_workdir(),
           [*values.images, *invocation.arguments], values.queries,
           values.neighbors, values.features, values.data, values.words,
           values.figure)


def retrieve(workdir: str, images: Sequence[str] = (), queries: int = 5,
             neighbors: int = 6, features: str = '', data: str = '',
             words: str = '', figure: str = '') -> dict[str, Any]:
  """Prints the nearest training images of each query, and draws them.

  With a figure, the task also searches by pixel distance, which decodes all
  training images twice, and draws precision@k into a second file,
  FIGURE_precision. The numbers of both figures are in the .json files beside
  them.

  Args:
    workdir: the workdir of the run that computed the features.
    images: pictures, and folders of pictures. The nearest neighbor of a
      training image is itself, at distance 0.
    queries: without `images`, the number of validation images to use. They are
      chosen with a fixed seed, from as many classes as possible.
    neighbors: the number of neighbors per query.
    features: the folder that --task=features wrote; '' is WORKDIR/features.
    data: the present location of the images of these features, if they were
      moved; '' if they were not.
    words: the file of class names in words; see `class_words.readable`.
    figure: a .png, .pdf or .svg file for the first eight queries, drawn as in
      the right panel of Figure 4; '' for no figure.

  Returns:
    The content of FIGURE.json: the neighbors of each query, nearest first.

  Raises:
    InputError: an argument that cannot work.
  """
  figure = os.path.expanduser(figure)
  _check(images, queries, neighbors, figure)
  root = os.path.expanduser(features) or os.path.join(workdir, FOLDER)
  training = open_features(os.path.join(root, 'train'))
  if neighbors > len(training.labels):
    raise InputError(
        f'--neighbors={neighbors} is more than the {len(training.labels)}'
        f' training images in {training.folder}: ask for fewer.')
  database = open_database(
      workdir, training, readable(training.class_names, words), data)
  network = database.network
  query_set = (given_queries(images, database) if images else draw_queries(
      open_split(network, 'validation', database.path), queries))
  vectors, _ = compute_features(
      network, make_feature_step(network, layer_of(training.index)), query_set)
  by_features = retrieved.Retrieved(
      *precision_at.search_features(vectors, training, neighbors))
  print(retrieved.as_text(query_set, by_features, database))
  result = retrieved.record(query_set, database, {'by_features': by_features})
  if figure:
    by_pixels = _compare(query_set, database, neighbors,
                         os.path.join(root, 'validation'), figure)
    result = retrieved.record(query_set, database, {
        'by_features': by_features, 'by_pixels': by_pixels})
    drawn = min(len(query_set), figure4_right.QUERIES)
    figure4_right.draw(
        [_row(query_set, i, by_features, by_pixels, database)
         for i in range(drawn)],
        {'workdir': network.workdir, 'step': network.step, **result}, figure)
    _print_files(figure, f'{drawn} of {len(query_set)} queries')
  return result


def _check(images, queries, neighbors, figure):
  if not images and queries < 1:
    raise InputError(f'--queries={queries} asks for nothing: give 1 or more, or'
                     ' --images.')
  if neighbors < 1:
    raise InputError(f'--neighbors={neighbors} finds nothing: give 1 or more,'
                     ' such as 6.')
  if figure:
    style.check_picture_path('figure', figure)


# --- Queries and database -----------------------------------------------------


def given_queries(images: Sequence[str], database: Database) -> Queries:
  """Reads pictures as queries; a folder named after a class gives the label.

  A picture that cannot be read is reported on standard error and omitted.

  Raises:
    InputError: a picture does not exist, or none can be read.
  """
  settings = database.network.settings
  class_names = database.features.class_names
  numbers = classes_of_folders(class_names, database.names)
  names, squares, labels = [], [], []
  paths = pictures.find(images)
  for path, square in zip(paths, any_image.read_squares(
      paths, settings.data.image_size, settings.run.threads,
      resize=settings.data.resize), strict=True):
    if isinstance(square, InputError):
      print(printable(str(square)), file=sys.stderr)
      continue
    # A file name may not be valid text, but printed output must be.
    names.append(os.fsencode(path).decode(errors='replace'))
    squares.append(square)
    true = class_of_picture(path, numbers, [*map(os.path.expanduser, images)])
    labels.append(-1 if true is None else true)
  if not names:
    raise InputError('none of the pictures could be read: give --images sound'
                     ' JPEG or PNG files.')
  return Queries(names, squares, labels, class_names)


def _compare(query_set, database, neighbors, folder, figure):
  """Searches by pixel distance, and draws precision@k in a separate figure."""
  features, network, path, source, _ = database
  tested, images, labels = None, list(query_set.images), []
  try:
    opened = _open_tested(folder, features)
    validation = open_split(network, 'validation', path)
    check_images(opened, validation, path)
    tested = opened
  except InputError as error:
    print(f'Without precision@k: {printable(str(error))}', file=sys.stderr)
  if tested:
    for i in evenly_spread(len(validation), precision_at.PIXEL_QUERIES):
      example = validation[int(i)]
      images.append(example['image'])
      labels.append(example['label'])
  deep = precision_at.largest_k(features)
  distances, indices = precision_at.search_pixels(
      np.stack(images), source, max(neighbors, deep) if tested else neighbors,
      network.settings.run.threads)
  if tested:
    numbers = precision_at.precision_of_features(tested, features)
    numbers['pixels'] = precision_at.precision_at_each_k(
        np.array(labels), features.labels[indices[len(query_set):, :deep]])
    stem, ending = os.path.splitext(figure)
    precision_picture.draw(numbers, f'{stem}_precision{ending}')
    _print_files(f'{stem}_precision{ending}', 'precision@k')
  query_part = slice(len(query_set)), slice(neighbors)
  return retrieved.Retrieved(distances[query_part], indices[query_part])


def _open_tested(folder, features):
  """Opens the validation features; they must match the training features."""
  tested = open_features(folder)
  if tested.index['saved'] != features.index['saved'] or not len(tested.labels):
    raise InputError(
      f'{folder} holds features {describe_features(tested.index)},'
      f' and {features.folder}'
      f' {describe_features(features.index)}: make both with one'
      ' --task=features.'
    )
  return tested


def _row(query_set, query, by_features, by_pixels, database):
  """Returns one query and its neighbors for the figure."""
  label = query_set.labels[query]

  name = (database.names[label] if label >= 0
          else os.path.basename(query_set.where(query)))
  return QueryRow(Picture(query_set.images[query], name), {
      how: [Picture(*one) for one in with_classes(
          database, search.indices[query][:figure4_right.NEIGHBORS], label)]
      for how, search in (('features', by_features), ('pixels', by_pixels))})


def _print_files(figure, what):
  print(printable(f'{figure} shows {what}, {style.numbers_path(figure)} the'
                  ' numbers.'), file=sys.stderr)
