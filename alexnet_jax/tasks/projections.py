"""--task=projections: what the deeper layers see, a picture for each.

Zeiler and Fergus' projections (`projection.py`) of the nine validation images
that excite a map most, beside the patches themselves: for every layer what
Figure 3 shows of the first. Images are seen as in a test with one patch.
"""

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags
from tqdm import tqdm

from alexnet_jax import command_line, files
from alexnet_jax.analysis import projection
from alexnet_jax.analysis.projection import Strongest
from alexnet_jax.command_line import Invocation
from alexnet_jax.data import loader
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.figures import projections as projections_picture
from alexnet_jax.figures import style
from alexnet_jax.figures.projections import Block
from alexnet_jax.learning import augment
from alexnet_jax.run import trained
from alexnet_jax.run.trained import Trained

TOP = 9  # images for a map, as in Zeiler and Fergus' Figure 2
MOST = 64  # maps in a picture, which is then two feet high


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
    'maps',
    '8',
    'How many maps of a layer, or which, counted from 1: 3,17,40; or 17, for'
    ' one alone.',
    flag_values=values,
  )
  flags.DEFINE_string(
      'out', '',
      'The folder; WORKDIR/projections unless given.', flag_values=values)


def run(given: Invocation) -> None:
  """Draws a picture for each layer."""
  values = given.flags
  projections(command_line.require_workdir(given), values.checkpoint,
              values.data, values.layers, values.maps, values.out)


class Maps(NamedTuple):
  """Which maps of a layer to show."""

  count: int  # so many of the strongest
  numbers: tuple[int, ...]  # or these, from 1 on


def projections(workdir: str, which: str = 'latest', data: str = '',
                layers: str = '', maps: str = '8',
                out: str = '') -> dict[str, Any]:
  """Draws OUT/conv1.png and so on; the numbers are in OUT/projections.json.

  Args:
    workdir: of the run.
    which: 'latest', 'best' or a step.
    data: records or a folder in place of the run's own data.
    layers: 'conv2,conv5'; '' is every layer whose units have places.
    maps: '8' shows eight maps of each layer, as many of every column, those
      whose nine images excite them most on average; '3,17,40' shows these,
      numbered from 1 over all columns, and '17,' one alone.
    out: a folder; WORKDIR/projections if not given.

  Returns:
    The numbers.

  Raises:
    InputError: anything given that cannot work, before the images are read.
  """
  folder = os.path.expanduser(out) or os.path.join(workdir, 'projections')
  check_folder(folder)
  shown = parse_maps(maps)
  found = trained.open_trained(workdir, which)
  model = found.model
  fields = projection.fields(model.layers, model.num_columns, model.patch)
  names = choose_layers(
      layers, tuple(fields),
      [layer.name for layer in model.layers[len(fields):]] + ['fc8'])
  check_maps(shown, found, names)
  source = trained.open_split(found, 'validation', data)
  strongest = search(found, source, names)
  numbers = {
      'workdir': found.workdir, 'step': found.step, 'split': 'validation',
      'images': len(source), 'patch': model.patch, 'layers': {}}
  for name in names:
    numbers['layers'][name] = _draw(
        found, source, name, fields[name], strongest[name], shown,
        os.path.join(folder, f'{name}.png'))
  files.write_json(os.path.join(folder, 'projections.json'), numbers)
  print(f'Drawn in {folder}: {", ".join(f"{name}.png" for name in names)}; the'
        ' images and activations are in projections.json.')
  return numbers


# --- What was asked for -------------------------------------------------------


def check_folder(path: str) -> None:
  """Raises InputError where no folder can be or no picture should be asked."""
  file = path
  while file and not os.path.exists(file):
    file = os.path.dirname(file)
  a_picture = os.path.splitext(path)[1] in style.FORMATS
  if a_picture or (file and not os.path.isdir(file)):
    what = (f'--out={path} is a picture' if a_picture else
            f'--out={path} cannot be made, {file} is a file')
    raise InputError(f'{what}: give a folder, where every layer gets a picture'
                     ' of its own.')


def parse_maps(given: str) -> Maps:
  """'8' -> so many, '3,17,40' or '17,' -> these.

  Raises:
    InputError: neither of the two, or more than a picture holds.
  """
  words = [word.strip() for word in given.split(',')]
  alone = len(words) == 1
  words = words if alone or words[-1] else words[:-1]
  if not all(word.isdecimal() and int(word) for word in words):
    raise InputError(f'--maps={given} is no number of maps: give 8, or the'
                     ' numbers of some, counted from 1, such as 3,17,40.')
  numbers = tuple(dict.fromkeys(map(int, words)))
  count = numbers[0] if alone else len(numbers)
  if count > MOST:
    raise InputError(f'--maps={given} are {count} maps: give {MOST} at most,'
                     ' which fill a picture.')
  return Maps(count, () if alone else numbers)


def choose_layers(given: str, known: Sequence[str],
                  everywhere: Sequence[str]) -> tuple[str, ...]:
  """'conv2,conv5' -> those, from below; '' -> all that are known.

  Args:
    given: of the flag.
    known: the layers whose units have places.
    everywhere: the layers whose units read all of the patch.

  Raises:
    InputError: a layer that is not there, or has no places.
  """
  if not given:
    return tuple(known)
  words = [word.strip() for word in given.split(',') if word.strip()]
  if not words:
    raise InputError(f'--layers={given} names no layer: give some of'
                     f' {",".join(known)}.')
  for word in words:
    if word in known:
      continue
    wrong = ('whose units have no place in the image' if word in everywhere
             else 'which this network does not have')
    raise InputError(f'--layers={given} names {word}, {wrong}: give some of'
                     f' {",".join(known)}.')
  return tuple(name for name in known if name in words)


def check_maps(shown: Maps, found: Trained, names: Sequence[str]) -> None:
  """Raises InputError for a number above a layer's maps."""
  for name in names:
    count = found.params['columns'][name]['bias'].shape
    count = count[0] * count[-1]
    for number in shown.numbers:
      if number > count:
        raise InputError(
            f'--maps names {number}, but {name} has {count} maps: give numbers'
            f' from 1 to {count}, or choose other --layers.')


# --- The strongest of all images ----------------------------------------------


def search(found: Trained, source: Source,
           names: Sequence[str]) -> dict[str, Strongest]:
  """The nine images that excite each map of some layers most, and where."""
  see = _seeing(found)

  @jax.jit
  def strongest(params, pixels, images):
    maps = projection.activations(
        found.model.layers, params, see(pixels, images), names)
    return {name: projection.strongest_units(maps[name]) for name in names}

  held = {}
  first = 0
  with tqdm(total=len(source), desc=f'{found.workdir}, {found.step}',
            unit=' images', leave=False, dynamic_ncols=True,
            disable=None) as bar:
    for batch in loader.evaluation_batches(
        source, batch_size=found.settings.optimizer.batch_size,
        threads=found.settings.run.threads):
      units = jax.device_get(strongest(
          found.params['columns'], found.input_stats, batch['image']))
      valid = batch['valid']
      at = first + np.arange(valid.sum())
      for name, (activations, places) in units.items():
        before = held.get(name, projection.nothing_yet(
            TOP, activations.shape[1]))
        held[name] = projection.merge(
            before, activations[valid], at, places[valid])
      first += len(at)
      bar.update(len(at))
  return held


def _seeing(found):
  """f(pixels, images) -> what the network sees of them, around zero."""
  crop = found.model.patch
  view, = augment.test_crops(found.settings.data.image_size, crop, 1)

  def see(pixels, images):
    return augment.subtract_mean(
        augment.cut_crop(images, view, crop), pixels)

  return see


# --- One layer ----------------------------------------------------------------


def _draw(found, source, name, field, strongest, shown, path):
  """Draws the picture of one layer; the numbers behind it."""
  columns, count = found.model.num_columns, strongest.images.shape[1]
  chosen = (np.array(shown.numbers) - 1 if shown.numbers else
            projection.choose(strongest, min(shown.count, count), columns))
  project = _projector(found, name)
  blocks, told = [], []
  for index in map(int, tqdm(chosen, desc=name, unit=' maps', leave=False,
                             dynamic_ncols=True, disable=None)):
    column = index * columns // count + 1
    examples, units = _units(source, field, strongest, index)
    whose = f' (column {column})' if columns > 1 else ''
    silent = '' if units else ': silent'
    projected, patches = _cut(
        found, project(examples, units, index), examples, units)
    if name == found.model.layers[0].name:
      projected = _kernel_alone(projected, units, found.model.patch)
    blocks.append(Block(f'map {index + 1}{whose}{silent}', projected, patches))
    told.append({'map': index + 1, 'column': column, 'units': units})
  projections_picture.draw(name, blocks, path)
  return {'field': field._asdict(), 'maps': told}


def _units(source, field, strongest, index):
  """The images that excite one map, and what is known of its unit in each."""
  examples, units = [], []
  for activation, i, place in zip(
      *(one[:, index].tolist() for one in strongest), strict=True):
    if activation <= 0:  # ReLU lets nothing through
      break
    examples.append(source[i])
    units.append({
        'image': i, 'where': source.where(i),
        'class': source.class_names[int(examples[-1]['label'])],
        'place': place, 'activation': activation,
        'square': projection.square_of(field, place)})
  return examples, units


def _projector(found, name):
  """f(examples, units, index of the map) -> projections [n, P, P, 3]."""
  see = _seeing(found)

  @jax.jit
  def project(params, pixels, images, maps, places):
    return projection.project(found.model.layers, params, see(pixels, images),
                              name, maps, places)

  def of_units(examples, units, index):
    if not units:
      return np.zeros((0, found.model.patch, found.model.patch, 3))
    # Always as many, so that one compilation does.
    filled = [i % len(units) for i in range(TOP)]
    projected = project(
        found.params['columns'], found.input_stats,
        np.stack([examples[i]['image'] for i in filled]),
        np.full(TOP, index), np.array([units[i]['place'] for i in filled]))
    return np.asarray(projected)[:len(units)]

  return of_units


def _cut(found, projected, examples, units):
  """Projections and patches, both cut to what the units read."""
  crop = found.model.patch
  y, x, _ = augment.test_crops(found.settings.data.image_size, crop, 1)[0]
  projections, patches = [], []
  for one, example, unit in zip(projected, examples, units, strict=True):
    top, left, side = projection.moved_inside(unit['square'], crop)
    square = np.s_[top:top + side, left:left + side]
    projections.append(one[square])
    patches.append(example['image'][y:y + crop, x:x + crop][square])
  return projections, patches


def _kernel_alone(projected, units, patch):
  """One of the nine, which are all the kernel, that no edge of a patch cuts."""
  whole = [one for one, unit in zip(projected, units, strict=True)
           if projection.moved_inside(unit['square'], patch) == unit['square']]
  return (whole or projected)[:1]
