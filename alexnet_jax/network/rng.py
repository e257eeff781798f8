"""Where every random number comes from: (seed, stream, step, example, column).

Nothing random is stored or carried: a key is derived where it is needed, so the
same experiment comes out on any mesh, with any number of processes, and after a
crash. Keys are typed (`jax.random.key`).
"""

import zlib

import jax
import jax.numpy as jnp


def fold_in_name(key: jax.Array, name: str) -> jax.Array:
  """The key of something that has a name rather than a number."""
  return jax.random.fold_in(key, zlib.crc32(name.encode()))


def stream(seed: int, name: str, step: jax.Array | int = 0) -> jax.Array:
  """The key of one use of chance ('init', 'crop', 'dropout') at one step."""
  return jax.random.fold_in(fold_in_name(jax.random.key(seed), name), step)


def per_example(key: jax.Array, batch_size: int, shared_by: int = 1):
  """One key per example of the global batch: [] -> [B].

  Args:
    key: the stream's key at this step.
    batch_size: B.
    shared_by: that many neighbors get the same key. The 2012 program drew one
      crop and one flip for 32 images.
  """
  numbers = jnp.arange(batch_size) // shared_by
  return jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)


def column_keys(keys: jax.Array | None, layer: str, column: jax.Array | int):
  """The keys [B] of one column's layer; None stays None (test time)."""
  if keys is None:
    return None

  def own(key):
    return jax.random.fold_in(fold_in_name(key, layer), column)

  return jax.vmap(own)(keys)
