"""Batches on the devices: copied from the host or gathered on the device.

With `config.run.hold_data` every device stores all images as uint8, decoded
once. Tiny ImageNet takes 1.6 GB at 72 pixels and ILSVRC-2012 takes 250 GB at
256 pixels. The batches contain the same images in the same order as those of
the loader.
"""

import functools
from collections.abc import Generator, Iterator

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from tqdm import tqdm

from alexnet_jax.data import loader
from alexnet_jax.data.sources import Source
from alexnet_jax.network import placement

BATCH = 256  # images per decoded batch
HAND_OVER = 'hand over a batch'  # in a profile


@functools.partial(jax.profiler.annotate_function, name=HAND_OVER)
def to_device(batch: dict, mesh: Mesh) -> dict[str, jax.Array]:
  """Converts this process's part of a batch to the global batch on the mesh."""
  sharding = placement.batch_sharding(mesh)
  return {name: jax.make_array_from_process_local_data(sharding, value)
          for name, value in batch.items()}


def load(source: Source, mesh: Mesh, threads: int) -> dict[str, jax.Array]:
  """Puts all examples on every device: uint8 [N, S, S, 3] and int32 [N].

  Args:
    source: the examples.
    mesh: mesh of the devices.
    threads: number of decoding threads; 0 for one per core, at most 16.
  """
  parts = []
  with tqdm(total=len(source), desc='decode', unit=' images', leave=False,
            dynamic_ncols=True, disable=None) as bar:
    for batch in loader.evaluation_batches(
        source, batch_size=BATCH, threads=threads):
      parts.append({name: batch[name][batch['valid']]
                    for name in ('image', 'label')})
      bar.update(len(parts[-1]['label']))
  everywhere = NamedSharding(mesh, P())
  return {name: jax.make_array_from_process_local_data(
      everywhere, np.concatenate([part[name] for part in parts]))
      for name in ('image', 'label')}


def batches(data: dict[str, jax.Array], indices: Iterator[np.ndarray],
            mesh: Mesh) -> Generator[dict[str, jax.Array]]:
  """Yields batches on the mesh, gathered from the result of `load`.

  Args:
    data: all examples.
    indices: this process's part of the indices of each batch.
    mesh: mesh of the devices.
  """
  sharding = placement.batch_sharding(mesh)

  @jax.jit(out_shardings=sharding)
  def pick(data, indices):
    return jax.tree.map(lambda examples: examples[indices], data)

  for batch in indices:
    yield pick(data, jax.make_array_from_process_local_data(sharding, batch))
