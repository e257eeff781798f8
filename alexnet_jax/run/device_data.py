"""A data set that lives on the device: nothing is decoded or moved in a run.

Every device holds all images as uint8, decoded once: `config.run.hold_data`.
Tiny ImageNet at 72 pixels takes 1.6 GB, ILSVRC-2012 at 256 pixels 250 GB. The
batches are those that the loader would make, of the same images in the same
order.
"""

from collections.abc import Iterator

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from tqdm import tqdm

from alexnet_jax.data import loader
from alexnet_jax.data.sources import Source
from alexnet_jax.network import columns

BATCH = 256  # images decoded at a time


class Places:
  """A source whose examples are their own numbers."""

  def __init__(self, source: Source):
    self.class_names = source.class_names
    self._count = len(source)

  def __len__(self) -> int:
    return self._count

  def __getitem__(self, i: int) -> dict:
    return {'place': np.int32(i)}

  def where(self, i: int) -> str:
    return f'example {i}'


def hold(source: Source, mesh: Mesh, threads: int) -> dict[str, jax.Array]:
  """All examples on every device: uint8 [N, S, S, 3] and int32 [N].

  Args:
    source: the examples.
    mesh: of the devices.
    threads: that decode.
  """
  parts = []
  with tqdm(total=len(source), desc='hold', unit=' images', leave=False,
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


def batches(held: dict[str, jax.Array], places: Iterator[dict],
            mesh: Mesh) -> Iterator[dict[str, jax.Array]]:
  """Batches on the mesh, picked out of what is held.

  Args:
    held: of `hold`.
    places: this process's part of the numbers of each batch.
    mesh: where the batches lie.
  """
  home = columns.batch_home(mesh)

  @jax.jit(out_shardings=home)
  def pick(held, places):
    return jax.tree.map(lambda examples: examples[places], held)

  try:
    for batch in places:
      yield pick(held, jax.make_array_from_process_local_data(
          home, batch['place']))
  finally:
    places.close()
