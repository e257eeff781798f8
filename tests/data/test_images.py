import io

import cv2
import numpy as np
import pytest
from PIL import Image

from alexnet_jax.data import images
from alexnet_jax.errors import InputError


def test_a_jpeg_decodes_to_the_pixels_pillow_sees(jpeg):
  data = jpeg(width=33, height=20)
  image = images.decode(data)
  assert image.dtype == np.uint8 and image.shape == (20, 33, 3)
  expected = np.asarray(Image.open(io.BytesIO(data)), int)
  assert np.abs(image - expected).max() <= 2


@pytest.mark.parametrize('mode, kind', [
    ('L', 'JPEG'), ('CMYK', 'JPEG'), ('L', 'PNG'), ('RGBA', 'PNG'),
    ('P', 'GIF'), ('RGB', 'WEBP'), ('RGB', 'BMP'), ('RGB', 'TIFF'),
    ('LA', 'PNG'), ('1', 'PNG'), ('CMYK', 'TIFF')])
def test_every_mode_and_format_becomes_rgb(jpeg, mode, kind):
  image = images.decode(jpeg(3, mode=mode, format=kind))
  assert image.dtype == np.uint8 and image.shape == (70, 90, 3)
  if mode not in ('L', 'LA', '1'):
    plain = images.decode(jpeg(3))
    difference = np.abs(image.astype(int) - plain).mean()
    assert difference < 25, 'the colors are the same picture\'s'


def test_the_exif_orientation_is_applied(jpeg):
  exif = Image.Exif()
  exif[0x0112] = 6  # turn a quarter clockwise to see it upright
  upright = np.rot90(images.decode(jpeg()), -1)
  assert np.array_equal(images.decode(jpeg(exif=exif)), upright)


def test_pillow_takes_over_with_the_same_orientation(jpeg, monkeypatch):
  exif = Image.Exif()
  exif[0x0112] = 6
  data = jpeg(exif=exif)
  fast = images.decode(data)
  monkeypatch.setattr(images, '_decode_with_opencv', lambda data: None)
  patient = images.decode(data)
  assert patient.shape == fast.shape
  assert np.abs(patient.astype(int) - fast).max() <= 2


@pytest.mark.parametrize('length, reason', [
    (400, 'Truncated File Read'), (1500, 'image file is truncated'),
    (0, 'it is empty'),
    (1, 'its format is unknown')])
def test_an_unreadable_picture_is_named(jpeg, length, reason):
  with pytest.raises(InputError) as error:
    images.decode(jpeg()[:length], 'photos/cat.jpg')
  assert str(error.value).startswith(
      f'photos/cat.jpg cannot be read as a picture ({reason}')
  assert str(error.value).endswith(
      '); replace it with an intact JPEG or PNG, or remove it.')


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
  again = images.decode(images.encode_jpeg(image, quality=95))
  assert np.abs(again.astype(int) - image).max() <= 4


def test_exact_encoding_loses_nothing():
  image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
  assert np.array_equal(images.decode(images.encode_png(image)), image)


def test_a_warped_picture_is_whole_and_has_lost_its_shape():
  image = np.zeros((40, 80, 3), np.uint8)
  image[:, :40] = 200
  warped = images.square(image, 20, 'warp')
  assert warped.shape == (20, 20, 3)
  assert (warped[:, :9] == 200).all() and (warped[:, 11:] == 0).all()
  assert np.array_equal(images.square(warped, 20, 'warp'), warped)
