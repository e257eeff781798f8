"""--init_from: a new run starts with the parameters of another network."""

import os
from typing import Any

import jax

from alexnet_jax.errors import InputError
from alexnet_jax.network.models import Model
from alexnet_jax.run import trained, weights
from alexnet_jax.run.weights import Layers


def start_from(init_from: str, model: Model, params: Any,
               class_names: tuple[str, ...]) -> tuple[Any, str]:
  """Parameters that are pre-trained as far as they fit, fresh above.

  The mean image and the colours stay those of the new data, and velocities
  start at zero.

  Args:
    init_from: the workdir of a run, whose newest checkpoint is taken, or an
      .npz that --task=export wrote.
    model: the new network.
    params: its fresh parameters, each array at its home.
    class_names: of the new data.

  Returns:
    The parameters, each array at the home of the fresh one, and a sentence for
    the person: what was taken, what is new, and why.

  Raises:
    InputError: nothing is there, or nothing fits.
  """
  path = os.path.expanduser(init_from)
  if not os.path.exists(path):
    raise InputError(f'--init_from={init_from} is not there: give the workdir'
                     ' of a run, or a file that --task=export wrote.')
  mesh = jax.tree.leaves(params)[0].sharding.mesh
  given, names, where = _open(path, *mesh.devices.shape)
  fitted = weights.fit(weights.layers_of(model, params), given,
                       tuple(names) == tuple(class_names))
  if not fitted.kept:
    raise InputError(
        f'--init_from={init_from} fits no layer of this network'
        f' ({fitted.reason}): give the config.model that it was trained with,'
        ' or other weights.')
  chosen = jax.tree.map(
      lambda fresh, leaf: jax.device_put(leaf.astype(fresh.dtype),
                                         fresh.sharding),
      params, weights.params_of(fitted.layers))
  return chosen, weights.summary(fitted, where)


def _open(path: str, data: int, column: int) -> tuple[
    Layers, tuple[str, ...], str]:
  if os.path.isdir(path):
    found = trained.open_trained(path, data=data, column=column)
    return (weights.layers_of(found.model, found.params), found.class_names,
            f'{found.workdir}, step {found.step}')
  found = weights.load(path)
  return found.layers, found.class_names, path
