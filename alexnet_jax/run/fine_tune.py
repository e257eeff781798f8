"""--init_from: starts a new run from the parameters of another network."""

import glob
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import jax

from alexnet_jax import config_files
from alexnet_jax.command_line import arguments
from alexnet_jax.errors import InputError
from alexnet_jax.network.classifier import Model
from alexnet_jax.run import (
  foreign,
  journal,
  published,
  stored_config,
  trained,
  weights,
)
from alexnet_jax.run.weights import Layers

# The folder above the package, if the package is in its repository.
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))
TASK = 'configs/fine_tune.py'


class Pretrained(NamedTuple):
  """A network to start from."""

  layers: Layers
  class_names: tuple[str, ...]
  origin: str  # in words
  config: Mapping[str, Any]  # {} if it is not known
  command: str = ''  # the command line of its run
  notes: str = ''  # sentences about what differs


def start_from(init_from: str, model: Model, params: Any,
               class_names: tuple[str, ...]) -> tuple[Any, str]:
  """Replaces the lower layers by pre-trained ones, as far as they match.

  The mean image and color statistics are those of the new data, and the
  velocities start at zero.

  Args:
    init_from: the workdir of a run, whose newest checkpoint is used, a file
      written by --task=export or by another program, or the name of a network
      of this package.
    model: the new network.
    params: its newly initialized parameters, on the mesh.
    class_names: class names of the new data.

  Returns:
    The parameters, with the shardings of `params`, and a sentence that says
    which layers are pre-trained, which are new, and why.

  Raises:
    InputError: `init_from` does not exist, or no layer matches.
  """
  path = os.path.expanduser(init_from)
  if not os.path.exists(path):
    path = weights.shipped(init_from)
  if not path:
    raise InputError(f'--init_from={init_from} does not exist: give the workdir'
                     ' of a run, or a file that --task=export wrote.')
  mesh = jax.tree.leaves(params)[0].sharding.mesh
  fresh = weights.to_layers(model, params)
  pretrained = (_open_foreign(path, model, fresh) if foreign.is_foreign(path)
                else _open(path, *mesh.devices.shape))
  matched = weights.match(fresh, pretrained.layers,
                          pretrained.class_names == tuple(class_names))
  form = ''
  if matched.new and matched.new[0] != 'fc8':  # side classifiers follow it
    form = fitting_form(pretrained.config, pretrained.command)
  if not matched.taken:
    what = (f'--config={TASK}:{form}, which has its form' if form else
            'the config.model that it was trained with')
    raise InputError(
        f'--init_from={init_from} fits no layer of this network'
        f' ({matched.reason}): give {what}, or other weights.')
  chosen = jax.tree.map(
      lambda fresh, leaf: jax.device_put(leaf.astype(fresh.dtype),
                                         fresh.sharding),
      params, weights.from_layers(matched.layers))
  said = weights.summary(matched, pretrained.origin) + pretrained.notes
  if form:
    said += f' With --config={TASK}:{form} all layers below fc8 fit.'
  return chosen, said


def _open(path: str, data: int, column: int) -> Pretrained:
  if os.path.isdir(path):
    network = trained.open_trained(path, data=data, column=column)
    origin = f'{network.workdir}, step {network.step}'
    lines = journal.read(path)
    if lines and lines[-1]['kind'] not in journal.FINAL:
      origin += ' of a run that has not ended'
    return Pretrained(
        weights.to_layers(network.model, network.params), network.class_names,
        origin, network.settings.config, journal.read_command(path))
  loaded = weights.load(path)
  config = loaded.card.get('config')
  return Pretrained(loaded.layers, loaded.class_names, path,
                    config if isinstance(config, Mapping) else {})


def _open_foreign(path: str, model: Model, fresh: Layers) -> Pretrained:
  source = foreign.open_file(path, model)
  imported = source.into(fresh, source.order, True)
  notes = source.notes
  if imported.new_biases:
    notes += f' The file has {published.no_biases(imported)}.'
  return Pretrained(
      {name: imported.layers[name] for name in imported.taken}, (),
      f'{path} ({source.program})', {}, notes=notes)


# --- The form that fits -------------------------------------------------------


def fitting_form(stored: Mapping[str, Any], command: str = '') -> str:
  """Returns what to give behind `configs/fine_tune.py:` for a network.

  Args:
    stored: the config of the network.
    command: the command line of its run, if it is known. Its --config is tried
      first, since it may have an argument.

  Returns:
    Such as 'quickstart'; '' if no config has the same form.
  """
  with suppress(KeyError, TypeError, AttributeError):
    wanted = _form(config_files.from_json(
        stored_config.with_added_fields(dict(stored))))
    for name, value in _configs(command):
      with suppress(InputError, ImportError, KeyError, AttributeError):
        if _form(config_files.load(value)) == wanted:
          return name
  return ''


def _configs(command: str) -> Iterator[tuple[str, str]]:
  """Yields ('cifar10/figure1', its file) and so on, arguments included."""
  folder = os.path.join(REPOSITORY, 'configs')
  with suppress(ValueError):  # a quotation mark without the other
    config = arguments.config_argument(shlex.split(command))
    path, colon, argument = config.partition(':')
    path = os.path.join(REPOSITORY, path)
    if path.startswith(os.path.join(folder, '')):
      yield _name(path, folder) + colon + argument, path + colon + argument
  if not os.path.isfile(os.path.join(REPOSITORY, TASK)):
    return
  for path in sorted(glob.glob(os.path.join(folder, '**/*.py'),
                               recursive=True)):
    if path != os.path.join(REPOSITORY, TASK):
      yield _name(path, folder), path


def _name(path, folder):
  return os.path.relpath(path, folder).removesuffix('.py')


def _form(config):
  """Returns the fields that decide whether the layers of a network fit."""
  fields = config.to_dict()
  return fields['model'], fields['augment']['crop'], fields['data'][
      'image_size']
