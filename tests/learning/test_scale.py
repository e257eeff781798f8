"""Random scales before the crop, as VGG and ResNet are trained."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment, step
from alexnet_jax.network import placement, rng
from alexnet_jax.run import typed_config

SIDE, SIZE, COUNT = 24, 16, 200
MOST = 48


def keys(count=COUNT):
  return rng.per_example(rng.stream(0, 'crop', 3), count)


def ruler():
  """An image [S, S, 3] whose pixels are (8 y, 8 x, 0)."""
  y, x = 8 * np.mgrid[:SIDE, :SIDE]
  return np.stack([y, x, 0 * x], -1).astype(np.uint8)


@functools.partial(jax.jit, static_argnames=('scale', 'flips', 'random_crops'))
def compute(images, keys, scale, flips=True, random_crops=True):
  return augment.scaled_crop_and_flip(
      images, keys, SIZE, scale, flips=flips, random_crops=random_crops)


def cut(scale, count=COUNT, **fields):
  images = jnp.broadcast_to(jnp.asarray(ruler()), (count, SIDE, SIDE, 3))
  return np.asarray(compute(images, keys(count), scale, **fields))


@pytest.fixture(scope='module')
def patches():
  """Patches of a ruler at sides of 24 to 48 pixels."""
  return cut((SIDE, MOST))


def sides(patches):
  """The side that each ruler was resized to, from the steps of its middle."""
  return 8 * 4 * SIDE / (patches[:, 10, 8, 0] - patches[:, 6, 8, 0])


def test_sides_are_whole_and_uniform_with_both_ends(patches):
  found = sides(patches)
  np.testing.assert_allclose(found, np.round(found), rtol=1e-3)
  counts = np.bincount(np.round(found).astype(int))[SIDE:]
  assert counts.sum() == COUNT and len(counts) == MOST - SIDE + 1
  # Chi square with 24 degrees of freedom: 60 is passed once in 15,000.
  expected = COUNT / len(counts)
  assert (np.square(counts - expected) / expected).sum() < 60


def test_both_axes_have_the_same_scale_and_half_are_flipped(patches):
  across = 8 * 4 * SIDE / (patches[:, 8, 10, 1] - patches[:, 8, 6, 1])
  np.testing.assert_allclose(np.abs(across), sides(patches), rtol=1e-3)
  assert abs((across < 0).mean() - 0.5) < 5 * 0.5 / np.sqrt(COUNT)


def test_a_patch_is_inside_of_its_image_and_reaches_all_of_it(patches):
  middle = patches[:, 7:9, 7:9, :2].mean((1, 2)) / 8 + 0.5
  half = (SIZE / 2 * SIDE / sides(patches))[:, None]
  assert (middle > half - 0.1).all() and (middle < SIDE - half + 0.1).all()
  assert patches.min() < 2 and 8 * (SIDE - 1) - 2 < patches.max() < 184.01


def test_at_its_own_side_an_image_is_only_cropped():
  for patch in cut((SIDE, SIDE), 8, flips=False):
    y, x = np.round(patch[0, 0, :2] / 8).astype(int)
    np.testing.assert_allclose(
        patch, ruler()[y:y + SIZE, x:x + SIZE], atol=1e-3)
  center = cut((SIDE, SIDE), 2, flips=False, random_crops=False)
  np.testing.assert_allclose(center[0], ruler()[4:20, 4:20], atol=1e-3)


def test_at_half_the_side_four_pixels_are_averaged_along_each_axis():
  image = np.random.default_rng(0).integers(0, 256, (1, 32, 32, 3), np.uint8)
  half = compute(jnp.asarray(image), keys(1), (SIZE, SIZE), flips=False)
  tent = np.array([1, 3, 3, 1]) / 8  # the linear filter, twice as wide
  at = 2 * np.arange(1, 15) - 1
  x = image[0].astype(float)
  x = sum(weight * x[at + i] for i, weight in enumerate(tent))
  x = sum(weight * x[:, at + i] for i, weight in enumerate(tent))
  np.testing.assert_allclose(half[0, 1:-1, 1:-1], x, atol=0.01)


def test_the_field_turns_it_on():
  images = jnp.broadcast_to(jnp.asarray(ruler()), (8, SIDE, SIDE, 3))
  stats = augment.pixel_stats(np.full((SIDE, SIDE, 3), 7.0), np.eye(3))
  augmented = {}
  for scale in ((), (MOST, MOST)):
    a = typed_config.read(tiny.config({
        'augment.crop': SIZE, 'augment.jitter': 0.0,
        'augment.scale': scale})).augmentation
    augmented[scale] = np.asarray(jax.jit(
        lambda images, a=a: step.augment_batch(
            images, stats, a, jnp.int32(1), placement.make_mesh(1, 1, 2),
            keys(8), keys(8)))(images))
  # Neighbors differ by 8, or by 4 in a ruler of twice the size.
  for scale, expected in (((), 8), ((MOST, MOST), 4)):
    steps = np.diff(augmented[scale][:, 4:12, 8, 0], axis=1)
    np.testing.assert_allclose(steps, expected, rtol=1e-3)
    assert augmented[scale].shape == (8, SIZE, SIZE, 3)
    np.testing.assert_allclose(augmented[scale][..., 2], -7, atol=1e-5)


@pytest.mark.parametrize('scale', [(64,), (63, 128), (128, 64), (64, 80, 96)])
def test_a_range_that_cannot_work_is_refused(scale):
  with pytest.raises(InputError) as error:
    typed_config.read(tiny.config({'augment.scale': scale}))
  assert str(error.value) == (
      f'config.augment.scale={scale!r} is no range of sides that hold'
      ' config.augment.crop=64: give the shortest and the longest, such as (64,'
      ' 128), or () to leave it out.')
