"""The errors of a network on a split; every example is counted once."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence

import jax

from alexnet_jax.data import all_pictures, check, records
from alexnet_jax.data.sources import Source, notes_of
from alexnet_jax.data.walk import nfc
from alexnet_jax.errors import InputError, printable
from alexnet_jax.learning import augment, metrics
from alexnet_jax.learning.step import State
from alexnet_jax.run.experiment import Experiment
from alexnet_jax.run.typed_config import Settings
from alexnet_jax.run.walk import walk


def final_errors(
    experiment: Experiment, state: State, source: Source,
    known: Mapping[int, dict[str, float]] | None = None,
    one_crop: Callable | None = None,
) -> dict[str, float]:
  """Returns the errors with one crop and with config.run.views crops (4.1).

  Args:
    experiment: the network and its config.
    state: parameters and mean image.
    source: the images.
    known: errors that were measured before, by the number of crops.
    one_crop: the evaluation step with one crop, if it is compiled already.

  Returns:
    {'one_crop_loss': ..., 'one_crop_top1_error': ..., 'ten_crop_loss': ...}.
  """
  errors = {}
  for count in sorted({1, experiment.settings.run.views}):
    name = augment.CROPS[count]
    means = (known or {}).get(count) or errors_of(
        (one_crop if count == 1 else None) or experiment.evaluation_step(count),
        experiment, state, source,
        f'{name} crops' if count > 1 else 'one crop')
    errors |= {f'{name}_crop_{key}': mean for key, mean in means.items()}
  return errors


def errors_of(evaluation_step: Callable, experiment: Experiment, state: State,
              source: Source, title: str) -> dict[str, float]:
  """Returns the mean loss and the top-1 and top-5 errors.

  Args:
    evaluation_step: result of `Experiment.evaluation_step`.
    experiment: provides the mesh, batch size and number of threads.
    state: parameters and mean image.
    source: the images.
    title: title of the progress bar.
  """
  settings = experiment.settings
  return metrics.means(walk(
      lambda batch: evaluation_step(state.variables, state.input_stats, batch),
      source, experiment.mesh, batch_size=settings.optimizer.batch_size,
      threads=settings.run.threads, title=title))


def open_images(settings: Settings, class_names: Sequence[str], data: str = '',
                split: str = '') -> Source:
  """Opens the images to evaluate a network on.

  Args:
    settings: the experiment, which gives the images unless `data` does.
    class_names: the classes of the network.
    data: a folder of pictures, or of records; '' for the images of the config.
    split: the split to use; '' for validation, or all pictures of `data`.

  Raises:
    InputError: there are no such images.
  """
  fields = settings.data
  if data:
    path = os.path.expanduser(data)
    if not os.path.exists(os.path.join(path, records.META)):
      return _intact(settings, all_pictures.open_all(
          path, class_names, fields.image_size, fields.labels, split,
          fields.resize))
    fields = fields._replace(name='records', path=path, labels='')
  source = settings._replace(data=fields).open_split(split or 'validation')
  if not len(source):
    raise InputError(f'there are no {split or "validation"} images: give a'
                     ' folder of pictures as --data.')
  return _intact(settings, source)


def _intact(settings: Settings, source: Source) -> Source:
  return check.without_damaged(
      source, settings.data.check, threads=settings.run.threads)[0]


def print_notes(*opened: Source) -> None:
  """Prints on standard error which pictures are used."""
  if jax.process_index() == 0:
    for note in notes_of(*opened):
      print(note, file=sys.stderr)


def check_classes(source: Source, class_names: tuple[str, ...],
                  workdir: str) -> None:
  """Checks that the data have the same classes as a checkpoint.

  Args:
    source: the data.
    class_names: class names of the checkpoint.
    workdir: workdir of the checkpoint, used in the error message.

  Raises:
    InputError: the classes are different.
  """
  if [*map(nfc, source.class_names)] != [*map(nfc, class_names)]:
    theirs, ours = (
        f'({", ".join(map(printable, names[:3]))}, ...)'
        for names in (class_names, source.class_names))
    raise InputError(
        f'--workdir={workdir} has {len(class_names)} classes {theirs} and the'
        f' data have {len(source.class_names)} {ours}: give the data it was'
        ' trained on, or another --workdir.')
