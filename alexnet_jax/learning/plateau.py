"""Section 5: lowers the rate when the validation error stops improving."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class PlateauRule(NamedTuple):
  """When to lower the learning rate because validation no longer improves."""

  patience: int  # number of validations without a new best
  factor: float = 10.0  # divisor of the rate
  max_drops: int = 3


class Plateau(NamedTuple):
  """The state of the plateau rule between validations."""

  best_error: jax.Array  # [] lowest top-1 validation error so far
  waited: jax.Array  # [] validations since it was reached
  drops: jax.Array  # [] number of times the rate has been divided


def initial_plateau() -> Plateau:
  """Returns the state of the plateau rule before the first validation."""
  return Plateau(jnp.float32(jnp.inf), jnp.int32(0), jnp.int32(0))


def update_plateau(plateau: Plateau, learning_rate: jax.Array,
                   error: jax.Array,
                   rule: PlateauRule) -> tuple[Plateau, jax.Array]:
  """Lowers the learning rate when the validation error stops improving (5).

  The authors divide the rate by ten by hand. Here it is divided by
  `rule.factor` after `rule.patience` validations in a row without a new best.

  Args:
    plateau: state of the rule.
    learning_rate: [] current rate.
    error: [] top-1 error of this validation.
    rule: patience, factor and maximum number of drops.

  Returns:
    The new state of the rule and the new learning rate.
  """
  better = error < plateau.best_error
  waited = jnp.where(better, jnp.int32(0), plateau.waited + jnp.int32(1))
  drop = (waited >= rule.patience) & (plateau.drops < rule.max_drops)
  return (
      Plateau(
          jnp.where(better, error, plateau.best_error),
          jnp.where(drop, jnp.int32(0), waited),
          plateau.drops + drop.astype(jnp.int32)),
      jnp.where(drop, learning_rate / jnp.float32(rule.factor), learning_rate))
