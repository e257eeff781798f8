"""--task=evaluate: the errors of a checkpoint, or of several averaged.

Without --config, the config is that of the run in --workdir, whose validation
images are used, or those of --split. --data=FOLDER uses all pictures in a
folder whose class folders are named like the classes of the network.
"""

import json

from absl import flags
from ml_collections import ConfigDict

from alexnet_jax import tables
from alexnet_jax.command_line import Invocation
from alexnet_jax.data.sources import SPLITS
from alexnet_jax.errors import printable
from alexnet_jax.learning import augment
from alexnet_jax.results import ensemble
from alexnet_jax.run import checkpoint, evaluation, experiment

CONFIG = 'optional'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_multi_string(
      'checkpoint', ['latest'], 'latest, best or a step of --workdir; WORKDIR'
      ' or WORKDIR@best of others. Repeat it to average several networks.',
      flag_values=values)
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


def run(invocation: Invocation) -> None:
  """Evaluates one checkpoint of --workdir, or the average of several."""
  checkpoints = invocation.flags.checkpoint
  alone = len(checkpoints) == 1 and (
      checkpoints[0] in ('latest', 'best') or checkpoints[0].isdecimal())
  values = invocation.flags
  if alone and not values.weights and not values.predictions:
    evaluate(invocation.config, invocation.workdir, checkpoints[0],
             values.data, values.split)
  else:
    ensemble.evaluate(
        experiment.read(invocation.config), invocation.workdir, checkpoints,
        values.weights, values.predictions, values.data, values.split)


def evaluate(config: ConfigDict, workdir: str, which_checkpoint: str,
             data: str = '', split: str = '') -> dict[str, float]:
  """Prints the errors on the validation examples as a table and as JSON.

  Args:
    config: the experiment.
    workdir: the workdir of its run.
    which_checkpoint: 'latest', 'best' or a step.
    data: a folder of pictures or records in place of those of the config.
    split: the split to use; '' for validation, or all pictures of `data`.

  Raises:
    InputError: the checkpoint does not exist, or is of another network.
  """
  settings = experiment.read(config)
  checkpoint.check_exists(workdir)
  with checkpoint.open_to_read(workdir) as manager:
    step = checkpoint.find_step(manager, which_checkpoint, workdir)
    metadata = checkpoint.read_metadata(manager, step)
    checkpoint.check_same_experiment(
        workdir, metadata.config, settings.config, ['model'])
    source = evaluation.open_images(
        settings, metadata.class_names, data, split)
    evaluation.check_classes(source, metadata.class_names, workdir)
    built = experiment.build(
        settings, len(metadata.class_names), metadata.train_examples)
    state = checkpoint.restore(manager, step, built.state_shapes())
  evaluation.print_notes(source)
  errors = evaluation.final_errors(built, state, source)
  print(f'{printable(workdir)}, step {step}, {len(source)} images')
  rows = [('crops', 'loss', 'top-1 error', 'top-5 error')]
  for count in sorted({1, settings.run.views}):
    name = augment.CROPS[count]
    loss, top1, top5 = (errors[f'{name}_crop_{key}'] for key in
                        ('loss', 'top1_error', 'top5_error'))
    rows.append((name, f'{loss:.4f}', f'{top1:.2%}', f'{top5:.2%}'))
  print('\n'.join(tables.aligned(rows)))
  print(json.dumps({'step': step, 'images': len(source), **errors}))
  return errors
