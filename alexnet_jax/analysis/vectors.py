"""Feature vectors: as examples of the loader, their statistics, their codes."""

from collections.abc import Callable, Sequence

import jax
import numpy as np
from jax.sharding import Mesh

from alexnet_jax.analysis import hamming
from alexnet_jax.analysis.autoencoder import FeatureStats
from alexnet_jax.errors import InputError
from alexnet_jax.network import placement
from alexnet_jax.run.walk import walk


class Examples:
  """Features as a sequence of examples for the loader."""

  def __init__(self, vectors: Sequence[np.ndarray]):
    """Takes shards [n, D] of equal length; only the last may be shorter."""
    self._vectors = vectors

  def __len__(self) -> int:
    return sum(len(shard) for shard in self._vectors)

  def __getitem__(self, i: int) -> dict[str, np.ndarray]:
    shard, row = divmod(i, len(self._vectors[0]))
    return {'features': np.array(self._vectors[shard][row])}


def feature_stats(vectors: Sequence[np.ndarray]) -> FeatureStats:
  """Computes the mean of each feature and the root of the mean variance.

  `vectors` are shards of [n, D].

  Raises:
    InputError: the features of all images are equal.
  """
  count = sum(len(shard) for shard in vectors)
  mean = sum(shard.sum(0, dtype=np.float64) for shard in vectors) / count
  mean = mean.astype(np.float32)
  variance = sum(np.square(shard - mean).sum(dtype=np.float64)
                 for shard in vectors) / (count * len(mean))
  if not variance > 0:
    raise InputError('the features of all training images are the same: train'
                     ' the network longer, then make its features again.')
  return FeatureStats(mean, np.array(np.sqrt(variance), np.float32))


def packed_codes(encode: Callable[[jax.Array], jax.Array],
                 vectors: Sequence[np.ndarray], batch_size: int,
                 title: str) -> np.ndarray:
  """Returns the packed codes of all features: uint32 [N, bits / 32].

  Args:
    encode: function from features [B, D] to codes, bool [B, bits].
    vectors: shards of features [n, D].
    batch_size: B.
    title: title of the progress bar.

  Raises:
    InputError: the number of bits is not a multiple of 32.
  """
  return np.concatenate([
      hamming.pack(bits) for bits in walk(
          lambda batch: encode(batch['features']), Examples(vectors),
          single_device_mesh(), batch_size=batch_size, title=title)])


def single_device_mesh() -> Mesh:
  """Returns a mesh of one device, which is enough for an auto-encoder."""
  return placement.make_mesh(1, 1, 1)
