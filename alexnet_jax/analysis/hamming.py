"""Binary codes (6.1): random ones, packing, the nearest by Hamming distance.

A code of b bits is b / 32 words of 32 bits. Bytes are as `numpy.packbits` makes
them (the first bit is a byte's highest) and four of them, the first one lowest,
make a word. So `numpy.unpackbits(words.view(numpy.uint8), axis=1)` gives the
bits back on any little-endian machine.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from alexnet_jax.errors import InputError

WORD = 32  # bits
QUERIES = 256  # at a time
ROWS = 4096  # codes of the database likewise: 4 MiB of distances


def pack(bits: np.ndarray) -> np.ndarray:
  """Bits to words: [N, b], anything but 0 is a set bit -> uint32 [N, b / 32].

  Raises:
    InputError: b is no multiple of 32.
  """
  if not bits.shape[1] or bits.shape[1] % WORD:
    raise InputError(f'codes of {bits.shape[1]} bits do not fill words of'
                     f' {WORD}: give a multiple of {WORD}.')
  return np.packbits(bits != 0, axis=1).view('<u4').astype(np.uint32)


def unpack(words: np.ndarray) -> np.ndarray:
  """Words to bits: uint32 [N, b / 32] -> bool [N, b]."""
  return np.unpackbits(
      words.astype('<u4').view(np.uint8), axis=1).astype(bool)


def sides(features: jax.Array, center: jax.Array,
          normals: jax.Array) -> jax.Array:
  """On which side of planes through `center` they lie: the code to beat.

  [B, D], [D], [D, b] -> bool [B, b]. With random normals the Hamming distance
  estimates the angle between features as seen from the center (Charikar 2002,
  "Similarity estimation techniques from rounding algorithms").
  """
  return (features - center[None]) @ normals > 0


def distances(queries: jax.Array, codes: jax.Array) -> jax.Array:
  """In how many bits they differ: uint32 [Q, w], [N, w] -> int32 [Q, N]."""
  differ = (lax.population_count(queries[:, None, word] ^ codes[None, :, word])
            for word in range(codes.shape[1]))
  return sum(differ, jnp.uint32(0)).astype(jnp.int32)


def nearest(queries: np.ndarray, codes: np.ndarray,
            k: int) -> tuple[np.ndarray, np.ndarray]:
  """The k nearest codes of each query: uint32 [Q, w], [N, w] -> [Q, k] twice.

  The device goes through the codes in blocks, exclusive or and population
  count, and keeps the nearest so far of every query: there are never all
  distances at once.

  Returns:
    (distances, indices): int32, nearest first; of equally near ones the lower
    index.

  Raises:
    InputError: fewer than k codes, or codes of another length.
  """
  if not 0 < k <= len(codes):
    raise InputError(f'{k} nearest of {len(codes)} codes cannot be found: ask'
                     f' for 1 to {len(codes)}.')
  if queries.shape[1] != codes.shape[1]:
    raise InputError(
        f'queries of {WORD * queries.shape[1]} bits have no distance to codes'
        f' of {WORD * codes.shape[1]}: give codes of one length.')
  device_codes = jnp.asarray(codes)
  # The last queries are filled up with more of the last, for one shape.
  size = min(QUERIES, len(queries))
  padded = _fill(queries, -len(queries) % size)
  found = [_nearest(jnp.asarray(padded[at:at + size]), device_codes, k)
           for at in range(0, len(padded), size)]
  apart, indices = (np.concatenate(part)[:len(queries)]
                    for part in zip(*jax.device_get(found), strict=True))
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
    # As float32, exact for such numbers: XLA's quick top_k is for it alone.
    there = distances(queries, codes).astype(jnp.float32)
    there = jnp.where(numbers[None] < count, there, jnp.inf)
    numbers = jnp.broadcast_to(numbers[None], there.shape)
    # What was known comes first: top_k takes the first of equals.
    nearness, places = lax.top_k(
        -jnp.concatenate([best[0], there], 1), k)
    return (-nearness, jnp.take_along_axis(
        jnp.concatenate([best[1], numbers], 1), places, 1)), None

  nothing = (jnp.full((len(queries), k), jnp.inf, jnp.float32),
             jnp.zeros((len(queries), k), jnp.int32))
  numbers = jnp.arange(blocks.shape[0] * size).reshape(-1, size)
  (apart, indices), _ = lax.scan(nearer, nothing, (numbers, blocks))
  return apart.astype(jnp.int32), indices
