"""A network as a compiled-anywhere program: StableHLO, written by `jax.export`.

The file holds the parameters and runs on CPUs, NVIDIA GPUs and TPUs, for any
number of images, with JAX alone: docs/export.md has the ten lines.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from alexnet_jax import files
from alexnet_jax.errors import InputError
from alexnet_jax.learning import step
from alexnet_jax.run.trained import Trained

PLATFORMS = ('cpu', 'cuda', 'tpu')


def save(path: str, network: Trained, crops: np.ndarray | None) -> None:
  """Atomically writes the file.

  Args:
    path: the file.
    network: the network, on one device.
    crops: rows of `augment.test_crops`, for a program from uint8 images
      [B, S, S, 3] to mean probabilities; None for one from float32 patches
      [B, size, size, 3], with the mean subtracted, to logits.

  Raises:
    InputError: the package flatbuffers is not installed.
  """
  _check_flatbuffers()
  model = network.model
  if crops is None:
    side, dtype = model.patch, jnp.float32
    program = lambda patches: model.apply(network.params, patches)[0]
  else:
    side, dtype = network.settings.data.image_size, jnp.uint8
    program = functools.partial(step.mean_over_crops, model, crops,
                                network.params, network.input_stats)
  batch, = jax.export.symbolic_shape('batch')
  exported = jax.export.export(jax.jit(program), platforms=PLATFORMS)(
      jax.ShapeDtypeStruct((batch, side, side, 3), dtype))
  data = exported.serialize()
  with files.atomic_write(path) as file:
    file.write(data)


def _check_flatbuffers():
  try:
    import flatbuffers  # noqa: F401 (jax.export writes with it)
  except ImportError as error:
    raise InputError(
        'a .stablehlo file needs a package that is not installed: run pip'
        ' install flatbuffers (the extra `export`), or give --format=npz.'
    ) from error
