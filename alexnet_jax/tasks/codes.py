"""--task=codes: short binary codes for retrieval (6.1), trained and measured.

Every autoencoder is a separate run, in WORKDIR/codes/bits_64 and so on, or in
WORKDIR/codes_pixels/bits_64 for the features of --layer=pixels. It resumes from
its newest checkpoint; the packed codes of all images are stored beside its
checkpoints. The task may be stopped at any time; the same command resumes it.
"""

import functools
import os
from typing import Any

import jax
from absl import flags
from ml_collections import ConfigDict

from alexnet_jax.analysis import (
  autoencoder,
  code_files,
  codes_table,
  compression,
  hamming,
  vectors,
)
from alexnet_jax.analysis.autoencoder import FeatureStats
from alexnet_jax.analysis.code_files import Codes
from alexnet_jax.analysis.compression import CodeSettings, Compressor
from alexnet_jax.analysis.features import FOLDER as FEATURES
from alexnet_jax.analysis.features import layer_of, open_splits, rows_at
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.data.sources import evenly_spread
from alexnet_jax.errors import InputError
from alexnet_jax.figures import codes as codes_picture
from alexnet_jax.figures import curves, style
from alexnet_jax.network import rng
from alexnet_jax.run import config_fields

CONFIG = 'required'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
    'features',
    '',
    'What --task=features wrote; WORKDIR/features unless given.',
    flag_values=values,
  )
  flags.DEFINE_string(
      'out', '',
      'The picture; WORKDIR/codes/codes.png, or in WORKDIR/codes_LAYER for'
      ' features of another layer, unless given.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Trains the missing autoencoders, prints the table and draws it."""
  codes(invocation.config, invocation.workdir, invocation.flags.features,
        invocation.flags.out, invocation.command)


def codes(config: ConfigDict, workdir: str, features: str = '', out: str = '',
          command: str = '') -> dict[str, Any]:
  """Trains the missing autoencoders, prints the table and draws it.

  Args:
    config: a config with a section `code`, as in configs/codes.py.
    workdir: the workdir of the network's run.
    features: the folder that --task=features wrote; '' is WORKDIR/features.
    out: the picture file, .png, .pdf or .svg; '' is codes.png in WORKDIR/codes,
      or in WORKDIR/codes_LAYER. Its numbers are in the .json file of the same
      name.
    command: the command line, which is recorded with the runs.

  Returns:
    The numbers, or {} if a signal stops the task before it finishes.

  Raises:
    InputError: an argument that cannot work, or a loss that diverges. All
      errors but a diverging loss are raised before training starts.
  """
  out = os.path.expanduser(out)
  check(config, out)
  training, validation = open_splits(
      os.path.expanduser(features) or os.path.join(workdir, FEATURES))
  home = code_files.folder(workdir, layer_of(training.index))
  out = out or os.path.join(home, 'codes.png')
  settings = {bits: read_settings(config, bits) for bits in config.code.bits}
  compression.count_steps(settings[config.code.bits[0]], training)
  folders = {bits: os.path.join(home, f'bits_{bits}')
             for bits in config.code.bits}
  for bits, at in folders.items():
    compression.check_resumable(settings[bits], training, validation, at)
  stats = vectors.feature_stats(training.vectors)
  total = len(validation.labels)
  chosen = evenly_spread(total, config.code.queries or total)
  searches = [codes_table.exact(
      rows_at(validation, chosen), training.vectors)]
  for bits, at in folders.items():
    compressor = compression.train(
        settings[bits], training, validation, stats, at,
        curves.draw_workdir)
    if compressor is None:
      return {}
    database, queries = _learned(compressor, training, validation, config, at)
    code_files.write(at, Codes(bits, database, queries))
    searches.append(codes_table.by_codes(
        codes_table.LEARNED, queries[chosen], database, compressor.loss))
    database, queries = _random(config, bits, stats, training, validation)
    searches.append(codes_table.by_codes(
        codes_table.RANDOM, queries[chosen], database))
  numbers = {
      'features': training.folder, 'step': training.index['step'],
      'dimension': training.index['dimension'],
      'sizes': list(config.code.sizes), 'command': command,
      'device': jax.devices()[0].device_kind,
      **codes_table.compare(
          searches, validation.labels[chosen], training.labels)}
  codes_picture.draw(numbers, out)
  print(codes_table.as_text(numbers))
  print(style.drawn(out))
  return numbers


# --- Checks before training ---------------------------------------------------


def check(config: ConfigDict, out: str) -> None:
  """Raises InputError if the config or the picture's path is invalid."""
  if 'code' not in config:
    raise InputError('--task=codes needs a config that says how long the codes'
                     ' are: give --config=configs/codes.py.')
  config_fields.check(config)
  if out:
    style.check_picture_path('out', out)


def read_settings(config: ConfigDict, bits: int) -> CodeSettings:
  """Returns the settings for codes of one length."""
  o, run = config.optimizer, config.run
  return CodeSettings(
      config.to_dict(), config.seed, bits, config.code.sizes, o.batch_size,
      o.learning_rate, o.momentum, o.weight_decay, o.target_factor, run.epochs,
      run.evaluate_every, run.save_every, run.log_every, run.keep)


# --- Codes --------------------------------------------------------------------


def _learned(compressor: Compressor, training, validation, config, at):
  """Returns packed training and validation codes."""
  step = jax.jit(functools.partial(autoencoder.encode_bits, compressor.model))
  bits_of = functools.partial(step, compressor.params, compressor.stats)
  return [vectors.packed_codes(
      bits_of, features.vectors, config.optimizer.batch_size, f'{at}, {name}')
          for name, features in (('train', training),
                                 ('validation', validation))]


def _random(config, bits, stats: FeatureStats, training, validation):
  """Returns packed random codes, without training; features are centered."""
  normals = jax.random.normal(
      rng.stream(config.seed, 'hyperplanes', bits),
      (len(stats.mean), bits))
  bits_of = functools.partial(
      jax.jit(hamming.hyperplane_codes), center=stats.mean, normals=normals)
  return [vectors.packed_codes(
      bits_of, features.vectors, config.optimizer.batch_size,
      f'{bits} hyperplanes') for features in (training, validation)]
