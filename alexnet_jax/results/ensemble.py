"""The errors of several networks and of their average (section 6).

"Averaging the predictions of five similar CNNs gives an error rate of 16.4%",
where one gives 18.2 %, and seven, of which two were pre-trained, give 15.4 %.
The paper does not say whether these averages use equal weights or searched
ones. The authors' search uses the same validation images whose error it then
prints; here it uses one half of them and is evaluated on the other.
"""

import glob
import math
import os
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import numpy as np

from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError, printable
from alexnet_jax.results import ensemble_table, predictions
from alexnet_jax.results.predictions import Predictions
from alexnet_jax.run import checkpoint, evaluation
from alexnet_jax.run.trained import open_trained
from alexnet_jax.run.typed_config import Settings

SEARCH = 'search'


class Checkpoint(NamedTuple):
  """A network whose predictions have not been computed yet."""

  workdir: str
  step: int
  saved: int  # Time in ns.
  class_names: tuple[str, ...]


def evaluate(settings: Settings, workdir: str, checkpoints: Sequence[str],
             weights: str, folder: str, data: str = '', split: str = '',
             against: Sequence[str] = ()) -> dict:
  """Prints the errors of each network and of their average.

  The output is a table and a line of JSON. The networks may differ in
  everything but their classes. They run one after the other, each once and with
  the image size and the patch size of its own run; the config gives the images
  unless `data` does, the mesh, the batch size and the number of views.

  Args:
    settings: the experiment; its model is not used.
    workdir: the workdir of the checkpoints that name no other.
    checkpoints: each is latest, best, a step, WORKDIR, WORKDIR@best,
      WORKDIR@STEP, a file of predictions or a folder of such files.
    weights: '' for equal weights, comma-separated numbers, or 'search'.
    folder: the folder where predictions are cached; '' for no cache. If a
      checkpoint has since been retrained, its predictions are computed again;
      for a step that its workdir no longer has, the cached file is used.
    data: a folder of pictures or records in place of those of the config.
    split: the split to use; '' for validation, or all pictures of `data`.
    against: the checkpoints of a second average, with which the first is
      compared image by image.

  Returns:
    The content of the JSON line; after a search, the errors are those on the
    images that the search has not seen.

  Raises:
    InputError: an argument that cannot work; raised before any network runs,
      except if cached predictions have other labels.
  """
  if os.path.exists(folder) and not os.path.isdir(folder):
    raise InputError(f'--predictions={folder} is a file: give a folder, or a'
                     ' name that is still free.')
  if against and weights == SEARCH:
    raise InputError(
        '--against compares two averages on all images, and --weights=search'
        ' needs half of them: leave out one of the two.')
  views = settings.run.views
  first, second = ([(name, one) for name in names
                    for one in look_up(name, workdir, folder, views)]
                   for names in (checkpoints, against))
  found = first + second

  def open_images(image_size, resize=settings.data.resize):
    sized = settings._replace(data=settings.data._replace(
        image_size=image_size, resize=resize))
    return evaluation.open_images(sized, found[0][1].class_names, data, split)

  # One size for all, so that networks of different sizes can be compared.
  source = open_images(predictions.GLANCE_SIZE)
  glance = predictions.sample_images(source)
  for name, one in found:
    check_compatible(one, name, source, glance)
  values = parse_weights(weights, len(first), len(source.class_names))
  evaluation.print_notes(source)
  results: list[Predictions] = []
  for _, one in found:
    one = _predicted(one, results, settings, open_images, glance[1], folder)
    if results and not np.array_equal(one.labels, results[0].labels):
      raise InputError(
          f'the predictions of {one.workdir}, step {one.step}, and of'
          f' {results[0].workdir}, step {results[0].step}, are of images with'
          ' other labels: give another --predictions folder to have them made'
          ' again.')
    results.append(one)
  return ensemble_table.report(
      results[:len(first)], values, results[len(first):])


def _predicted(one, others, settings, open_images, colors, folder):
  """Returns the predictions of a network; `others` are those there are."""
  if isinstance(one, Predictions):
    return one
  for other in others:
    if (other.workdir, other.step) == (one.workdir, one.step):
      return other
  made = predict(one, settings, open_images, colors)
  if folder and jax.process_index() == 0:
    predictions.save(predictions.path_of(
        folder, made.workdir, made.step, settings.run.views), made)
  return made


def look_up(name: str, workdir: str, folder: str,
            views: int) -> list[Predictions | Checkpoint]:
  """Resolves a --checkpoint: to predictions if there are any.

  Args:
    name: the value of --checkpoint.
    workdir: the workdir if `name` names none.
    folder: the folder of cached predictions; '' for none.
    views: the number of patches averaged.

  Raises:
    InputError: the checkpoint does not exist or cannot be read.
  """
  folder_name, moment = _parse(name, workdir)
  if folder_name.endswith('.npz'):
    return [predictions.load(folder_name)]
  files = sorted(glob.glob(os.path.join(glob.escape(folder_name), '*.npz')))
  is_run = os.path.isdir(os.path.join(folder_name, checkpoint.FOLDER))
  if folder_name == name and files and not is_run:
    return [predictions.load(file) for file in files]

  def kept_of(step):
    file = predictions.path_of(folder, folder_name, step, views)
    return predictions.load(file) if folder and os.path.exists(file) else None

  try:
    present = find_checkpoint(folder_name, moment)
  except InputError:
    stored = kept_of(int(moment)) if moment.isdecimal() else None
    if stored:
      return [stored]
    raise
  stored = kept_of(present.step)
  if stored and stored.saved != present.saved:
    print(f'{printable(folder_name)} was trained anew since the predictions of'
          f' its step {present.step} were made: making them again.',
          file=sys.stderr)
    stored = None
  return [stored or present]


def _parse(name, workdir):
  """Returns (workdir or file, 'latest' or 'best' or a step)."""

  def is_moment(text):
    return text in ('latest', 'best') or text.isdecimal()

  if is_moment(name):
    return workdir, name
  folder_name, at, moment = name.rpartition('@')
  return (folder_name, moment) if at and is_moment(moment) else (name, 'latest')


def find_checkpoint(workdir: str, moment: str) -> Checkpoint:
  """Finds a checkpoint, without opening its network.

  Raises:
    InputError: the checkpoint does not exist.
  """
  checkpoint.check_exists(workdir)
  with checkpoint.open_to_read(workdir) as manager:
    step = checkpoint.find_step(manager, moment, workdir)
    return Checkpoint(
        os.path.normpath(workdir), step,
        checkpoint.saved_at(manager, step),
        checkpoint.read_metadata(manager, step).class_names)


def check_compatible(one: Predictions | Checkpoint, name: str, source: Source,
              glance: tuple[np.ndarray, np.ndarray]) -> None:
  """Checks that a network or its predictions match the validation images.

  Args:
    one: the predictions, or the checkpoint of the network.
    name: the value of --checkpoint, for the message.
    source: the validation images.
    glance: the result of `predictions.sample_images` for the source.

  Raises:
    InputError: the classes or the images are different.
  """
  if one.class_names != tuple(source.class_names):
    theirs, ours = (f'{len(names)} ({", ".join(names[:3])}, ...)'
                    for names in (one.class_names, source.class_names))
    raise InputError(
        f'--checkpoint={name} knows other classes, {theirs}, than the data,'
        f' {ours}: give networks of one data set, and that data set as'
        ' --config.data.')
  if isinstance(one, Predictions) and not predictions.same_images(
      one, len(source), *glance):
    raise InputError(
        f'the predictions kept of --checkpoint={name} are of'
        f' {len(one.labels)} other images than the {len(source)} of'
        ' config.data: give the same data, or another --predictions folder.')


def parse_weights(values: str, count: int,
                  num_classes: int) -> list[float] | None:
  """Parses --weights into one number per network; None for a search.

  Args:
    values: the value of --weights.
    count: the number of networks.
    num_classes: the number of classes.

  Raises:
    InputError: the value does not give weights for `count` networks.
  """
  if values == SEARCH:
    if count < 2 or num_classes <= 5:
      raise InputError(
          f'--weights=search has nothing to do with {count} network(s) and'
          f' {num_classes} classes: it lowers the top-5 error of two networks'
          ' or more, so repeat --checkpoint, or leave --weights out.')
    return None
  if not values:
    return [1.0] * count
  try:
    weights = [float(number) for number in values.split(',')]
  except ValueError:
    weights = []
  if (len(weights) != count or not all(0 <= w < math.inf for w in weights)
      or not any(weights)):
    raise InputError(
        f'--weights={values} is not {count} numbers, none negative and not all'
        ' zero: give one for each network, such as'
        f' {",".join(["0.5"] * count)}, or search, or leave it out.')
  return weights


def predict(one: Checkpoint, settings: Settings,
            open_images: Callable[..., Source],
            colors: np.ndarray) -> Predictions:
  """Computes the predictions of one network, which is in memory only here.

  Args:
    one: the checkpoint of the network.
    settings: the experiment; its model is not used.
    open_images: opens the images at an image size, resized in one way.
    colors: the mean colors of some images, from `predictions.sample_images`.
  """
  trained = open_trained(one.workdir, str(one.step), settings.mesh.data,
                         settings.mesh.column)
  probabilities, labels = predictions.predict(
      trained, open_images(trained.settings.data.image_size,
                           trained.settings.data.resize),
      settings.run.views, settings.optimizer.batch_size,
      settings.run.threads)
  return Predictions(one.workdir, one.step, one.saved, settings.run.views,
                     one.class_names, labels, colors, probabilities)
