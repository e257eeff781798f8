"""From a picture of any shape to a square (section 2), and to a file."""

import cv2
import numpy as np
import pytest

from alexnet_jax.data import decoding, images


@pytest.mark.parametrize('height, width, expected', [
    (100, 150, (64, 96)), (150, 100, (96, 64)), (20, 30, (64, 96)),
    (333, 500, (64, 96))])
def test_the_shorter_side_gets_the_size(height, width, expected):
  image = np.zeros((height, width, 3), np.uint8)
  assert images.resize_shorter_side(image, 64).shape == (*expected, 3)


def test_shrinking_averages_areas():
  image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
  means = image.reshape(64, 4, 64, 4, 3).mean((1, 3))
  assert np.abs(images.square(image, 64) - means).max() <= 0.5


def test_growing_is_cubic():
  image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
  expected = cv2.resize(image, (64, 64), interpolation=cv2.INTER_CUBIC)
  assert np.array_equal(images.square(image, 64), expected)


def test_the_square_is_the_middle():
  image = np.zeros((64, 164, 3), np.uint8)
  image[:, 50:114] = 255
  assert (images.square(image, 64) == 255).all()


def test_an_image_of_the_right_size_is_untouched():
  image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
  assert np.array_equal(images.square(image, 64), image)


def test_encoding_keeps_colors_in_their_channels():
  image = np.zeros((16, 16, 3), np.uint8)
  image[..., 0] = 200
  again = decoding.decode(images.encode_jpeg(image, quality=95))
  assert np.abs(again.astype(int) - image).max() <= 4


def test_exact_encoding_loses_nothing():
  image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
  assert np.array_equal(decoding.decode(images.encode_png(image)), image)
