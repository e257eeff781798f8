"""Learning rate schedules of the 2012 program (after December 2012).

They are not in the paper, where the rate is lowered by hand (`optimizer.py`).
Each schedule is a pure function of progress, the fraction of all steps done,
0..1, and returns a factor of the initial rate that ends at 1 / `target_factor`.
In the program, progress is constant within a file of 1024 images; here it
changes with every step.
"""

import jax
import jax.numpy as jnp

NAMES = ('constant', 'linear', 'exp', 'dexp', 'jdexp')


def factor_of(name: str, progress: jax.Array, *, target_factor: float,
              levels: int) -> jax.Array | float:
  """Returns the factor of a schedule at one step of training.

  Args:
    name: one of NAMES.
    progress: [] fraction of all steps done, 0..1.
    target_factor: ratio of the initial to the final rate.
    levels: number of levels of 'dexp' and 'jdexp'.
  """
  match name:
    case 'linear':
      return linear(progress, target_factor)
    case 'exp':
      return exp(progress, target_factor)
    case 'dexp':
      return dexp(progress, target_factor, levels)
    case 'jdexp':
      return jdexp(progress, target_factor, levels)
  return 1.0


def linear(progress: jax.Array, target_factor: float) -> jax.Array:
  """Linear decay from 1 to 1 / target_factor."""
  return 1 - progress * (1 - 1 / target_factor)


def exp(progress: jax.Array, target_factor: float) -> jax.Array:
  """Exponential decay: every step multiplies the rate by the same factor."""
  return jnp.power(target_factor, -progress)


def dexp(progress: jax.Array, target_factor: float, levels: int) -> jax.Array:
  """Discrete exponential decay: levels of equal length and equal ratio.

  Args:
    progress: [] 0..1; a level includes its right end.
    target_factor: ratio of the first to the last level.
    levels: number of levels.
  """
  level = _level(progress, levels)
  return jnp.power(target_factor, -level / (levels - 1))


def jdexp(progress: jax.Array, target_factor: float, levels: int) -> jax.Array:
  """`dexp` that jumps up by half a level in the second half of each level.

  There is no jump in the first level, or outside 0.2 < progress < 0.9.

  Args:
    progress: [] 0..1.
    target_factor: ratio of the first to the last level.
    levels: number of levels.
  """
  level = _level(progress, levels)
  second_half = progress * levels - level > 0.5
  jumps = second_half & (level > 0) & (progress > 0.2) & (progress < 0.9)
  level = jnp.where(jumps, level - 0.5, level)
  return jnp.power(target_factor, -level / (levels - 1))


def _level(progress, levels):
  return jnp.maximum(jnp.ceil(progress * levels) - 1, 0)
