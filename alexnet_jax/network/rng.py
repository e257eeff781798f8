"""Random keys, derived from (seed, stream, step, example, column).

No random state is stored or passed on: a key is derived where it is needed, so
an experiment gives the same result on any mesh, with any number of processes,
and after a crash. Keys are typed (`jax.random.key`).
"""

import zlib

import jax
import jax.numpy as jnp


def fold_in_name(key: jax.Array, name: str) -> jax.Array:
  """Derives a key from a name instead of a number."""
  return jax.random.fold_in(key, zlib.crc32(name.encode()))


def stream(seed: int, name: str, step: jax.Array | int = 0) -> jax.Array:
  """Returns the key of one random stream at one step.

  Args:
    seed: seed of the experiment.
    name: name of the stream, such as 'init', 'crop' or 'dropout'.
    step: training step.
  """
  return jax.random.fold_in(fold_in_name(jax.random.key(seed), name), step)


def per_example(key: jax.Array, batch_size: int, shared_by: int = 1):
  """Derives one key per example of the global batch: [] -> [B].

  Args:
    key: key of the stream at this step.
    batch_size: B.
    shared_by: number of adjacent examples that get the same key. The 2012
      program draws one crop and one flip for 32 images.
  """
  numbers = jnp.arange(batch_size) // shared_by
  return jax.vmap(jax.random.fold_in, (None, 0))(key, numbers)


def column_keys(keys: jax.Array | None, layer: str, column: jax.Array | int):
  """Derives the keys [B] of one layer of one column.

  Args:
    keys: one key per example [B], or None at test time, which is returned.
    layer: name of the layer.
    column: index of the column.
  """
  if keys is None:
    return None

  def of_column(key):
    return jax.random.fold_in(fold_in_name(key, layer), column)

  return jax.vmap(of_column)(keys)
