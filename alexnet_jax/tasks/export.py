"""--task=export: writes a checkpoint's network into one file.

The card beside it, FILE.json, says what a user of the file must know: config,
classes, how pixels enter, measured errors, data and their license.
"""

import json
import os
from typing import NamedTuple

import jax
import numpy as np
from absl import flags

from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.errors import InputError, printable
from alexnet_jax.export import (
  card,
  onnx_file,
  operations,
  stablehlo_file,
  torch_file,
)
from alexnet_jax.learning import augment
from alexnet_jax.network import classifier
from alexnet_jax.run import torchvision_forms, trained, weights
from alexnet_jax.run.trained import Trained
from alexnet_jax.run.weights import Weights

CONFIG = 'unused'
# The endings that --out may have, and the file in the workdir without --out.
ENDINGS = {'npz': ('.npz',), 'safetensors': ('.safetensors',),
           'stablehlo': ('.stablehlo',), 'onnx': ('.onnx',),
           'torch': torch_file.FORMATS}
NAMES = {'npz': 'weights.npz', 'safetensors': 'weights.safetensors',
         'stablehlo': 'network.stablehlo', 'onnx': 'network.onnx',
         'torch': 'torch_weights.safetensors'}
PROGRAMS = ('stablehlo', 'onnx')  # formats that can hold the pre-processing
PLACES = ('inside', 'outside')


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'checkpoint', 'latest', 'latest, best or a step.', flag_values=values)
  flags.DEFINE_string(
      'format', '', f'{", ".join(NAMES)}; that of --out unless given, or npz.',
      flag_values=values)
  flags.DEFINE_string(
      'out', '', 'The file; in WORKDIR unless given.', flag_values=values)
  flags.DEFINE_string(
      'preprocessing', 'inside', 'Of stablehlo and onnx: inside (uint8 images'
      ' to probabilities) or outside (patches to logits).', flag_values=values)
  flags.DEFINE_integer(
      'crops', 10, 'How many are averaged, with the pre-processing inside: 10,'
      ' 9 or 1.', flag_values=values, lower_bound=1, upper_bound=10)
  flags.DEFINE_string(
      'data_license', '', 'The license of the training data, for the card.',
      flag_values=values)


def run(invocation: Invocation) -> None:
  """Writes the file."""
  values = invocation.flags
  export(invocation.require_workdir(), values.checkpoint,
         values.out, Options(values.format, values.preprocessing,
                             values.crops, values.data_license))


class Options(NamedTuple):
  """What the file is to be."""

  format: str = ''  # one of NAMES; '' for that of the file's ending, or npz
  preprocessing: str = 'inside'  # one of PLACES
  crops: int = 10  # that are averaged, with the pre-processing inside
  data_license: str = ''  # of the training data


def export(workdir: str, checkpoint: str = 'latest', out: str = '',
           options: Options = Options()) -> str:  # noqa: B008 (immutable)
  """Writes a network into one file, and its card beside it.

  Args:
    workdir: the workdir of the run.
    checkpoint: 'latest', 'best' or a step.
    out: the file; '' for a file in the workdir.
    options: the format and what it depends on.

  Returns:
    The file's path.

  Raises:
    InputError: the checkpoint does not exist, an option or the name of the file
      is invalid, or the format needs a package that is not installed.
  """
  name, path = _format_and_path(options, out, workdir)
  network = trained.open_trained(workdir, checkpoint)
  described = card.describe(network, options.data_license)
  how = _write(name, path, network, described, options)
  card.save(path, described)
  params, _ = classifier.split(network.params)
  count = sum(leaf.size for leaf in jax.tree.leaves(params))
  print(printable(
      f'{path}: {count:,} parameters and {len(network.class_names)} classes of'
      f' {network.workdir}, step {network.step}; {how}'))
  return path


def _format_and_path(options, out, workdir):
  if options.format and options.format not in NAMES:
    raise InputError(f'--format={options.format} is not known: give one of'
                     f' {", ".join(NAMES)}.')
  if options.preprocessing not in PLACES:
    raise InputError(f'--preprocessing={options.preprocessing} is not known:'
                     f' give {" or ".join(PLACES)}.')
  if options.crops not in augment.CROPS:
    raise InputError(f'--crops={options.crops} is no test of 2012: give one of'
                     f' {", ".join(map(str, augment.CROPS))}.')
  ending = os.path.splitext(out)[1]
  name = options.format or next(
      (name for name, endings in ENDINGS.items() if ending in endings), 'npz')
  path = os.path.expanduser(out) or os.path.join(workdir, NAMES[name])
  if os.path.isdir(path):
    raise InputError(f'--out={out} is a folder: give the name of a file in it,'
                     f' such as {os.path.join(out, NAMES[name])}.')
  if os.path.splitext(path)[1] not in ENDINGS[name]:
    known = ENDINGS[name] if options.format else [
        ending for endings in ENDINGS.values() for ending in endings]
    raise InputError(f'--out={out} has another ending than'
                     f' {" or ".join(dict.fromkeys(known))}: give one of'
                     ' these.')
  return name, path


def _write(name: str, path: str, network: Trained, described: dict,
           options: Options) -> str:
  """Writes the file; returns how it is used, in words."""
  if name in ('npz', 'safetensors'):
    layers = weights.to_layers(network.model, network.params)
    weights.save(path, Weights(layers, network.input_stats,
                               network.class_names, described))
    return (f'alexnet_jax.load({path!r}) reads it, and --init_from={path}'
            ' starts another run from it')
  size = network.model.patch
  crops = (augment.test_crops(network.settings.data.image_size, size,
                              options.crops)
           if options.preprocessing == 'inside' else None)
  if name in PROGRAMS:
    described['program'] = _program(network, crops, channels_last=(
        name == 'stablehlo'))
  if name == 'stablehlo':
    stablehlo_file.save(path, network, crops)
    return 'docs/export.md shows how JAX alone runs it'
  chain = operations.operations(network.model, network.params)
  mean = np.asarray(augment.central_crop(
      np.asarray(network.input_stats.mean), size))
  if name == 'onnx':
    onnx_file.save(path, chain, crops, mean, json.dumps(described))
    return 'onnxruntime and others run it'
  module = torch_file.save(path, chain, mean, described)
  theirs = torchvision_forms.name(network.model)
  return f'{module} loads it into PyTorch' + (
      f', and torchvision.models.{theirs} all but its mean' if theirs else '')


def _program(network, crops, channels_last):
  """Describes what goes in and comes out of a file that can be run."""
  size, side = network.model.patch, network.settings.data.image_size
  classes = len(network.class_names)
  if crops is not None:
    return {'input': f'uint8 [batch, {side}, {side}, 3], RGB',
            'output': f'float32 [batch, {classes}]: probabilities, the mean of'
                      f' {len(crops)} crops'}
  shape = f'{size}, {size}, 3' if channels_last else f'3, {size}, {size}'
  return {'input': f'float32 [batch, {shape}]: RGB, 0 to 255, minus the mean',
          'output': f'float32 [batch, {classes}]: logits'}
