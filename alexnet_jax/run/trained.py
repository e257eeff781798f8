"""Opens a trained network from its workdir or from a weights file."""

import os
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from alexnet_jax import config_files, files
from alexnet_jax.data import records
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.learning.augment import PixelStats
from alexnet_jax.network import placement, rng
from alexnet_jax.network.classifier import Model
from alexnet_jax.run import checkpoint, experiment, typed_config, weights
from alexnet_jax.run.checkpoint import Metadata
from alexnet_jax.run.typed_config import MeshShape, Settings


class Trained(NamedTuple):
  """The contents of a checkpoint, usable without the data set."""

  workdir: str  # or the weights file
  step: int
  settings: Settings  # of the run
  class_names: tuple[str, ...]
  mesh: Mesh
  model: Model
  params: Any  # the variables, as Model.apply takes them
  input_stats: PixelStats  # mean image and colors of the training set
  train_examples: int = 0  # in the training set; 0: not known


def open_trained(workdir: str, which_checkpoint: str = 'latest', data: int = 1,
                 column: int = 1) -> Trained:
  """Opens a checkpoint of any run.

  Args:
    workdir: folder of the run.
    which_checkpoint: 'latest', 'best' or a step.
    data: number of devices that share a batch.
    column: number of devices that share the columns.

  Raises:
    InputError: there is no such checkpoint, or there are too few devices.
  """
  checkpoint.check_exists(workdir)
  with checkpoint.open_to_read(workdir) as manager:
    step = checkpoint.find_step(manager, which_checkpoint, workdir)
    metadata = checkpoint.read_metadata(manager, step)
    settings = read_settings(metadata, workdir)._replace(
        mesh=MeshShape(data, column))
    built = experiment.build(
        settings, len(metadata.class_names),
        metadata.train_examples or experiment.ILSVRC_EXAMPLES)
    state = checkpoint.restore(manager, step, built.state_shapes())
  return Trained(os.path.normpath(workdir), step, settings,
                 metadata.class_names, built.mesh, built.model,
                 state.variables, state.input_stats, metadata.train_examples)


def initial(network: Trained) -> Trained:
  """Returns a network with the parameters with which a run of it begins."""
  init = lambda: network.model.init(rng.stream(network.settings.seed, 'init'))
  shardings = placement.param_shardings(
      network.mesh, jax.eval_shape(init), network.model.divided)
  return network._replace(
      step=0, params=jax.jit(init, out_shardings=shardings)())


def open_weights(path: str) -> Trained:
  """Opens a file that --task=export wrote, on one device.

  The card in the file gives the config; in a file that has none, the card
  beside it, FILE.json, does.

  Raises:
    InputError: the file is no weights file, or its card does not describe the
      network of its arrays.
  """
  read = weights.load(path)
  card = read.card or _card_beside(path)
  try:
    settings = typed_config.read(config_files.from_json(
        card['config']))._replace(mesh=MeshShape(1, 1))
    step = int(card.get('step', 0))
    examples = max(0, int(card.get('data', {}).get('train_examples', 0)))
    mesh = placement.make_mesh(1, 1, settings.model.num_columns)
    model = settings.build_model(mesh, len(read.class_names))
    shapes = jax.eval_shape(model.init, jax.random.key(0))
    size = settings.data.image_size
    differs = (_difference(shapes, weights.from_layers(read.layers))
               or (size != len(read.input_stats.mean)
                   and f'config.data.image_size is {size}, and the mean image'
                       f' has {len(read.input_stats.mean)} rows'))
  except Exception as error:  # a foreign card can cause almost any
    raise InputError(
        f'the card of {path} describes no network of this version'
        f' ({str(error) or type(error).__name__}): export it again from its'
        ' workdir.') from error
  if differs:
    raise InputError(f'the card of {path} and its arrays differ ({differs}):'
                     ' export it again from its workdir.')
  params = jax.tree.map(
      lambda leaf: np.asarray(leaf, np.float32),
      weights.from_layers(read.layers))
  stats = PixelStats(*(np.asarray(leaf, np.float32)
                       for leaf in read.input_stats))
  params, stats = jax.device_put(
      (params, stats), placement.param_shardings(mesh, (params, stats)))
  return Trained(os.path.normpath(path), step, settings, read.class_names, mesh,
                 model, params, stats, examples)


def _card_beside(path):
  beside = path + weights.CARD_ENDING
  card = files.read_json(beside)
  if not isinstance(card, dict):
    raise InputError(
        f'{path} has no card that describes its network, and there is none in'
        f' {beside}: export it again from its workdir.')
  return card


def _difference(shapes, params) -> str:
  """Returns where the parameters differ from those of a network, or ''."""
  names = [{jax.tree_util.keystr(path, simple=True, separator='/'): leaf.shape
            for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}
           for tree in (shapes, params)]
  for name in {**names[0], **names[1]}:
    ours, theirs = (shapes.get(name, 'not there') for shapes in names)
    if ours != theirs:
      return f'{name} is {ours} in the config and {theirs} in the file'
  return ''


def read_settings(metadata: Metadata, workdir: str) -> Settings:
  """Reads the settings of the run that saved a checkpoint.

  Raises:
    InputError: its config fields differ from those of this version.
  """
  try:
    return typed_config.read(config_files.from_json(metadata.config))
  except InputError as error:
    raise InputError(
        f'{workdir} was saved with an older set of config fields or values'
        f' ({error})') from error


def open_split(trained: Trained, split: str, path: str = '') -> Source:
  """Opens a split of the images of a network, or of other images.

  Args:
    trained: the network; its config gives the data set and the image size.
    split: 'train', 'validation' or 'test'.
    path: records or a folder of pictures that replaces the data of the run; if
      the run uses ImageNet, CIFAR-10 or MNIST, the new path of this data set.

  Raises:
    InputError: there are no such data.
  """
  data = trained.settings.data
  if path:
    data = data._replace(path=path, labels='')
    if data.name not in ('imagenet2010', 'imagenet2012', 'cifar10', 'mnist'):
      meta = os.path.join(os.path.expanduser(path), records.META)
      data = data._replace(
          name='records' if os.path.exists(meta) else 'folder')
  try:
    return trained.settings._replace(data=data).open_split(split)
  except InputError as error:
    raise InputError(f'{error} Or give --data=RECORDS, or --data=FOLDER.'
                     ) from error
