"""Binary codes (6.1): random codes, packing and search by Hamming distance.

A code of b bits is b / 32 words of 32 bits. Bytes are those of `numpy.packbits`
(the first bit is the most significant), and each word is four bytes in
little-endian order. `numpy.unpackbits(words.view(numpy.uint8), axis=1)`
therefore recovers the bits on any little-endian machine.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from alexnet_jax.errors import InputError

WORD = 32  # bits
QUERIES = 256  # per batch
ROWS = 4096  # database codes per block: 4 MiB of distances


def pack(bits: np.ndarray) -> np.ndarray:
  """Packs bits into words: [N, b], nonzero is a set bit -> uint32 [N, b / 32].

  Raises:
    InputError: b is not a positive multiple of 32.
  """
  if not bits.shape[1] or bits.shape[1] % WORD:
    raise InputError(f'codes of {bits.shape[1]} bits do not fill words of'
                     f' {WORD}: give a multiple of {WORD}.')
  return np.packbits(bits != 0, axis=1).view('<u4').astype(np.uint32)


def unpack(words: np.ndarray) -> np.ndarray:
  """Unpacks words into bits: uint32 [N, b / 32] -> bool [N, b]."""
  return np.unpackbits(
      words.astype('<u4').view(np.uint8), axis=1).astype(bool)


def hyperplane_codes(features: jax.Array, center: jax.Array,
                     normals: jax.Array) -> jax.Array:
  """Codes by the side of each hyperplane through `center`: the baseline.

  With random normals, the Hamming distance estimates the angle between features
  relative to the center (Charikar 2002, "Similarity estimation techniques from
  rounding algorithms").

  Args:
    features: [B, D].
    center: [D].
    normals: normal vectors of the hyperplanes [D, b].

  Returns:
    The codes, bool [B, b].
  """
  return (features - center[None]) @ normals > 0


def distances(queries: jax.Array, codes: jax.Array) -> jax.Array:
  """Counts differing bits: uint32 [Q, w], [N, w] -> int32 [Q, N]."""
  differ = (lax.population_count(queries[:, None, word] ^ codes[None, :, word])
            for word in range(codes.shape[1]))
  return sum(differ, jnp.uint32(0)).astype(jnp.int32)


def nearest(queries: np.ndarray, codes: np.ndarray,
            k: int) -> tuple[np.ndarray, np.ndarray]:
  """Finds the k nearest codes of each query.

  The device processes the codes in blocks, with exclusive or and population
  count, and stores the nearest so far of every query, so the full matrix of
  distances is never in memory.

  Args:
    queries: packed codes, uint32 [Q, w].
    codes: packed codes of the database, uint32 [N, w].
    k: number of codes to find.

  Returns:
    (distances, indices): int32 [Q, k] each, nearest first; ties are in order of
    the index.

  Raises:
    InputError: k is not between 1 and the number of codes, or the lengths of
      queries and codes differ.
  """
  if not 0 < k <= len(codes):
    raise InputError(f'{k} nearest of {len(codes)} codes cannot be found: ask'
                     f' for 1 to {len(codes)}.')
  if queries.shape[1] != codes.shape[1]:
    raise InputError(
        f'queries of {WORD * queries.shape[1]} bits have no distance to codes'
        f' of {WORD * codes.shape[1]}: give codes of one length.')
  device_codes = jnp.asarray(codes)
  # The last batch is padded with copies of the last query, for a fixed shape.
  size = min(QUERIES, len(queries))
  padded = _fill(queries, -len(queries) % size)
  batches = [_nearest(jnp.asarray(padded[at:at + size]), device_codes, k)
           for at in range(0, len(padded), size)]
  apart, indices = (np.concatenate(part)[:len(queries)]
                    for part in zip(*jax.device_get(batches), strict=True))
  return apart, indices


def _fill(rows, count):
  return np.concatenate([rows, np.repeat(rows[-1:], count, 0)])


@functools.partial(jax.jit, static_argnums=2)
def _nearest(queries, codes, k):
  count, words = codes.shape
  size = min(ROWS, count)
  blocks = jnp.pad(codes, ((0, -count % size), (0, 0))).reshape(-1, size, words)

  def nearer(best, block):
    numbers, codes = block
    # float32 is exact for these integers, and XLA's fast top_k needs it.
    apart = distances(queries, codes).astype(jnp.float32)
    apart = jnp.where(numbers[None] < count, apart, jnp.inf)
    numbers = jnp.broadcast_to(numbers[None], apart.shape)
    # Earlier results come first: top_k resolves ties in favor of the first.
    nearness, places = lax.top_k(
        -jnp.concatenate([best[0], apart], 1), k)
    return (-nearness, jnp.take_along_axis(
        jnp.concatenate([best[1], numbers], 1), places, 1)), None

  nothing = (jnp.full((len(queries), k), jnp.inf, jnp.float32),
             jnp.zeros((len(queries), k), jnp.int32))
  numbers = jnp.arange(blocks.shape[0] * size).reshape(-1, size)
  (apart, indices), _ = lax.scan(nearer, nothing, (numbers, blocks))
  return apart.astype(jnp.int32), indices
