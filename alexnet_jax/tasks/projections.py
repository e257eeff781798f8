"""--task=projections: what the deeper layers see, a picture for each.

Each picture has the projections of Zeiler and Fergus (`projection.py`) for the
nine validation images that activate a map most, beside the patches themselves.
It shows for every layer what Figure 3 shows for the first.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from absl import flags
from tqdm import tqdm

from alexnet_jax import files
from alexnet_jax.analysis import (
  projected_maps,
  projection,
  receptive_fields,
)
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.errors import InputError, printable
from alexnet_jax.figures import projections as projections_picture
from alexnet_jax.figures import style
from alexnet_jax.figures.projections import Block
from alexnet_jax.run import trained
from alexnet_jax.run.trained import Trained

MOST = 64  # Maps per picture, which is then two feet high.

CONFIG = 'unused'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'checkpoint', 'latest', 'latest, best or a step.', flag_values=values)
  flags.DEFINE_string(
      'data', '', "Records or a folder in place of the run's own data.",
      flag_values=values)
  flags.DEFINE_string(
      'layers', '',
      'Such as conv2,conv5; all convolutions unless given.', flag_values=values)
  flags.DEFINE_string(
      'maps', '8', 'How many maps of a layer, or which, counted from 1:'
      ' 3,17,40; or 17, for one alone.', flag_values=values)
  flags.DEFINE_string(
      'out', '',
      'The folder; WORKDIR/projections unless given.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Draws a picture for each layer."""
  values = invocation.flags
  projections(invocation.require_workdir(), values.checkpoint,
              values.data, values.layers, values.maps, values.out)


class Maps(NamedTuple):
  """Which maps of a layer to show."""

  count: int  # Number of strongest maps to show.
  numbers: tuple[int, ...]  # Or the maps to show, numbered from 1.


def projections(workdir: str, checkpoint: str = 'latest', data: str = '',
                layers: str = '', maps: str = '8',
                out: str = '') -> dict[str, Any]:
  """Draws OUT/conv1.png and so on; the numbers are in OUT/projections.json.

  Args:
    workdir: the workdir of the run.
    checkpoint: 'latest', 'best' or a step.
    data: records or a folder of images; '' is the run's own data.
    layers: layer names such as 'conv2,conv5'; '' is every layer whose units
      have positions.
    maps: '8' shows eight maps of each layer, equally many from every column:
      those that their nine images activate most on average. '3,17,40' shows
      these maps, numbered from 1 over all columns, and '17,' a single one.
    out: the folder to write to; '' is WORKDIR/projections.

  Returns:
    The numbers.

  Raises:
    InputError: an argument that cannot work; raised before the images are read.
  """
  folder = os.path.expanduser(out) or os.path.join(workdir, 'projections')
  check_folder(folder)
  shown = parse_maps(maps)
  network = trained.open_trained(workdir, checkpoint)
  model = network.model
  fields = receptive_fields.fields(model.layers, model.num_columns, model.patch)
  names = choose_layers(
      layers, tuple(fields),
      [layer.name for layer in model.layers[len(fields):]] + ['fc8'])
  check_maps(shown, network, names)
  source = trained.open_split(network, 'validation', data)
  strongest = projected_maps.search(network, source, names)
  numbers = {
      'workdir': network.workdir, 'step': network.step, 'split': 'validation',
      'images': len(source), 'patch': model.patch, 'layers': {}}
  for name in names:
    numbers['layers'][name] = _draw(
        network, source, name, fields[name], strongest[name], shown,
        os.path.join(folder, f'{name}.png'))
  files.write_json(os.path.join(folder, 'projections.json'), numbers)
  pictures = ', '.join(f'{name}.png' for name in names)
  print(f'Drawn in {printable(folder)}: {pictures}; the images and activations'
        ' are in projections.json.')
  return numbers


def _draw(network, source, name, field, strongest, shown, path):
  """Draws the picture of one layer and returns its numbers."""
  columns, count = network.model.num_columns, strongest.images.shape[1]
  chosen = (np.array(shown.numbers) - 1 if shown.numbers else
            projection.choose_maps(strongest, min(shown.count, count), columns))
  project = projected_maps.projector(network, name)
  blocks, maps = [], []
  for index in map(int, tqdm(chosen, desc=name, unit=' maps', leave=False,
                             dynamic_ncols=True, disable=None)):
    column = index * columns // count + 1
    examples, units = projected_maps.units_of(source, field, strongest, index)
    whose = f' (column {column})' if columns > 1 else ''
    silent = '' if units else ': silent'
    projected, patches = projected_maps.cut(
        network, project(examples, units, index), examples, units)
    if name == network.model.layers[0].name:
      projected = projected_maps.kernel_alone(
          projected, units, network.model.patch)
    blocks.append(Block(f'map {index + 1}{whose}{silent}', projected, patches))
    maps.append({'map': index + 1, 'column': column, 'units': units})
  projections_picture.draw(name, blocks, path)
  return {'field': field._asdict(), 'maps': maps}


# --- Flags --------------------------------------------------------------------


def check_folder(path: str) -> None:
  """Raises InputError if the path cannot be a folder or names a picture."""
  file = path
  while file and not os.path.exists(file):
    file = os.path.dirname(file)
  a_picture = os.path.splitext(path)[1] in style.FORMATS
  if a_picture or (file and not os.path.isdir(file)):
    what = (f'--out={path} is a picture' if a_picture else
            f'--out={path} cannot be made, {file} is a file')
    raise InputError(f'{what}: give a folder, where every layer gets a picture'
                     ' of its own.')


def parse_maps(text: str) -> Maps:
  """Parses '8' as a number of maps, and '3,17,40' or '17,' as map numbers.

  Raises:
    InputError: the text is neither, or gives more maps than fit in a picture.
  """
  words = [word.strip() for word in text.split(',')]
  alone = len(words) == 1
  words = words if alone or words[-1] else words[:-1]
  if not all(word.isdecimal() and int(word) for word in words):
    raise InputError(f'--maps={text} is no number of maps: give 8, or the'
                     ' numbers of some, counted from 1, such as 3,17,40.')
  numbers = tuple(dict.fromkeys(map(int, words)))
  count = numbers[0] if alone else len(numbers)
  if count > MOST:
    raise InputError(f'--maps={text} are {count} maps: give {MOST} at most,'
                     ' which fill a picture.')
  return Maps(count, () if alone else numbers)


def choose_layers(text: str, known: Sequence[str],
                  everywhere: Sequence[str]) -> tuple[str, ...]:
  """Parses 'conv2,conv5' into layer names, lowest first; '' -> all of `known`.

  Args:
    text: the value of the flag.
    known: the layers whose units have positions.
    everywhere: the layers whose units read the whole patch.

  Raises:
    InputError: a layer that does not exist, or whose units have no positions.
  """
  if not text:
    return tuple(known)
  words = [word.strip() for word in text.split(',') if word.strip()]
  if not words:
    raise InputError(f'--layers={text} names no layer: give some of'
                     f' {",".join(known)}.')
  for word in words:
    if word in known:
      continue
    wrong = ('whose units have no place in the image' if word in everywhere
             else 'which this network does not have')
    raise InputError(f'--layers={text} names {word}, {wrong}: give some of'
                     f' {",".join(known)}.')
  return tuple(name for name in known if name in words)


def check_maps(shown: Maps, network: Trained, names: Sequence[str]) -> None:
  """Checks that every layer has the maps that are to be shown.

  Args:
    shown: the maps to show.
    network: the network.
    names: the layers.

  Raises:
    InputError: a map number is larger than a layer's number of maps.
  """
  for name in names:
    count = network.params['columns'][name]['bias'].shape
    count = count[0] * count[-1]
    for number in shown.numbers:
      if number > count:
        raise InputError(
            f'--maps names {number}, but {name} has {count} maps: give numbers'
            f' from 1 to {count}, or choose other --layers.')
