"""Figure 3 in numbers: what first-layer kernels respond to, column by column.

Section 6.1: "The kernels on GPU 1 are largely color-agnostic, while the kernels
on GPU 2 are largely color-specific." The paper shows it and measures nothing;
the measures are ours. Kernels are [..., h, w, 3], or [K, C, h, w, 3] for the C
kernels of each of K columns.
"""

import math
from typing import NamedTuple

import numpy as np

# Zero padding makes the steps between frequencies this much finer than the
# kernel's own, 1 / size: a wave of 0.1 cycles per pixel in 11 pixels is found
# to about 2 degrees.
FINER = 16
# The expected flatness of the spectrum of random numbers: its values are
# exponentially distributed, whose geometric mean is exp(-Euler's constant)
# times their mean.
FLATNESS_OF_NOISE = math.exp(-np.euler_gamma)
# A kernel is oriented from here on: between what random kernels of 11 x 11
# reach (0.27 in 300) and what a straight edge has (0.55).
ORIENTED = 0.4


# --- Each kernel alone --------------------------------------------------------


def energy(kernels: np.ndarray) -> np.ndarray:
  """The sum of squares of each kernel: [..., h, w, 3] -> [...]."""
  return (kernels ** 2).sum((-3, -2, -1))


def colorfulness(kernels: np.ndarray) -> np.ndarray:
  """The share of energy off the gray axis: [..., h, w, 3] -> [...], 0 to 1.

  Each pixel's three weights are a vector; what lies along (1, 1, 1) / sqrt(3)
  is gray. 0 is a kernel that sees gray levels only, 1 one that sees only
  colors, such as red against green. The kernel's mean counts, since that is
  all that a blob of one color has. A kernel of zeros has 0.

  Random Gaussian kernels, so those of an untrained network, have 2/3: two of
  the three directions are colors. See `of_noise`.
  """
  gray = (kernels.sum(-1) ** 2).sum((-2, -1)) / 3
  return np.clip(1 - _ratio(gray, energy(kernels), 1.0), 0, 1)


def structure(kernels: np.ndarray) -> np.ndarray:
  """How far a kernel is from random numbers: [..., h, w, 3] -> [...].

  0 for random numbers (a little below or above it by chance), near 1 for a
  clean pattern, so that it tells a kernel that has learned from one that still
  is as it was drawn. The spectrum of random numbers is flat, a pattern puts its
  energy into a few frequencies: this is one minus the spectral flatness,
  geometric over arithmetic mean, relative to that of random numbers. A pattern
  with half of the energy, the rest random, has about 0.4.
  """
  spectrum = np.abs(np.fft.fft2(kernels, axes=(-3, -2))) ** 2
  mean = spectrum.mean((-3, -2, -1))
  # Rounding leaves about so much where there is nothing.
  floor = 1e-12 * mean[..., None, None, None] + np.finfo(np.float64).tiny
  geometric = np.exp(np.log(np.maximum(spectrum, floor)).mean((-3, -2, -1)))
  return 1 - _ratio(geometric, mean, FLATNESS_OF_NOISE) / FLATNESS_OF_NOISE


class Noise(NamedTuple):
  """What kernels of independent Gaussian numbers have."""

  colorfulness: float  # mean
  colorfulness_stddev: float  # from kernel to kernel
  structure_stddev: float  # around 0


def of_noise(height: int, width: int) -> Noise:
  """The same measures of random kernels [height, width, 3].

  Their colorfulness is Beta(n, n / 2) distributed with n = height * width. A
  spectrum has 3n / 2 values that are independent (the rest mirrors them); the
  variance of the logarithm of its flatness is (pi^2 / 6 - 1) over that.
  """
  n = height * width
  return Noise(2 / 3, math.sqrt(2 / 9 / (1.5 * n + 1)),
               math.sqrt((math.pi ** 2 / 6 - 1) / (1.5 * n)))


def has_learned(kernels: np.ndarray) -> np.ndarray:
  """Whether `structure` is beyond chance, three deviations: [...] of bool.

  At 11 x 11 that takes a pattern with about a third of the energy.
  """
  noise = of_noise(*kernels.shape[-3:-1])
  return structure(kernels) > 3 * noise.structure_stddev


class Wave(NamedTuple):
  """The wave that kernels prefer; each [...]."""

  orientation: np.ndarray  # degrees, 0 to 180
  frequency: np.ndarray  # cycles per pixel
  orientedness: np.ndarray  # 0 to 1


def preferred_wave(kernels: np.ndarray) -> Wave:
  """Orientation and frequency of the strongest wave in each kernel.

  Of the kernel seen in its strongest color (the direction in color space
  with most energy), less its mean, the peak of the Fourier transform.
  Orientation is that of the stripes, counter-clockwise as seen in the picture:
  0 lies, 90 stands, 45 rises to the right. Orientedness is one minus the
  circular variance of orientation, as physiologists use it (Ringach, Shapley
  and Hawken, J. Neuroscience 22, 2002): 1 if all energy is in one orientation,
  0 if it is spread evenly, as in a round blob.

  A single kernel of [1, 1, 3], or one without any variation, has no wave:
  frequency and orientedness are 0.
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
  seen = kernel @ strongest
  varies = seen - seen.mean()
  if (varies ** 2).sum() <= 1e-12 * (seen ** 2).sum():
    return 0.0, 0.0, 0.0
  size = FINER * max(height, width)
  power = np.abs(np.fft.fft2(varies, (size, size))) ** 2
  cycles = np.fft.fftfreq(size)
  down, right = np.meshgrid(cycles, cycles, indexing='ij')
  # Rows count downwards; stripes lie across the way that the wave travels.
  stripes = np.arctan2(-down, right) + np.pi / 2
  peak = np.argmax(power)
  spread = (power * np.exp(2j * stripes)).sum() / power.sum()
  return (float(np.degrees(stripes.flat[peak]) % 180),
          float(np.hypot(down, right).flat[peak]), float(np.abs(spread)))


def _ratio(part, whole, if_nothing):
  some = whole > 0
  return np.where(some, part / np.where(some, whole, 1), if_nothing)


# --- Columns ------------------------------------------------------------------


class Difference(NamedTuple):
  """How far columns are apart, and how often chance does as much."""

  value: float  # the largest mean of a column less the smallest
  p_value: float


def permutation_test(values: np.ndarray, permutations: int = 10_000,
                     seed: int = 0) -> Difference | None:
  """Do columns differ in the mean of something? [K, C] -> a p-value.

  If columns were alike, it would not matter which kernel stands in which: the
  kernels are dealt out to the columns again and again, and the p-value is the
  share of deals, the real one included, that set the columns' means at least
  as far apart. Which column is ahead does not matter, as it is left to chance
  in the paper too ("modulo a renumbering of the GPUs").

  Returns:
    None for a single column.
  """
  if len(values) == 1:
    return None
  value = np.ptp(values.mean(-1))
  draw = np.random.default_rng(seed)
  dealt = draw.permuted(
      np.tile(values.ravel(), (permutations, 1)), axis=1).reshape(
          permutations, *values.shape)
  apart = np.ptp(dealt.mean(-1), axis=-1)
  as_far = (apart >= value - 1e-12).sum()  # sums round in another order
  return Difference(float(value), float((1 + as_far) / (1 + permutations)))
