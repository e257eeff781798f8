"""--task=codes: short binary codes for retrieval (6.1), trained and measured.

Every auto-encoder is a run of its own, at WORKDIR/codes/bits_64 and so on, and
goes on from its newest checkpoint; beside its checkpoints lie the packed codes
of all images. The task may be stopped at any time; the same command goes on.
"""

import functools
import os
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from alexnet_jax import files as whole
from alexnet_jax.analysis import autoencoder, codes_table, compression, hamming
from alexnet_jax.analysis import retrieval_precision as precision_at
from alexnet_jax.analysis.autoencoder import Standard
from alexnet_jax.analysis.compression import Compressor
from alexnet_jax.analysis.features import FOLDER as FEATURES
from alexnet_jax.analysis.features import Features, open_features, rows_of
from alexnet_jax.errors import InputError
from alexnet_jax.figures import codes as codes_picture
from alexnet_jax.figures import style
from alexnet_jax.network import rng

FOLDER = 'codes'  # in the workdir of the network's run
# What counts something cannot be less.
AT_LEAST = {
    'code.queries': 0, 'optimizer.batch_size': 1, 'optimizer.learning_rate': 0,
    'optimizer.momentum': 0, 'optimizer.weight_decay': 0,
    'optimizer.target_factor': 1, 'run.epochs': 0, 'run.evaluate_every': 0,
    'run.save_every': 0, 'run.log_every': 1, 'run.keep': 1,
}


def codes(config: ConfigDict, workdir: str, features: str = '', out: str = '',
          command: str = '') -> dict[str, Any]:
  """Trains what is not trained yet, prints the table, draws it.

  Args:
    config: with a section `code`, as in configs/codes.py.
    workdir: of the network's run.
    features: what --task=features wrote; '' is WORKDIR/features.
    out: the picture, .png, .pdf or .svg; '' is WORKDIR/codes/codes.png. Its
      numbers are in the .json of the same name.
    command: the command line that was given, for the record.

  Returns:
    The numbers, or {} when asked to stop before the end.

  Raises:
    InputError: anything given that cannot work; all but a diverging loss is
      found before anything is trained.
  """
  out = os.path.expanduser(out) or os.path.join(workdir, FOLDER, 'codes.png')
  check(config, out)
  training, validation = open_both(
      os.path.expanduser(features) or os.path.join(workdir, FEATURES))
  compression.count_steps(config, training)  # is there a step to take?
  folders = {bits: os.path.join(workdir, FOLDER, f'bits_{bits}')
             for bits in config.code.bits}
  for bits, at in folders.items():
    compression.must_go_on(config, bits, training, at)
  standard = compression.standard_of(training.vectors)
  there = len(validation.labels)
  chosen = precision_at.spread(there, config.code.queries or there)
  searches = [codes_table.exact(
      rows_of(validation, chosen), training.vectors)]
  for bits, at in folders.items():
    compressor = compression.train(
        config, bits, training, validation, standard, at)
    if compressor is None:
      return {}
    database, queries = _learned(compressor, training, validation, config, at)
    searches.append(codes_table.by_codes(
        codes_table.LEARNED, queries[chosen], database, compressor.loss))
    database, queries = _random(config, bits, standard, training, validation)
    searches.append(codes_table.by_codes(
        codes_table.RANDOM, queries[chosen], database))
  numbers = {
      'features': training.folder, 'step': training.about['step'],
      'dimension': training.about['dimension'],
      'sizes': list(config.code.sizes), 'command': command,
      'device': jax.devices()[0].device_kind,
      **codes_table.compare(
          searches, validation.labels[chosen], training.labels)}
  codes_picture.draw(numbers, out)
  beside = style.write_numbers(out, numbers)
  print(codes_table.as_text(numbers))
  print(f'Drawn in {out}; the numbers are in {beside}.')
  return numbers


# --- What must hold before anything is trained --------------------------------


def check(config: ConfigDict, out: str) -> None:
  """Raises InputError if the config or the picture's file cannot work."""
  if 'code' not in config:
    raise InputError('--task=codes needs a config that says how long the codes'
                     ' are: give --config=configs/codes.py.')

  def refuse(field, remedy):
    section, name = field.split('.')
    raise InputError(
        f'config.{field}={config[section][name]!r} {remedy}.')

  bits, sizes = config.code.bits, config.code.sizes
  if not bits or len(set(bits)) < len(bits) or not all(
      isinstance(one, int) and one > 0 and one % hamming.WORD == 0
      for one in bits):
    refuse('code.bits', f'cannot be packed into words of {hamming.WORD} bits:'
           ' give different multiples of it, such as (32, 64)')
  if not all(isinstance(one, int) and one > 0 for one in sizes):
    refuse('code.sizes', 'are no sizes of layers: give numbers of neurons, such'
           ' as (1024, 256)')
  for field, least in AT_LEAST.items():
    section, name = field.split('.')
    if config[section][name] < least:
      refuse(field, f'is too small: give {least} or more')
  style.check('out', out)


def open_both(folder: str) -> tuple[Features, Features]:
  """The training and validation features of one network.

  Raises:
    InputError: either is missing, or they are of two networks.
  """
  if not os.path.isdir(folder):
    raise InputError(
        f'there are no features in {folder}: give a trained network\'s'
        ' --workdir=RUN and make its features first, with python launch.py'
        ' --task=features --workdir=RUN.')
  training, validation = (open_features(os.path.join(folder, split))
                          for split in ('train', 'validation'))
  for name in ('dimension', 'step', 'saved', 'class_names'):
    if training.about[name] != validation.about[name]:
      raise InputError(
          f'{training.folder} and {validation.folder} differ in their {name}:'
          ' make both with one --task=features.')
  return training, validation


# --- Codes --------------------------------------------------------------------


def _learned(compressor: Compressor, training, validation, config, at):
  """The packed codes of training and validation images, also written down."""
  step = jax.jit(functools.partial(autoencoder.bits_of, compressor.model))
  bits_of = functools.partial(step, compressor.params, compressor.standard)
  both = []
  for name, features in (('train', training), ('validation', validation)):
    both.append(compression.packed_codes(
        bits_of, features.vectors, config.optimizer.batch_size,
        f'{at}, {name}'))
    with whole.write(os.path.join(at, f'{name}.npy')) as file:
      np.save(file, both[-1])
  return both


def _random(config, bits, standard: Standard, training, validation):
  """The same of codes that nothing had to learn, seen from the mean."""
  normals = jax.random.normal(
      rng.stream(config.seed, 'hyperplanes', bits),
      (len(standard.mean), bits))
  bits_of = functools.partial(
      jax.jit(hamming.sides), centre=standard.mean, normals=normals)
  return [compression.packed_codes(
      bits_of, features.vectors, config.optimizer.batch_size,
      f'{bits} hyperplanes') for features in (training, validation)]
