"""The program's own schedules, with the numbers of its logs (appendix A8)."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from alexnet_jax.learning import schedules


def rate(name, progress, target_factor, levels=4):
  return 0.01 * float(schedules.factor_of(
      name, jnp.float32(progress), target_factor=target_factor,
      levels=levels))


@pytest.mark.parametrize('progress, expected', [
    (0, 0.01), (0.1, 0.01), (0.25, 0.01),
    (0.26, 0.0015874011), (0.5, 0.0015874011),
    (0.51, 0.00025198421), (0.75, 0.00025198421),
    (0.76, 0.00004), (1, 0.00004)])
def test_dexp_has_the_levels_of_net_170(progress, expected):
  assert rate('dexp', progress, 250) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize('progress, expected', [
    (0.2, 0.01), (0.3, 0.0012599210), (0.4, 0.0035495367),
    (0.55, 0.00015874011), (0.65, 0.00044721360), (0.8, 0.00002),
    (0.88, 0.000056345382), (0.95, 0.00002)])
def test_jdexp_jumps_half_a_level_up_in_the_second_half(progress, expected):
  assert rate('jdexp', progress, 500) == pytest.approx(expected, rel=1e-5)


def test_jdexp_does_not_jump_in_the_first_stretch():
  assert rate('jdexp', 0.24, 500) == pytest.approx(0.01)


@pytest.mark.parametrize('name', ['linear', 'exp', 'dexp', 'jdexp'])
def test_every_schedule_goes_from_the_first_rate_to_the_last(name):
  assert rate(name, 0, 400) == pytest.approx(0.01)
  assert rate(name, 1, 400) == pytest.approx(0.01 / 400, rel=1e-5)


def test_linear_and_exp_are_halfway_in_their_own_sense():
  assert rate('linear', 0.5, 100) == pytest.approx((0.01 + 0.0001) / 2)
  assert rate('exp', 0.5, 100) == pytest.approx((0.01 * 0.0001) ** 0.5)


def test_without_a_schedule_the_rate_stays():
  assert rate('constant', 0.7, 400) == 0.01


def test_schedules_are_the_same_under_jit():
  points = np.linspace(0, 1, 11, dtype=np.float32)
  for name in schedules.NAMES[1:]:
    f = lambda p, name=name: schedules.factor_of(
        name, p, target_factor=250.0, levels=4)
    np.testing.assert_allclose(jax.jit(f)(points), f(points), rtol=1e-6,
                               atol=1e-7)


@pytest.mark.parametrize('steps, total', [(4, 20), (1, 5), (2.5, 10)])
def test_the_cosine_of_optax_follows_a_linear_warm_up(steps, total):
  for step in range(total + 1):
    warm, progress = schedules.warm_up(jnp.int32(step), steps, total)
    assert float(warm) == pytest.approx(min(1, (step + 1) / steps))
    assert float(progress) == pytest.approx(
        max(0, (step - steps) / (total - steps)))
    cosine = schedules.factor_of(
        'cosine', progress, target_factor=1.0, levels=4)
    after = max(0, step - steps)
    assert float(cosine) == pytest.approx(float(
        optax.cosine_decay_schedule(1.0, total - steps)(after)), abs=1e-6)
  assert float(warm) == 1 and float(cosine) == pytest.approx(0, abs=1e-6)
