"""Kernels of known color, orientation and frequency give known figures."""

import numpy as np
import pytest

from alexnet_jax.analysis import specialization as specialization

GRAY, RED_GREEN = np.array([1.0, 1, 1]), np.array([1.0, -1, 0])
SIZE = 11


def wave(orientation, frequency, phase=0.0, size=SIZE):
  """Stripes that rise by so many degrees to the right, under a bell."""
  down, right = np.mgrid[:size, :size] - (size - 1) / 2
  angle = np.radians(orientation)
  across = right * np.sin(angle) + down * np.cos(angle)
  bell = np.exp(-(down ** 2 + right ** 2) / (2 * (size / 4) ** 2))
  return bell * np.cos(2 * np.pi * frequency * across + phase)


def blob():
  down, right = np.mgrid[:SIZE, :SIZE] - SIZE // 2
  return np.exp(-(down ** 2 + right ** 2) / 8)


def kernel(pattern, color):
  return pattern[..., None] * color


def noise(count, size=SIZE):
  return np.random.default_rng(0).normal(size=(count, size, size, 3))


def test_grey_has_no_colorfulness_and_red_against_green_has_all_of_it():
  kernels = np.stack([
      kernel(wave(30, 0.2), GRAY), kernel(wave(30, 0.2), -2 * GRAY),
      kernel(np.ones((SIZE, SIZE)), GRAY),
      kernel(wave(30, 0.2), RED_GREEN), kernel(blob(), RED_GREEN),
      kernel(blob(), np.array([1.0, 1, -2])), np.zeros((SIZE, SIZE, 3))])
  np.testing.assert_allclose(
      specialization.colorfulness(kernels), [0, 0, 0, 1, 1, 1, 0], atol=1e-12)


def test_a_single_primary_color_is_one_third_grey():
  red = kernel(blob(), np.array([1.0, 0, 0]))
  assert specialization.colorfulness(red) == pytest.approx(2 / 3)


def test_colorfulness_is_the_share_of_energy_of_a_mixture():
  gray, color = kernel(wave(0, 0.2), GRAY), kernel(blob(), RED_GREEN)
  energies = specialization.energy(np.stack([gray, color]))
  assert specialization.colorfulness(gray + color) == pytest.approx(
      energies[1] / energies.sum())


@pytest.mark.parametrize('color', [GRAY, RED_GREEN, np.array([0.2, -1, 3])])
@pytest.mark.parametrize('orientation', [0, 20, 45, 90, 110, 135, 179])
def test_stripes_have_their_orientation_and_frequency(orientation, color):
  for frequency in (0.15, 0.25, 0.4):
    found = specialization.preferred_wave(
        kernel(wave(orientation, frequency, phase=0.7), color))
    apart = abs(found.orientation - orientation) % 180
    assert min(apart, 180 - apart) < 3
    assert found.frequency == pytest.approx(frequency, abs=0.02)
    assert found.orientedness > 0.7


def test_stripes_that_rise_to_the_right_do_so_in_the_picture():
  stripe = np.eye(SIZE)[::-1]  # from the lower left to the upper right
  found = specialization.preferred_wave(kernel(stripe, GRAY))
  assert found.orientation == pytest.approx(45)


def test_five_pixels_are_enough_for_a_wave():
  found = specialization.preferred_wave(kernel(wave(90, 0.3, size=5), GRAY))
  assert found.orientation == pytest.approx(90, abs=3)
  assert found.frequency == pytest.approx(0.3, abs=0.05)


def test_what_has_no_direction_is_not_oriented():
  down, right = np.mgrid[:SIZE, :SIZE]
  kernels = np.stack([
      kernel(blob(), GRAY), kernel((-1.0) ** (down + right), GRAY),
      kernel(wave(0, 0.2) + wave(90, 0.2), GRAY)])
  found = specialization.preferred_wave(kernels)
  np.testing.assert_allclose(found.orientedness, 0, atol=0.02)
  assert (specialization.preferred_wave(noise(50)).orientedness
          < specialization.ORIENTED).all()


def test_an_edge_is_oriented():
  edge = np.sign(np.mgrid[:SIZE, :SIZE][1] - 4.5)
  found = specialization.preferred_wave(kernel(edge, GRAY))
  assert found.orientedness > specialization.ORIENTED
  assert found.orientation == 90


@pytest.mark.parametrize('value', [0.0, 3.0])
def test_a_kernel_without_variation_has_no_wave(value):
  found = specialization.preferred_wave(np.full((2, SIZE, SIZE, 3), value))
  assert not found.frequency.any() and not found.orientedness.any()


@pytest.mark.parametrize('size', [5, 11])
def test_random_kernels_have_what_is_said_of_them(size):
  kernels = noise(2000, size)
  expected = specialization.measure_noise(size, size)
  colors = specialization.colorfulness(kernels)
  assert expected.colorfulness == pytest.approx(2 / 3)
  assert colors.mean() == pytest.approx(2 / 3, abs=0.005)
  assert colors.std() == pytest.approx(expected.colorfulness_stddev, rel=0.1)
  structure = specialization.structure(kernels)
  assert structure.mean() == pytest.approx(0, abs=0.02)
  assert structure.std() == pytest.approx(expected.structure_stddev, rel=0.1)
  assert specialization.has_learned(kernels).mean() < 0.01


def test_a_pattern_is_told_from_random_numbers():
  stripes, edge = wave(20, 0.2), np.sign(np.mgrid[:SIZE, :SIZE][1] - 4.5)
  for pattern in (kernel(stripes, GRAY), kernel(blob(), RED_GREEN),
                  kernel(edge, GRAY)):
    energy = specialization.energy(pattern)
    half = pattern + np.sqrt(energy / (3 * SIZE * SIZE)) * noise(200)
    assert specialization.structure(half).mean() == pytest.approx(0.4, abs=0.06)
    assert specialization.has_learned(half).mean() > 0.95
    assert specialization.structure(pattern) > 0.9


def test_columns_are_measured_as_kernels_are():
  kernels = noise(6).reshape(2, 3, SIZE, SIZE, 3)
  for measure in (specialization.energy, specialization.colorfulness,
                  specialization.structure, specialization.has_learned):
    assert measure(kernels).shape == (2, 3)
    assert measure(kernels)[1, 2] == measure(kernels[1, 2])
  waves = specialization.preferred_wave(kernels)
  assert waves.orientation.shape == (2, 3)
  assert [each[1, 2] for each in waves] == list(
      specialization.preferred_wave(kernels[1, 2]))


def test_columns_that_are_apart_have_a_small_p_value():
  draw = np.random.default_rng(1)
  values = draw.uniform([[0.0], [0.8]], [[1.0], [1.8]], (2, 20))
  found = specialization.permutation_test(values, 1000)
  assert found.value == pytest.approx(values[1].mean() - values[0].mean())
  assert found.p_value == 1 / 1001
  # It is left to chance which of them is ahead.
  assert specialization.permutation_test(values[::-1], 1000) == found


def test_columns_that_are_alike_have_a_large_one():
  values = np.random.default_rng(1).uniform(size=(1, 20))
  same = specialization.permutation_test(np.concatenate([values, values]), 1000)
  assert same == (0, 1)


def test_few_kernels_can_only_be_dealt_out_in_few_ways():
  # Of the six deals of 0, 0, 1, 1 to two columns, two set them that far apart.
  found = specialization.permutation_test(np.array([[0.0, 0], [1, 1]]), 10_000)
  assert found.p_value == pytest.approx(2 / 6, abs=0.02)


def test_by_chance_every_twentieth_p_value_is_below_one_twentieth():
  draw = np.random.default_rng(2)
  p_values = [specialization.permutation_test(
      draw.uniform(size=(3, 12)), 200).p_value for _ in range(200)]
  assert 0.01 < (np.array(p_values) <= 0.05).mean() < 0.1


def test_one_of_four_columns_that_differs_is_noticed():
  values = np.random.default_rng(1).uniform(size=(4, 12))
  values[2] += 1
  assert specialization.permutation_test(values, 1000).p_value < 0.01


def test_a_single_column_is_not_compared():
  assert specialization.permutation_test(np.ones((1, 8))) is None


def test_p_values_of_several_runs_are_one():
  assert specialization.combine_p_values([0.03]) == pytest.approx(0.03)
  # Chi-squared of 11.98 with four degrees of freedom, in printed tables.
  assert specialization.combine_p_values([0.05, 0.05]) == pytest.approx(
      0.01748, abs=1e-5)
  assert specialization.combine_p_values([1, 1, 1]) == 1


def test_p_values_of_chance_together_are_a_p_value_of_chance():
  draw = np.random.default_rng(3)
  together = [specialization.combine_p_values(draw.uniform(size=3))
              for _ in range(2000)]
  for share in (0.05, 0.5, 0.9):
    assert (np.array(together) <= share).mean() == pytest.approx(
        share, abs=0.03)
