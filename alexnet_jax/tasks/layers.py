"""--task=layers: which layer's features, and which codes, find a class (6.1).

It takes what --task=features --layer=LAYER and --task=codes have left in the
workdir: the features of any layers, of the pixels, and the longest binary codes
of each.
"""

import os
from typing import Any

from absl import flags

from alexnet_jax.analysis import layer_searches, retrieval
from alexnet_jax.analysis.class_words import readable
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.figures import figure4_right, style
from alexnet_jax.figures import retrieval as precision_picture
from alexnet_jax.figures.figure4_right import Picture, QueryRow
from alexnet_jax.run.trained import open_split, open_trained

NEIGHBORS = 6  # of each query, as in Figure 4

CONFIG = 'unused'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'layers', '', 'Such as pixels,conv5,fc7; all that have features unless'
      ' given.', flag_values=values)
  flags.DEFINE_integer(
      'queries', 5, 'How many validation images are in --figure.',
      lower_bound=1, upper_bound=figure4_right.QUERIES, flag_values=values)
  flags.DEFINE_string(
      'data', '', 'Where the images are, for --figure, if they were moved.',
      flag_values=values)
  flags.DEFINE_string(
      'words', '', 'A file with a line "CLASS its, words" for each class.',
      flag_values=values)
  flags.DEFINE_string(
      'figure', '', 'Draw what each search finds, as in Figure 4, right, into'
      ' this file.', flag_values=values)
  flags.DEFINE_string(
      'out', '', 'The picture of precision@k; WORKDIR/layers.png unless given.',
      flag_values=values)


def run(invocation: Invocation) -> None:
  """Prints the table and draws it."""
  values = invocation.flags
  layers(invocation.require_workdir(), values.layers, values.out,
         values.figure, values.queries, values.data, values.words)


def layers(workdir: str, chosen: str = '', out: str = '', figure: str = '',
           queries: int = 5, data: str = '', words: str = '') -> dict[str, Any]:
  """Prints precision@k of every search and draws it.

  Args:
    workdir: the workdir of the run, with the features and codes.
    chosen: names of layers, separated by commas; '' is all with features.
    out: the picture; '' is WORKDIR/layers.png. Its numbers are in the .json
      file of the same name.
    figure: the picture of what each search finds; '' for none.
    queries: the number of queries in it.
    data: the present location of the images; '' if they were not moved.
    words: the file of class names in words.

  Returns:
    The numbers.

  Raises:
    InputError: an argument that cannot work.
  """
  out = os.path.expanduser(out) or os.path.join(workdir, 'layers.png')
  figure = os.path.expanduser(figure)
  style.check_picture_path('out', out)
  if figure:
    style.check_picture_path('figure', figure)
  network = open_trained(workdir)
  opened = layer_searches.open_layers(
      workdir, network.model, chosen.split(',') if chosen else ())
  searches = layer_searches.searches_of(workdir, opened)
  _, training, validation = opened[-1]
  names = readable(training.class_names, words)
  database, asked = None, []
  if figure:
    database = retrieval.open_database(workdir, training, names, data)
    images = open_split(database.network, 'validation', database.path)
    retrieval.check_images(validation, images, database.path)
    asked = retrieval.draw_images(images, queries)
  numbers = {
      'workdir': workdir, 'step': training.index['step'],
      **layer_searches.compare(searches, training, validation)}
  print(layer_searches.as_text(numbers))
  precision_picture.draw_searches(numbers, out)
  print(style.drawn(out))
  if database:
    _draw_found(searches, database, asked, figure)
    print(style.drawn(figure))
  return numbers


def _draw_found(searches, database, queries, figure):
  """Draws the nearest images of some queries, the uppermost layer first."""
  network, names = database.network, database.names
  indices = [i for i, _ in queries]
  neighbors = min(NEIGHBORS, len(database.features.labels))
  places = {search.name: search.nearest(indices, neighbors)
            for search in searches[::-1]}
  rows, record = [], []
  for row, (i, example) in enumerate(queries):
    label = int(example['label'])
    by = {name: [Picture(*one) for one in retrieval.with_classes(
        database, found[row], label)] for name, found in places.items()}
    rows.append(QueryRow(Picture(example['image'], names[label]), by))
    record.append({
        'validation image': i, 'label': names[label],
        'found': {name: [int(j) for j in found[row]]
                  for name, found in places.items()}})
  figure4_right.draw(
      rows, {'workdir': network.workdir, 'step': network.step,
             'queries': record}, figure)
