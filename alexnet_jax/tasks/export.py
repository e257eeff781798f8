"""--task=export: a checkpoint's network as one .npz of named arrays."""

import os

from alexnet_jax.errors import InputError
from alexnet_jax.run import trained, weights
from alexnet_jax.run.weights import Weights


def export(workdir: str, which: str = 'latest', out: str = '') -> str:
  """Writes parameters, mean image, colours and class names; says where.

  Args:
    workdir: of the run.
    which: 'latest', 'best' or a step.
    out: the file; WORKDIR/weights.npz if not given.

  Returns:
    The file's path.

  Raises:
    InputError: no such checkpoint, or no place for a file.
  """
  path = os.path.expanduser(out) or os.path.join(workdir, 'weights.npz')
  if os.path.isdir(path):
    raise InputError(f'--out={out} is a folder: give the name of a file in it,'
                     f' such as {os.path.join(out, "weights.npz")}.')
  found = trained.open_trained(workdir, which)
  layers = weights.layers_of(found.model, found.params)
  weights.save(path, Weights(layers, found.pixels, found.class_names))
  arrays = [leaf for held in layers.values() for leaf in held.values()]
  print(f'{path}: {sum(leaf.size for leaf in arrays):,} parameters and'
        f' {len(found.class_names)} classes of {found.workdir}, step'
        f' {found.step}; start another run from it with --init_from={path}')
  return path
