"""Learning rate schedules of the 2012 program (after December 2012), and later.

They are not in the paper, where the rate is lowered by hand (`optimizer.py`).
Each schedule is a pure function of progress, the fraction of all steps after
the warm-up that are done, 0..1, and returns a factor of the initial rate. Those
of the program are for the kernels alone and end at 1 / `target_factor`; in the
program, progress is constant within a file of 1024 images, and here it changes
with every step. `cosine` is for all parameters and ends at 0.
"""

import jax
import jax.numpy as jnp

NAMES = ('constant', 'linear', 'exp', 'dexp', 'jdexp', 'cosine')
OF_ALL_LEAVES = ('cosine',)  # of the biases too


def factor_of(name: str, progress: jax.Array, *, target_factor: float,
              levels: int) -> jax.Array | float:
  """Returns the factor of a schedule at one step of training.

  Args:
    name: one of NAMES.
    progress: [] fraction of the steps after the warm-up done, 0..1.
    target_factor: ratio of the initial to the final rate; not for 'cosine'.
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
    case 'cosine':
      return cosine(progress)
  return 1.0


def warm_up(step: jax.Array, steps: float,
            total: int) -> tuple[jax.Array, jax.Array]:
  """Returns the factor of a linear warm-up, and the progress after it.

  Args:
    step: [] number of steps done.
    steps: length of the warm-up.
    total: number of steps of the run, more than `steps`.

  Returns:
    The factor, which is 1 / `steps` in the first step and 1 from the end of the
    warm-up on, and the fraction of the other steps that are done; both [].
  """
  done = step.astype(jnp.float32)
  return (jnp.minimum(1, (done + 1) / steps),
          jnp.maximum(0, (done - steps) / (total - steps)))


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


def cosine(progress: jax.Array) -> jax.Array:
  """Half a cosine from 1 to 0, that of `optax.cosine_decay_schedule`."""
  return 0.5 * (1 + jnp.cos(jnp.pi * progress))


def _level(progress, levels):
  return jnp.maximum(jnp.ceil(progress * levels) - 1, 0)
