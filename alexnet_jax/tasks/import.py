"""--task=import: makes a run of weights that other programs have published.

--config names the architecture: configs/published/torchvision.py,
caffe_alexnet.py or caffenet.py, configs/authors_2012.py for the layout of the
2012 program, or configs/history/resnet.py:50,torchvision and others for
torchvision's other networks. Files of --task=export and the network of this
package, tiny_imagenet_small, take the config that they were trained with. The
workdir has one checkpoint, at step 0, which every other task uses like that of
a training run.
"""

import os
import shutil
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from absl import flags
from ml_collections import ConfigDict

from alexnet_jax import files
from alexnet_jax.analysis import class_words
from alexnet_jax.array_files import reading
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.errors import InputError
from alexnet_jax.learning.augment import PixelStats
from alexnet_jax.learning.step import State
from alexnet_jax.network import classifier
from alexnet_jax.run import (
  checkpoint,
  commands,
  experiment,
  foreign,
  journal,
  mean_image,
  published,
  stored_config,
  trained,
  typed_config,
  weights,
)
from alexnet_jax.run.checkpoint import Metadata
from alexnet_jax.run.experiment import ILSVRC_EXAMPLES

CONFIG = 'required'
CLASSES = 1000  # of a file without fc8, unless --words lists others
FORM = ('model', 'augment', 'data')  # sections that shape the layers
ORDERS = ('bgr', 'rgb')
# A workdir is written under this name first, with nothing but these.
PART = '.part'
WRITTEN = (checkpoint.FOLDER, journal.CONFIG, journal.COMMAND,
           commands.IMPORTED)


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'weights', '', f'The file: {", ".join(reading.FORMATS)};'
      ' or tiny_imagenet_small.', flag_values=values)
  flags.DEFINE_string(
      'mean', '', 'The mean image, .binaryproto or .npy;'
      ' config.augment.mean_pixel unless given.', flag_values=values)
  flags.DEFINE_string(
      'words', '', 'The classes, one a line: synset_words.txt or'
      ' map_clsloc.txt.', flag_values=values)
  flags.DEFINE_enum(
      'order', '', ('', *ORDERS), 'Colors of the files; bgr for the names of'
      " Caffe's layers and rgb for others unless given.", flag_values=values)


def run(invocation: Invocation) -> None:
  """Makes the workdir."""
  values = invocation.flags
  import_weights(invocation.config, values.weights, invocation.workdir,
                 mean=values.mean, words=values.words, order=values.order,
                 command=invocation.command)


class _Run(NamedTuple):
  """A network at step 0, and what is stored beside it."""

  state: State
  metadata: Metadata
  said: str


def import_weights(config: ConfigDict, file: str, workdir: str, *,
                   mean: str = '', words: str = '', order: str = '',
                   command: str = '') -> str:
  """Writes a workdir with a checkpoint of published weights.

  Layers that the file does not have keep their initial values. Nothing is
  written if an argument cannot be used.

  Args:
    config: the experiment, whose config.model is the published architecture.
    file: the weights.
    workdir: the workdir, which must not exist or be empty.
    mean: the file of the mean image; '' uses config.augment.mean_pixel.
    words: the file of the class names; '' gives them numbers.
    order: 'rgb' or 'bgr'; '' is that of the program that wrote the weights.
    command: the command line, stored in the workdir.

  Returns:
    A sentence that says which layers were taken.

  Raises:
    InputError: a file cannot be used, or the workdir is not empty.
  """
  _check(file, workdir)
  made = _make(config.copy_and_resolve_references(), os.path.expanduser(file),
               os.path.expanduser(mean), os.path.expanduser(words), order)
  _write(made, workdir, command)
  print(made.said)
  print(f'Written to {workdir}; look into it with --task=predict'
        f' --workdir={workdir}, or start from it with --init_from={workdir}.')
  return made.said


def _check(file, workdir):
  if not file:
    raise InputError('--task=import needs weights: add --weights=FILE'
                     f' ({", ".join(reading.FORMATS)}).')
  if os.path.isdir(workdir) and os.listdir(workdir):
    raise InputError(f'--workdir={workdir} is not empty: give a new one.')
  part = f'{os.path.normpath(workdir)}{PART}'
  if os.path.exists(part) and not (
      os.path.isdir(part) and set(os.listdir(part)) <= set(WRITTEN)):
    raise InputError(f'{part} is in the way of --workdir={workdir}: move it, or'
                     ' give another --workdir.')


def _make(config, path, mean, words, order) -> _Run:
  if not os.path.exists(path):
    path = weights.shipped(path) or path
  if foreign.is_exported(path):
    return _make_exported(config, path, mean or words or order)
  settings = typed_config.read(config)
  built = experiment.build(settings, CLASSES, ILSVRC_EXAMPLES)
  source = foreign.open_file(path, built.model)
  order = order or source.order
  names = _class_names(source.classes or CLASSES, words)
  file_classes = source.classes or len(names)
  stats = _input_stats(config, path, source.mean, mean, order)
  built = experiment.build(settings, len(names), ILSVRC_EXAMPLES)
  state = built.new_state(stats)
  imported = source.into(weights.to_layers(built.model, state.variables), order,
                         file_classes == len(names))
  params, batch_stats = classifier.split(jax.tree.map(
      lambda fresh, leaf: jax.device_put(leaf, fresh.sharding),
      state.variables, weights.from_layers(imported.layers)))
  origin = f'{path} ({source.program}, {order.upper()}, {len(names):,} classes)'
  said = published.summary(imported, origin)
  if file_classes != len(names):
    said += (f' fc8 has {file_classes:,} classes in the file and'
             f' {len(names):,} in --words.')
  return _Run(state._replace(params=params, batch_stats=batch_stats),
              Metadata(config.to_dict(), names, ILSVRC_EXAMPLES),
              said + source.notes)


def _make_exported(config, path, others) -> _Run:
  """Makes the run of a file of --task=export, which knows its own classes."""
  if others:
    raise InputError(
        f'{path} was written by --task=export and has its own mean image,'
        ' classes and colors: leave out --mean, --words and --order.')
  network = trained.open_weights(path)
  difference = stored_config.first_difference(
      *map(_form, (network.settings.config, config.to_dict())), FORM)
  if difference:
    field, theirs, ours = difference
    raise InputError(
        f'{path} has {field}={theirs!r}, not {ours!r}: give the --config that'
        ' it was trained with.')
  built = experiment.build(typed_config.read(config), len(network.class_names),
                           network.train_examples or ILSVRC_EXAMPLES)
  params, batch_stats = classifier.split(network.params)
  return _Run(
      built.new_state(network.input_stats)._replace(
          params=params, batch_stats=batch_stats),
      Metadata(config.to_dict(), network.class_names,
               network.train_examples),
      f'Took all layers from {path}, step {network.step}.')


def _form(config):
  """Returns the sections FORM of a config, with what shapes the layers."""
  return {'model': config['model'],
          'augment': {'crop': config['augment']['crop']},
          'data': {'image_size': config['data']['image_size']}}


def _class_names(count, words) -> tuple[str, ...]:
  if words:
    return class_words.listed(words)
  width = len(str(count - 1))
  return tuple(f'class {i:0{width}d}' for i in range(count))


def _input_stats(config: Any, path: str, in_file: np.ndarray | None, mean: str,
                 order: str) -> PixelStats:
  """Returns the mean; `config` then says whether it is a pixel."""
  size, crop = config.data.image_size, config.augment.crop
  pixel = config.augment.mean_pixel
  if mean or in_file is not None:
    image = (mean_image.in_rgb(path, in_file, size, crop, order)
             if in_file is not None and not mean
             else mean_image.read(mean, size, crop, order))
    is_pixel = np.ptp(image, axis=(0, 1)).max() == 0
    config.augment.mean_pixel = (
        tuple(image[0, 0].tolist()) if is_pixel else ())
  elif pixel:
    image = np.broadcast_to(np.asarray(pixel), (size, size, 3))
  else:
    raise InputError(
        'config.augment.mean_pixel is () and the weights came with a mean image'
        ' that was subtracted: add --mean=FILE.')
  # The colors are only for jitter; a run that starts from this one measures
  # those of its own images.
  return PixelStats(image.astype(np.float32), np.eye(3, dtype=np.float32),
                    np.zeros(3, np.float32))


def _write(made: _Run, workdir: str, command: str) -> None:
  """Writes the workdir under another name first: it is complete or absent."""
  part = f'{os.path.normpath(workdir)}{PART}'
  shutil.rmtree(part, ignore_errors=True)
  try:
    with checkpoint.open_manager(part, keep=1) as manager:
      checkpoint.save(manager, 0, made.state, made.metadata, None)
      manager.wait_until_finished()
    files.write_json(os.path.join(part, journal.CONFIG), made.metadata.config)
    _write_lines(os.path.join(part, commands.IMPORTED), [made.said])
    if command:
      _write_lines(os.path.join(part, journal.COMMAND), [command])
    os.replace(part, workdir)
  except OSError as error:
    raise InputError(
        f'--workdir={workdir} cannot be written ({error.strerror or error}):'
        ' give another one.') from error
  finally:
    shutil.rmtree(part, ignore_errors=True)


def _write_lines(path: str, lines: Sequence[str]) -> None:
  with files.atomic_write(path) as file:
    file.write(''.join(f'{line}\n' for line in lines).encode())
