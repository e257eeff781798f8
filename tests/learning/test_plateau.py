"""The rate falls when the validation error stops improving."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alexnet_jax.learning.plateau import (
  PlateauRule,
  initial_plateau,
  update_plateau,
)


def rates_after(errors, patience, **fields):
  """The learning rate after each validation, starting at 1."""
  rule = PlateauRule(patience, **fields)
  judge = jax.jit(lambda plateau, rate, error: update_plateau(
      plateau, rate, error, rule))
  plateau, rate, rates = initial_plateau(), jnp.float32(1), []
  for error in errors:
    plateau, rate = judge(plateau, rate, jnp.float32(error))
    rates.append(float(rate))
  return rates


def test_the_rate_stays_while_the_error_improves():
  assert rates_after(np.linspace(0.9, 0.1, 20), 1) == [1] * 20


def test_the_rate_falls_tenfold_after_patience_runs_out():
  assert rates_after([0.9, 0.8, 0.8, 0.85, 0.81, 0.7], 3) == pytest.approx(
      [1, 1, 1, 1, 0.1, 0.1])


def test_an_improvement_in_between_starts_the_count_again():
  assert rates_after([0.9, 0.9, 0.8, 0.8, 0.7, 0.7], 2) == [1] * 6


def test_the_count_starts_again_after_a_drop():
  assert rates_after([0.9] * 6, 2) == pytest.approx(
      [1, 1, 0.1, 0.1, 0.01, 0.01])


def test_the_rate_falls_three_times_at_most():
  assert rates_after([0.5] * 9, 1) == pytest.approx(
      [1, 0.1, 0.01] + [0.001] * 6, rel=1e-5)
  assert rates_after([0.5] * 4, 1, factor=2.0, max_drops=1) == [1, .5, .5, .5]


def test_an_error_that_is_no_number_is_waited_for_and_forgotten():
  assert rates_after([0.9, np.nan, 0.8, 0.8, 0.7, 0.7], 2) == [1] * 6
