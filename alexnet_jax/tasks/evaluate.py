"""--task=evaluate: the errors of a checkpoint, or of several averaged.

Without --config, the config is that of the run in --workdir, whose validation
images are used, or those of --split. --data=FOLDER uses all pictures in a
folder whose class folders are named like the classes of the network.
Of several networks it prints the gain of their average over one of them, and
over the average of those in --against, with the standard error over the images.
--confusion also writes what the network mixes up: tables and pictures.
"""

import json
import os
import sys
from collections.abc import Sequence

from absl import flags
from ml_collections import ConfigDict

from alexnet_jax import paths, tables
from alexnet_jax.analysis import answers, confusion_files
from alexnet_jax.analysis.answers import Answers
from alexnet_jax.analysis.class_words import readable
from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.data.sources import SPLITS, Source
from alexnet_jax.errors import InputError, printable
from alexnet_jax.figures import confusion as confusion_pictures
from alexnet_jax.learning import augment
from alexnet_jax.results import ensemble
from alexnet_jax.run import (
  checkpoint,
  evaluation,
  experiment,
  first_process,
  stored_config,
  typed_config,
)
from alexnet_jax.run.trained import Trained

CONFIG = 'optional'
TOLD = 3  # confusions that are printed


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_multi_string(
      'checkpoint', ['latest'], 'latest, best or a step of --workdir; WORKDIR'
      ' or WORKDIR@best of others. Repeat it to average several networks.',
      flag_values=values)
  flags.DEFINE_multi_string(
      'against', [], 'Checkpoints of a second average, with which that of'
      ' --checkpoint is compared.', flag_values=values)
  flags.DEFINE_string(
      'weights', '', 'Of the average: 0.5,0.5 or search; equal unless given.',
      flag_values=values)
  flags.DEFINE_string(
      'data', '', 'A folder of pictures, all of which are used; or records.',
      flag_values=values)
  flags.DEFINE_enum(
      'split', '', ('', *SPLITS), 'The images to use; validation unless given.',
      flag_values=values)
  flags.DEFINE_string(
      'predictions', '', 'A folder where softmax outputs are kept.',
      flag_values=values)
  flags.DEFINE_bool(
      'confusion', False, 'Also write what is mixed up.', flag_values=values)
  flags.DEFINE_string(
      'out', '', 'The folder of --confusion; WORKDIR/confusion unless given.',
      flag_values=values)
  flags.DEFINE_string(
      'words', '', 'Class names for --confusion: a file with a line "CLASS its,'
      ' words" for each class.', flag_values=values)


def run(invocation: Invocation) -> None:
  """Evaluates one checkpoint of --workdir, or the average of several."""
  checkpoints = invocation.flags.checkpoint
  alone = len(checkpoints) == 1 and (
      checkpoints[0] in ('latest', 'best') or checkpoints[0].isdecimal())
  values = invocation.flags
  if (values.out or values.words) and not values.confusion:
    raise InputError('--out and --words are for --confusion: add it, or leave'
                     ' them out.')
  if alone and not (values.weights or values.predictions or values.against):
    folder = ''
    if values.confusion:
      folder = values.out or os.path.join(
          invocation.workdir, confusion_files.FOLDER)
    evaluate(invocation.config, invocation.workdir, checkpoints[0],
             values.data, values.split, folder, values.words)
  elif values.confusion:
    raise InputError(
        '--confusion looks at one network: give --checkpoint=latest, best or a'
        ' step of --workdir, and leave out --weights, --against and'
        ' --predictions.')
  else:
    ensemble.evaluate(
        typed_config.read(invocation.config), invocation.workdir, checkpoints,
        values.weights, values.predictions, values.data, values.split,
        values.against)


def evaluate(config: ConfigDict, workdir: str, which_checkpoint: str,
             data: str = '', split: str = '', confusion: str = '',
             words: str = '') -> dict[str, float]:
  """Prints the errors on the validation examples as a table and as JSON.

  Args:
    config: the experiment.
    workdir: the workdir of its run.
    which_checkpoint: 'latest', 'best' or a step.
    data: a folder of pictures or records in place of those of the config.
    split: the split to use; '' for validation, or all pictures of `data`.
    confusion: the folder for what the network mixes up; '' for none.
    words: the file of class names in words; see `class_words.readable`.

  Raises:
    InputError: the checkpoint does not exist, or is of another network, or
      `confusion` cannot be a folder.
  """
  settings = typed_config.read(config)
  if confusion:
    _check_folder(confusion)
  checkpoint.check_exists(workdir)
  with checkpoint.open_to_read(workdir) as manager:
    step = checkpoint.find_step(manager, which_checkpoint, workdir)
    metadata = checkpoint.read_metadata(manager, step)
    stored_config.check_same_experiment(
        workdir, metadata.config, settings.config, ['model'])
    source = evaluation.open_images(
        settings, metadata.class_names, data, split)
    evaluation.check_classes(source, metadata.class_names, workdir)
    names = readable(metadata.class_names, words)
    built = experiment.build(
        settings, len(metadata.class_names),
        metadata.train_examples or experiment.ILSVRC_EXAMPLES)
    state = checkpoint.restore(manager, step, built.state_shapes())
  evaluation.print_notes(source)
  answered = None
  if confusion:
    network = Trained(
        os.path.normpath(workdir), step, settings, metadata.class_names,
        built.mesh, built.model, state.variables, state.input_stats,
        metadata.train_examples)
    answered = answers.measure(network, source, settings.run.views)
  errors = evaluation.final_errors(
      built, state, source,
      {answered.crops: answered.errors} if answered else None)
  print(f'{printable(workdir)}, step {step}, {len(source)} images')
  rows = [('crops', 'loss', 'top-1 error', 'top-5 error')]
  for count in sorted({1, settings.run.views}):
    name = augment.CROPS[count]
    loss, top1, top5 = (errors[f'{name}_crop_{key}'] for key in
                        ('loss', 'top1_error', 'top5_error'))
    rows.append((name, f'{loss:.4f}', f'{top1:.2%}', f'{top5:.2%}'))
  print('\n'.join(tables.aligned(rows)))
  print(json.dumps({'step': step, 'images': len(source), **errors}))
  if answered:
    first_process.run(lambda: _write(
        answered, source, {'workdir': workdir, 'step': step}, confusion, names))
  return errors


def _check_folder(path: str) -> None:
  file = paths.file_above(os.path.join(path, confusion_files.SUMMARY))
  if file:
    raise InputError(f'--out={path} cannot be made, {file} is a file: give a'
                     ' folder.')


def _write(answered: Answers, source: Source, network: dict,
           folder: str, names: Sequence[str]) -> None:
  """Writes the tables and pictures of what a network mixes up."""
  shown = (answers.worst(answered, source),
           answers.uncertain(answered, source))
  summary = confusion_files.write(
      answered, *shown, network, folder,
      () if names == answered.class_names else names)
  confusion_pictures.draw_all(answered, *shown, folder, names)
  named = dict(zip(answered.class_names, names, strict=True))
  often = '; '.join(
      f'{named[pair["true"]]} as {named[pair["predicted"]]}'
      f' ({pair["images"]} of {pair["of"]})'
      for pair in summary['most_confused'][:TOLD])
  print(printable(
      f'{folder} shows what is mixed up: {often or "nothing"}.'),
        file=sys.stderr)
