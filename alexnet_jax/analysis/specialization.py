"""Measures of the first-layer kernels of each column (Figure 3).

Section 6.1: "The kernels on GPU 1 are largely color-agnostic, while the kernels
on GPU 2 are largely color-specific." The paper shows this in a figure only; the
measures here are not from the paper. Kernels are [..., h, w, 3], or
[K, C, h, w, 3] for the C kernels of each of K columns.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

# Zero padding makes the frequency resolution this many times finer than that of
# the kernel, 1 / size: the orientation of a wave of 0.1 cycles per pixel in 11
# pixels is accurate to about 2 degrees.
FINER = 16
# The expected flatness of the spectrum of random numbers: its values are
# exponentially distributed, so their geometric mean is exp(-Euler's constant)
# times their mean.
FLATNESS_OF_NOISE = math.exp(-np.euler_gamma)
# A kernel counts as oriented from this value up, which is between the maximum
# of 300 random kernels of 11 x 11 (0.27) and the value of a straight edge
# (0.55).
ORIENTED = 0.4
PERMUTATIONS = 10_000


# --- Single kernels -----------------------------------------------------------


def energy(kernels: np.ndarray) -> np.ndarray:
  """The sum of squares of each kernel: [..., h, w, 3] -> [...]."""
  return (kernels ** 2).sum((-3, -2, -1))


def colorfulness(kernels: np.ndarray) -> np.ndarray:
  """The share of energy off the gray axis: [..., h, w, 3] -> [...], 0 to 1.

  The three weights of each pixel are a vector; its component along
  (1, 1, 1) / sqrt(3) is gray. A value of 0 means that the kernel responds only
  to gray levels, 1 that it responds only to colors, such as red against green.
  The mean of the kernel is included, since a blob of one color consists of
  nothing else. A kernel of zeros has 0.

  Random Gaussian kernels, such as those of an untrained network, have 2/3 on
  average: two of the three directions are colors. See `measure_noise`.
  """
  gray = (kernels.sum(-1) ** 2).sum((-2, -1)) / 3
  return np.clip(1 - _ratio(gray, energy(kernels), 1.0), 0, 1)


def structure(kernels: np.ndarray) -> np.ndarray:
  """How far a kernel is from random numbers: [..., h, w, 3] -> [...].

  It is about 0 for random numbers and near 1 for a clean pattern, so that it
  separates kernels that have learned from kernels that are still near their
  random initial values. The spectrum of random numbers is flat, while the
  energy of a pattern is in a few frequencies. The measure is one minus the
  spectral flatness (geometric over arithmetic mean), relative to that of random
  numbers. A kernel with half of its energy in a pattern and the rest random has
  about 0.4.
  """
  spectrum = np.abs(np.fft.fft2(kernels, axes=(-3, -2))) ** 2
  mean = spectrum.mean((-3, -2, -1))
  # The approximate size of rounding errors where the spectrum is zero.
  floor = 1e-12 * mean[..., None, None, None] + np.finfo(np.float64).tiny
  geometric = np.exp(np.log(np.maximum(spectrum, floor)).mean((-3, -2, -1)))
  return 1 - _ratio(geometric, mean, FLATNESS_OF_NOISE) / FLATNESS_OF_NOISE


class Noise(NamedTuple):
  """The measures of kernels of independent Gaussian numbers."""

  colorfulness: float  # mean
  colorfulness_stddev: float  # from kernel to kernel
  structure_stddev: float  # around 0


def measure_noise(height: int, width: int) -> Noise:
  """Returns the measures of random kernels [height, width, 3].

  Their colorfulness has the distribution Beta(n, n / 2) with
  n = height * width. A spectrum has 3n / 2 independent values (the others are
  their mirror images); the variance of the logarithm of its flatness is
  (pi^2 / 6 - 1) / (3n / 2).
  """
  n = height * width
  return Noise(2 / 3, math.sqrt(2 / 9 / (1.5 * n + 1)),
               math.sqrt((math.pi ** 2 / 6 - 1) / (1.5 * n)))


def has_learned(kernels: np.ndarray) -> np.ndarray:
  """Whether `structure` exceeds three standard deviations of noise: bool [...].

  For 11 x 11 kernels, this requires a pattern with about a third of the energy.
  """
  noise = measure_noise(*kernels.shape[-3:-1])
  return structure(kernels) > 3 * noise.structure_stddev


class Wave(NamedTuple):
  """The preferred wave of each kernel; all fields are [...]."""

  orientation: np.ndarray  # degrees, 0 to 180
  frequency: np.ndarray  # cycles per pixel
  orientedness: np.ndarray  # 0 to 1


def preferred_wave(kernels: np.ndarray) -> Wave:
  """Orientation and frequency of the strongest wave in each kernel.

  The kernel is projected on its strongest color (the direction in color space
  with the most energy), its mean is subtracted, and the wave is the peak of the
  Fourier transform. Orientation is that of the stripes, counterclockwise as
  seen in the image: 0 is horizontal, 90 is vertical, 45 rises to the right.
  Orientedness is one minus the circular variance of orientation, as in
  physiology (Ringach, Shapley and Hawken, J. Neuroscience 22, 2002): 1 if all
  energy is in one orientation, 0 if it is spread evenly, as in a round blob.

  A kernel of [1, 1, 3], or one without variation, has no wave: its frequency
  and orientedness are 0.
  """
  *many, height, width, _ = kernels.shape
  flat = kernels.reshape(-1, height, width, 3).astype(np.float64)
  waves = [_wave(kernel) for kernel in flat]
  return Wave(*(np.array(each).reshape(many)
                for each in zip(*waves, strict=True)))


def _wave(kernel):
  height, width, _ = kernel.shape
  pixels = kernel.reshape(-1, 3)
  strongest = np.linalg.eigh(pixels.T @ pixels).eigenvectors[:, -1]
  projected = kernel @ strongest
  varies = projected - projected.mean()
  if (varies ** 2).sum() <= 1e-12 * (projected ** 2).sum():
    return 0.0, 0.0, 0.0
  size = FINER * max(height, width)
  power = np.abs(np.fft.fft2(varies, (size, size))) ** 2
  cycles = np.fft.fftfreq(size)
  down, right = np.meshgrid(cycles, cycles, indexing='ij')
  # Row indices increase downward; stripes are perpendicular to the direction of
  # the wave.
  stripes = np.arctan2(-down, right) + np.pi / 2
  peak = np.argmax(power)
  spread = (power * np.exp(2j * stripes)).sum() / power.sum()
  return (float(np.degrees(stripes.flat[peak]) % 180),
          float(np.hypot(down, right).flat[peak]), float(np.abs(spread)))


def _ratio(part, total, if_nothing):
  nonzero = total > 0
  return np.where(nonzero, part / np.where(nonzero, total, 1), if_nothing)


# --- Columns ------------------------------------------------------------------


class Difference(NamedTuple):
  """The difference between columns and its significance."""

  value: float  # largest minus smallest mean of a column
  p_value: float


def permutation_test(values: np.ndarray, permutations: int = PERMUTATIONS,
                     seed: int = 0) -> Difference | None:
  """Tests whether columns differ in the mean of a measure.

  Under the null hypothesis that the columns do not differ, the assignment of
  kernels to columns is arbitrary. The kernels are assigned to the columns at
  random many times, and the p-value is the share of assignments, the real one
  included, whose difference between the column means is at least as large. The
  test is symmetric in the columns, since their order is random in the paper too
  ("modulo a renumbering of the GPUs").

  Args:
    values: the measure of each kernel [K, C].
    permutations: number of random assignments.
    seed: seed of the random assignments.

  Returns:
    The difference and its p-value, or None for a single column.
  """
  if len(values) == 1:
    return None
  value = np.ptp(values.mean(-1))
  draw = np.random.default_rng(seed)
  dealt = draw.permuted(
      np.tile(values.ravel(), (permutations, 1)), axis=1).reshape(
          permutations, *values.shape)
  apart = np.ptp(dealt.mean(-1), axis=-1)
  as_far = (apart >= value - 1e-12).sum()  # tolerance for rounding
  return Difference(float(value), float((1 + as_far) / (1 + permutations)))


def combine_p_values(p_values: Sequence[float]) -> float:
  """Combines the p-values of independent runs into one (Fisher's method).

  Minus twice the sum of their logarithms has a chi-squared distribution with
  two degrees of freedom for each run, whose upper tail is a finite sum.
  """
  total = -sum(map(math.log, p_values))
  return math.exp(-total) * sum(
      total ** i / math.factorial(i) for i in range(len(p_values)))


# --- All of it ----------------------------------------------------------------


def measure(kernels: np.ndarray) -> dict[str, Any]:
  """Returns all measurements of kernels [K, C, h, w, 3], ready for JSON.

  Each kernel has the measurements of this file. Kernels that differ from
  random numbers are 'learned'; those that also have an orientation are
  'oriented'. Each column has its mean colorfulness, its shares of learned and
  of oriented kernels, and the mean frequency of its oriented kernels.
  """
  noise = measure_noise(*kernels.shape[2:4])
  wave = preferred_wave(kernels)
  learned = has_learned(kernels)
  each = {
      'colorfulness': colorfulness(kernels),
      'orientation_degrees': wave.orientation,
      'cycles_per_pixel': wave.frequency,
      'orientedness': wave.orientedness,
      'structure': structure(kernels),
      'energy': energy(kernels),
      'learned': learned,
      'oriented': learned & (wave.orientedness > ORIENTED),
  }
  difference = permutation_test(
      each['colorfulness'], PERMUTATIONS)
  return {
      'size': list(kernels.shape[2:4]),
      'random_kernels': {'colorfulness': noise.colorfulness,
                         'stddev': noise.colorfulness_stddev},
      'difference': difference and {**difference._asdict(),
                                    'permutations': PERMUTATIONS},
      'columns': [_column({name: values[k] for name, values in each.items()})
                  for k in range(len(kernels))],
      'kernels': [{'column': k + 1, 'kernel': c + 1,
                   **{name: values[k, c].item()
                      for name, values in each.items()}}
                  for k in range(kernels.shape[0])
                  for c in range(kernels.shape[1])],
  }


def _column(each):
  oriented = each['oriented']
  frequencies = each['cycles_per_pixel'][oriented]
  return {
      'kernels': len(oriented),
      'mean_colorfulness': float(each['colorfulness'].mean()),
      'learned': float(each['learned'].mean()),
      'oriented': float(oriented.mean()),
      'mean_cycles_per_pixel': (
          float(frequencies.mean()) if oriented.any() else None),
  }
