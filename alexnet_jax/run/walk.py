"""Applies a function on the device to every example of a source."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import jax
from jax.sharding import Mesh
from tqdm import auto, tqdm

from alexnet_jax.data import loader
from alexnet_jax.errors import printable
from alexnet_jax.network import placement
from alexnet_jax.run import device_data


def walk(
    f: Callable[[dict[str, jax.Array]], Any],
    source: Any,
    mesh: Mesh,
    *,
    batch_size: int,
    threads: int = 2,
    title: str = '',
    bar: tqdm | None = None,
) -> Iterator[Any]:
  """Applies f to every example of a source once, in order.

  Args:
    f: maps a batch on the mesh, which includes 'valid', to arrays. With several
      processes each array must be the same in all of them.
    source: labeled images, or any other source that the loader can read.
    mesh: mesh of the devices.
    batch_size: examples per global batch, rounded up to a multiple of the
      number of data shards.
    threads: number of decoding threads; 0 for one per core, at most 16.
    title: title of a new progress bar.
    bar: an open progress bar to update instead.

  Yields:
    The output of f for each batch, on the host. Arrays are cut to the real
    examples, without the padding of the last batch; scalars are unchanged.
  """
  shards = mesh.shape[placement.DATA]
  batch_size = -(-batch_size // shards) * shards
  shard, num_shards = placement.process_shard(mesh)
  left = len(source)
  shown = nullcontext(bar) if bar is not None else auto.tqdm(
      total=left, desc=printable(title), unit=' images', leave=False,
      dynamic_ncols=True, disable=None)
  with shown as progress:
    for batch in loader.evaluation_batches(
        source, batch_size=batch_size, shard=shard, num_shards=num_shards,
        threads=threads):
      count = min(batch_size, left)
      output = jax.device_get(f(device_data.to_device(batch, mesh)))
      yield jax.tree.map(lambda x, n=count: x[:n] if x.ndim else x, output)
      left -= count
      progress.update(count)
