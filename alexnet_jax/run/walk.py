"""One pass over a source with a function on the device."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import Any

import jax
from jax.sharding import Mesh
from tqdm import tqdm

from alexnet_jax.data import loader
from alexnet_jax.network import columns
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
  """Runs f on every example of a source once, in order.

  Args:
    f: a batch on the mesh, with 'valid' -> arrays. With several processes
      each must be the same in all of them.
    source: of labeled images, or anything that the loader reads.
    mesh: of the devices.
    batch_size: examples at a time in all processes, rounded up to a multiple
      of the data shards.
    threads: that decode.
    title: of a progress bar.
    bar: an open progress bar to move on instead.

  Yields:
    What f returns, on the host, without the padding of the last batch: arrays
    are cut to the examples that are there, numbers stay.
  """
  shards = mesh.shape[columns.DATA]
  batch_size = -(-batch_size // shards) * shards
  shard, num_shards = columns.process_shard(mesh)
  left = len(source)
  shown = nullcontext(bar) if bar is not None else tqdm(
      total=left, desc=title, unit=' images', leave=False, dynamic_ncols=True,
      disable=None)
  with shown as progress:
    for batch in loader.evaluation_batches(
        source, batch_size=batch_size, shard=shard, num_shards=num_shards,
        threads=threads):
      count = min(batch_size, left)
      output = jax.device_get(f(device_data.to_device(batch, mesh)))
      yield jax.tree.map(lambda x, n=count: x[:n] if x.ndim else x, output)
      left -= count
      progress.update(count)
