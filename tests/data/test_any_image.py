"""Images in the forms in which programs have them."""

import io
import pathlib

import cv2
import numpy as np
import pytest
from PIL import Image

from alexnet_jax.data import any_image, images
from alexnet_jax.errors import InputError


def picture(height=20, width=30):
  return np.random.default_rng(0).integers(
      0, 256, (height, width, 3)).astype(np.uint8)


def test_every_form_of_a_picture_has_the_same_pixels(tmp_path):
  pixels, path = picture(), tmp_path / 'a.png'
  Image.fromarray(pixels).save(path)
  for form in (str(path), pathlib.Path(path), path.read_bytes(), pixels,
               Image.open(path), Image.fromarray(pixels)):
    np.testing.assert_array_equal(any_image.read(form), pixels)
    assert any_image.is_one(form)


def test_a_jpeg_has_the_same_pixels_by_name_and_by_pillow(tmp_path):
  path = str(tmp_path / 'a.jpg')
  cv2.imwrite(path, cv2.GaussianBlur(picture(90, 70), (9, 9), 3))
  with Image.open(path) as opened:
    np.testing.assert_array_equal(
        any_image.read(opened), any_image.read(path))


def test_gray_transparent_and_turned_pictures_become_upright_rgb():
  gray = picture()[..., 0]
  for form in (gray, gray[..., None], Image.fromarray(gray)):
    np.testing.assert_array_equal(
        any_image.read(form), np.repeat(gray[..., None], 3, 2))
  clear = np.dstack([picture(), np.zeros((20, 30), np.uint8)])
  for form in (clear, Image.fromarray(clear)):
    assert (any_image.read(form) == 255).all()  # on white
  turned, exif = Image.fromarray(picture()), Image.Exif()
  exif[0x0112] = 6
  file = io.BytesIO()
  turned.save(file, 'PNG', exif=exif)
  assert any_image.read(Image.open(file)).shape == (30, 20, 3)


def test_several_images_are_not_one():
  for several in ([], (), [picture()], iter([]), picture()[None], {'a.png'}):
    assert not any_image.is_one(several)


@pytest.mark.parametrize('form, sentence', [
    (picture() / 255, r'an array of float64 \[20, 30, 3\] is no image: give a'
     ' file name, .* a uint8 array'),
    (picture()[:, :, :2], r'an array of uint8 \[20, 30, 2\] is no image'),
    (picture()[:0], r'an array of uint8 \[0, 30, 3\] is no image'),
    (np.uint8(3), r'an array of uint8 \[\] is no image'),
    (3, 'int is no image: give a file name'),
    (None, 'NoneType is no image'),
    (b'no picture', 'the picture cannot be read as a picture'),
    ('nowhere.png', 'nowhere.png cannot be read'),
    (Image.new('F', (4, 4)), 'the PIL image cannot be read .*mode RGB')])
def test_what_is_no_image_is_refused(form, sentence):
  with pytest.raises(InputError, match=sentence):
    any_image.read(form)


def test_a_bad_picture_stands_in_its_place_among_the_others(tmp_path):
  forms = [np.full((8, 8, 3), i, np.uint8) for i in range(40)]
  (tmp_path / '17.png').write_bytes(b'bad')
  forms[17] = str(tmp_path / '17.png')
  seen = list(any_image.read_squares(iter(forms), 8, threads=4, ahead=3))
  assert len(seen) == 40
  assert isinstance(seen[17], InputError) and '17.png' in str(seen[17])
  assert all((one == i).all() for i, one in enumerate(seen) if i != 17)


def test_a_generator_is_read_only_as_far_as_needed():
  asked = []

  def endless():
    while True:
      asked.append(1)
      yield picture()

  squares = any_image.read_squares(endless(), 8, ahead=4)
  assert next(squares).shape == next(squares).shape == (8, 8, 3)
  assert len(asked) <= 6
  squares.close()


def test_squares_are_those_of_a_picture_file(tmp_path):
  path = str(tmp_path / 'a.png')
  Image.fromarray(picture()).save(path)
  square, = any_image.read_squares([picture()], 12)
  np.testing.assert_array_equal(square, images.read_square(path, 12))
