"""--init_from: a new run starts with the parameters of another network."""

import os
from typing import Any

import jax

from alexnet_jax.errors import InputError
from alexnet_jax.network.classifier import Model
from alexnet_jax.run import trained, weights
from alexnet_jax.run.weights import Layers


def start_from(init_from: str, model: Model, params: Any,
               class_names: tuple[str, ...]) -> tuple[Any, str]:
  """Parameters that are pre-trained as far as they fit, and fresh above.

  The mean image and the colors stay those of the new data, and velocities
  start at zero.

  Args:
    init_from: the workdir of a run, whose newest checkpoint is taken, or a
      file that --task=export wrote.
    model: the new network.
    params: its fresh parameters, on the mesh.
    class_names: of the new data.

  Returns:
    The parameters, laid out as the fresh ones, and a sentence: what was taken,
    what is new, and why.

  Raises:
    InputError: nothing is there, or nothing fits.
  """
  path = os.path.expanduser(init_from)
  if not os.path.exists(path):
    raise InputError(f'--init_from={init_from} does not exist: give the workdir'
                     ' of a run, or a file that --task=export wrote.')
  mesh = jax.tree.leaves(params)[0].sharding.mesh
  pretrained, names, origin = _open(path, *mesh.devices.shape)
  matched = weights.match(weights.to_layers(model, params), pretrained,
                          tuple(names) == tuple(class_names))
  if not matched.taken:
    raise InputError(
        f'--init_from={init_from} fits no layer of this network'
        f' ({matched.reason}): give the config.model that it was trained with,'
        ' or other weights.')
  chosen = jax.tree.map(
      lambda fresh, leaf: jax.device_put(leaf.astype(fresh.dtype),
                                         fresh.sharding),
      params, weights.from_layers(matched.layers))
  return chosen, weights.summary(matched, origin)


def _open(path: str, data: int,
          column: int) -> tuple[Layers, tuple[str, ...], str]:
  if os.path.isdir(path):
    network = trained.open_trained(path, data=data, column=column)
    return (weights.to_layers(network.model, network.params),
            network.class_names, f'{network.workdir}, step {network.step}')
  loaded = weights.load(path)
  return loaded.layers, loaded.class_names, path
