"""Batches on the devices: moved there, or picked from a data set held there.

With `config.run.hold_data` every device holds all images as uint8, decoded
once: Tiny ImageNet at 72 pixels takes 1.6 GB, ILSVRC-2012 at 256 pixels 250 GB.
The batches are those that the loader would make: the same images in the same
order.
"""

from collections.abc import Generator

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from tqdm import tqdm

from alexnet_jax.data import loader
from alexnet_jax.data.sources import Source
from alexnet_jax.network import columns

BATCH = 256  # images decoded at a time


class Indices:
  """A source whose examples are their own indices."""

  def __init__(self, source: Source):
    self.class_names = source.class_names
    self._count = len(source)

  def __len__(self) -> int:
    return self._count

  def __getitem__(self, i: int) -> dict:
    return {'index': np.int32(i)}

  def where(self, i: int) -> str:
    """A name by which a person finds the example."""
    return f'example {i}'


def to_device(batch: dict, mesh: Mesh) -> dict[str, jax.Array]:
  """This process's part of a batch -> the global batch on the mesh."""
  sharding = columns.batch_sharding(mesh)
  return {name: jax.make_array_from_process_local_data(sharding, value)
          for name, value in batch.items()}


def load(source: Source, mesh: Mesh, threads: int) -> dict[str, jax.Array]:
  """Puts all examples on every device: uint8 [N, S, S, 3] and int32 [N].

  Args:
    source: the examples.
    mesh: of the devices.
    threads: that decode.
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


def batches(data: dict[str, jax.Array], indices: loader.Batches,
            mesh: Mesh) -> Generator[dict[str, jax.Array]]:
  """Batches on the mesh, picked from what `load` put there.

  Args:
    data: all examples.
    indices: this process's part of the indices of each batch; closed at the
      end.
    mesh: of the devices.
  """
  sharding = columns.batch_sharding(mesh)

  @jax.jit(out_shardings=sharding)
  def pick(data, indices):
    return jax.tree.map(lambda examples: examples[indices], data)

  try:
    for batch in indices:
      yield pick(data, jax.make_array_from_process_local_data(
          sharding, batch['index']))
  finally:
    indices.close()
