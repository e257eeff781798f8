"""How the 2012 program let the rate fall by itself, from December 2012 on.

Not in the paper, whose rate was lowered by hand (`optimizer.py`). Each schedule
is a pure function of progress, the share of all steps done, 0..1, and returns
what to multiply the first rate with. The last rate is the first divided by
`target_factor`. The program held progress constant within one file of 1024
images; here it moves with every step.
"""

import jax
import jax.numpy as jnp

NAMES = ('constant', 'linear', 'exp', 'dexp', 'jdexp')


def factor_of(name: str, progress: jax.Array, *, target_factor: float,
              levels: int) -> jax.Array | float:
  """The factor of the schedule `name` at `progress`."""
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
  """A straight line from 1 to 1 / target_factor."""
  return 1 - progress * (1 - 1 / target_factor)


def exp(progress: jax.Array, target_factor: float) -> jax.Array:
  """Falls by the same share in every step."""
  return jnp.power(target_factor, -progress)


def dexp(progress: jax.Array, target_factor: float, levels: int) -> jax.Array:
  """`levels` equal stretches, each lower than the last by the same share.

  A stretch includes its right end.
  """
  level = _level(progress, levels)
  return jnp.power(target_factor, -level / (levels - 1))


def jdexp(progress: jax.Array, target_factor: float, levels: int) -> jax.Array:
  """`dexp` that jumps up again by half a level in the second half of a stretch.

  Not in the first stretch, and only while 0.2 < progress < 0.9.
  """
  level = _level(progress, levels)
  second_half = progress * levels - level > 0.5
  jumps = second_half & (level > 0) & (progress > 0.2) & (progress < 0.9)
  level = jnp.where(jumps, level - 0.5, level)
  return jnp.power(target_factor, -level / (levels - 1))


def _level(progress, levels):
  return jnp.maximum(jnp.ceil(progress * levels) - 1, 0)
