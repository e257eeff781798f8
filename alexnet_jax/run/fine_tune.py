"""--init_from: starts a new run from the parameters of another network."""

import os
from typing import Any

import jax

from alexnet_jax.errors import InputError
from alexnet_jax.network.classifier import Model
from alexnet_jax.run import trained, weights
from alexnet_jax.run.weights import Layers


def start_from(init_from: str, model: Model, params: Any,
               class_names: tuple[str, ...]) -> tuple[Any, str]:
  """Replaces the lower layers by pre-trained ones, as far as they match.

  The mean image and color statistics are those of the new data, and the
  velocities start at zero.

  Args:
    init_from: the workdir of a run, whose newest checkpoint is used, a file
      written by --task=export, or the name of a network of this package.
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
