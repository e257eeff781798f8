"""Section 4.1 on the device: crops, flips, colors, and ten views."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alexnet_jax.learning import augment, step
from alexnet_jax.network import placement, rng

# The 2014 file's statistics: deviations, and a direction in each column.
STDDEVS = np.float32([19.72083305, 37.09388853, 121.78006099])
DIRECTIONS = np.float32([
    [0.41795513, -0.71257945, -0.56351045],
    [-0.81698062, -0.02354167, -0.57618440],
    [0.39731118, 0.70119634, -0.59200296]])


def statistics(side=4):
  return augment.PixelStats(jnp.zeros((side, side, 3)), jnp.asarray(DIRECTIONS),
                        jnp.asarray(STDDEVS))


def ruler(side):
  """An image [S, S, 3] whose pixels are (y, x, 0)."""
  y, x = np.mgrid[:side, :side]
  return np.stack([y, x, 0 * x], -1).astype(np.uint8)


def keys(count, shared_by=1):
  return rng.per_example(rng.stream(0, 'crop', 3), count, shared_by)


def cuts(patches):
  """(y, x, flipped) of patches that were cut out of rulers."""
  patches = np.asarray(patches).astype(int)
  left, right = patches[:, 0, 0, 1], patches[:, 0, -1, 1]
  return np.stack([patches[:, 0, 0, 0], np.minimum(left, right),
                   left > right], -1)


def many_cuts(side, size, count, **fields):
  """Cuts of `count` crops, of which only the upper corners are kept."""
  image = jnp.asarray(ruler(side))[None]

  def one(key):
    patch = augment.crop_and_flip(image, key[None], size, **fields)
    return patch[0, :1, :: size - 1]

  return cuts(jax.jit(lambda keys: jax.lax.map(one, keys))(keys(count)))


# --- Crops and flips ----------------------------------------------------------


def test_a_patch_is_a_piece_of_its_image_or_its_reflection():
  images = np.random.default_rng(0).integers(0, 256, (8, 20, 20, 3), np.uint8)
  images[..., :2] = ruler(20)[..., :2]
  patches = augment.crop_and_flip(jnp.asarray(images), keys(8), 13)
  assert patches.dtype == jnp.uint8
  for image, patch, (y, x, flipped) in zip(
      images, patches, cuts(patches), strict=True):
    piece = image[y : y + 13, x : x + 13]
    np.testing.assert_array_equal(patch, piece[:, ::-1] if flipped else piece)


def test_crops_of_256_reach_offsets_0_and_32():
  y, x, flipped = many_cuts(256, 224, 300).T
  for offsets in (y, x):
    assert offsets.min() == 0 and offsets.max() == 32
  assert {0, 1} == set(flipped)


def test_offsets_are_uniform_and_independent_and_half_are_flipped():
  y, x, flipped = many_cuts(40, 8, 6600).T  # 33 offsets, as with 256 and 224
  for offsets in (y, x):
    counts = np.bincount(offsets, minlength=33)
    assert len(counts) == 33
    # Chi square with 32 degrees of freedom: 72 is passed once in 15,000.
    assert (np.square(counts - 200) / 200).sum() < 72
  assert abs(flipped.mean() - 0.5) < 0.025
  correlations = np.corrcoef([y, x, flipped]) - np.eye(3)
  assert np.abs(correlations).max() < 0.05


def test_thirty_two_neighbors_can_share_one_crop_and_flip():
  images = jnp.broadcast_to(jnp.asarray(ruler(40)), (128, 40, 40, 3))
  shared = cuts(augment.crop_and_flip(images, keys(128, 32), 8))
  assert len(np.unique(shared, axis=0)) == 4
  np.testing.assert_array_equal(shared, np.repeat(shared[::32], 32, axis=0))
  own = cuts(augment.crop_and_flip(images, keys(128), 8))
  assert len(np.unique(own, axis=0)) > 100


def test_without_crops_and_flips_the_patch_is_the_center():
  fields = {'random_crops': False, 'flips': False}
  np.testing.assert_array_equal(many_cuts(256, 224, 4, **fields),
                                [(16, 16, 0)] * 4)


def test_crops_and_flips_are_switched_apart():
  y, x, flipped = many_cuts(40, 8, 64, random_crops=False).T
  assert set(y) == set(x) == {16} and set(flipped) == {0, 1}
  y, x, flipped = many_cuts(40, 8, 64, flips=False).T
  assert len(set(y)) > 10 and set(flipped) == {0}


# --- Colors ------------------------------------------------------------------


def shifts(draws, **fields):
  """What the jitter adds to black patches: [N, 3]."""
  draws = jnp.float32(draws)
  return np.asarray(augment.pca_jitter(
      jnp.zeros((len(draws), 2, 2, 3)), draws, statistics(), 0.1, **fields))


def test_colors_shift_by_the_numbers_of_2012():
  ours = shifts(np.eye(3), rescale=True)
  expected = [[0.74931121, -1.46468531, 0.71230068],
              [-2.40294024, -0.07938655, 2.36455444],
              [-6.23857609, -6.37888831, -6.55401423]]
  for image, shift in zip(ours, expected, strict=True):
    np.testing.assert_allclose(
        image, np.broadcast_to(shift, (2, 2, 3)), rtol=1e-5)
  rms = np.sqrt(np.square(ours[:, 0, 0]).sum(0))
  np.testing.assert_allclose(rms, [6.727, 6.545, 7.004], atol=5e-4)


def test_without_rescaling_colors_shift_by_a_tenth_more():
  np.testing.assert_allclose(
      shifts(np.eye(3)), 1.1 * shifts(np.eye(3), rescale=True), rtol=1e-5)


def test_rescaling_divides_the_image_too():
  patches = jnp.full((1, 2, 2, 3), 11.0)
  ours = augment.pca_jitter(patches, jnp.zeros((1, 3)), statistics(), 0.1,
                            rescale=True)
  np.testing.assert_allclose(ours, 10, rtol=1e-6)


def test_the_printed_form_multiplies_by_eigenvalues_of_pixels_up_to_one():
  ours = shifts(np.eye(3), scale='eigenvalue')[:, 0, 0]
  eigenvalues = np.array([0.005981, 0.021160, 0.228072])
  np.testing.assert_allclose(
      ours, 255 * 0.1 * eigenvalues[:, None] * DIRECTIONS.T, rtol=1e-4)


def test_no_strength_leaves_colors_alone():
  patches = jax.random.normal(jax.random.key(0), (2, 3, 3, 3))
  ours = augment.pca_jitter(patches, jnp.ones((2, 3)), statistics(), 0.0,
                            rescale=True)
  np.testing.assert_array_equal(ours, patches)


def test_principal_components_come_back_out_of_a_covariance():
  covariance = DIRECTIONS @ np.diag(STDDEVS**2) @ DIRECTIONS.T
  ours = augment.pixel_stats(np.zeros((4, 4, 3)), covariance)
  np.testing.assert_allclose(ours.stddevs, STDDEVS, rtol=1e-4)
  alignment = np.abs(ours.directions.T @ DIRECTIONS)
  np.testing.assert_allclose(alignment, np.eye(3), atol=1e-3)
  assert all(leaf.dtype == np.float32 for leaf in ours)


def test_a_grey_training_set_has_no_colors_to_shift():
  covariance = np.full((3, 3), 100.0)  # two variances are zero, or just below
  ours = augment.pixel_stats(np.zeros((4, 4, 3)), covariance)
  np.testing.assert_allclose(ours.stddevs, [0, 0, np.sqrt(300)], atol=1e-3)


# --- The mean image -----------------------------------------------------------


def test_the_centre_of_the_mean_image_is_subtracted_from_every_patch():
  mean = np.random.default_rng(0).uniform(90, 140, (10, 10, 3))
  pixels = statistics()._replace(mean=jnp.float32(mean))
  patches = jnp.full((2, 6, 6, 3), 200, jnp.uint8)
  ours = augment.subtract_mean(patches, pixels)
  assert ours.dtype == jnp.float32
  for patch in ours:
    np.testing.assert_allclose(patch, 200 - mean[2:8, 2:8], rtol=1e-5)


# --- Views --------------------------------------------------------------------


def test_ten_views_come_in_the_order_of_the_program():
  five = [(0, 0), (0, 32), (16, 16), (32, 0), (32, 32)]
  expected = [(y, x, flip) for flip in (0, 1) for y, x in five]
  np.testing.assert_array_equal(augment.test_crops(256, 224, 10), expected)


def test_one_view_is_the_center():
  np.testing.assert_array_equal(augment.test_crops(256, 224, 1), [(16, 16, 0)])


def test_nine_views_are_three_by_three_without_reflections():
  np.testing.assert_array_equal(
      augment.test_crops(32, 24, 9),
      [(y, x, 0) for y in (0, 4, 8) for x in (0, 4, 8)])


def test_a_view_is_a_slice_or_its_reflection():
  images = np.random.default_rng(0).integers(0, 256, (2, 20, 20, 3), np.uint8)
  cut = jax.jit(lambda view: augment.cut_crop(jnp.asarray(images), view, 13))
  for y, x, flip in augment.test_crops(20, 13, 10):
    piece = images[:, y : y + 13, x : x + 13]
    np.testing.assert_array_equal(
        cut(jnp.asarray([y, x, flip])), piece[:, :, ::-1] if flip else piece)


# --- A whole batch ------------------------------------------------------------


def patches_on(mesh, epoch=1, **fields):
  images = np.random.default_rng(0).integers(0, 256, (8, 20, 20, 3), np.uint8)
  augmentation = augment.Augmentation(**{
      'crop': 13, 'random_crops': True, 'flips': True, 'share_crops': 1,
      'jitter': 0.1, 'jitter_scale': 'stddev', 'jitter_rescale': True,
      'jitter_until': 0} | fields)
  home = placement.batch_sharding(mesh)
  return np.asarray(jax.jit(
      lambda images, epoch: step.augment_batch(
          images, statistics(20), augmentation, epoch, mesh, keys(8),
          rng.per_example(rng.stream(0, 'jitter', 3), 8)))(
              jax.device_put(images, home), jnp.int32(epoch)))


@pytest.mark.slow
def test_patches_do_not_depend_on_the_mesh(mesh_of):
  cut, colored = (patches_on(mesh_of(1, 1), jitter=jitter)
                   for jitter in (0.0, 0.1))
  for shape in ((2, 2), (4, 1)):
    mesh = mesh_of(*shape)
    np.testing.assert_array_equal(patches_on(mesh, jitter=0.0), cut)
    np.testing.assert_allclose(patches_on(mesh), colored, atol=1e-5)


def test_every_image_gets_colors_of_its_own(mesh_of):
  plain = patches_on(mesh_of(1, 1), jitter=0.0)
  shifts = 1.1 * patches_on(mesh_of(1, 1)) - plain
  assert np.ptp(shifts, axis=(1, 2)).max() < 1e-3
  assert len(np.unique(shifts[:, 0, 0].round(2), axis=0)) == 8


@pytest.mark.slow
@pytest.mark.parametrize('epoch, plain', [(66, False), (67, True)])
def test_jitter_stops_at_its_epoch(mesh_of, epoch, plain):
  ours = patches_on(mesh_of(1, 1), epoch, jitter_until=67)
  without = patches_on(mesh_of(1, 1), jitter=0.0)
  assert np.array_equal(ours, without) == plain


def test_padding_is_the_mean_image_and_crops_reach_into_it():
  images = np.full((64, 8, 8, 3), 200, np.uint8)
  stats = augment.PixelStats(jnp.full((8, 8, 3), 150.0), jnp.eye(3),
                             jnp.ones(3))
  a = augment.Augmentation(8, True, True, 1, 0.0, 'stddev', False, 0, pad=2)
  patches = np.asarray(step.augment_batch(
      jnp.asarray(images), stats, a, jnp.int32(1),
      placement.make_mesh(1, 1, 1), keys(64), keys(64)))
  assert patches.shape == (64, 8, 8, 3)
  assert set(np.unique(patches)) == {0.0, 50.0}
  # Of 5 x 5 places, the central one alone has no padding.
  heights = (patches[:, :, :, 0] != 0).any(2).sum(1)
  assert set(heights.tolist()) == {6, 7, 8}
