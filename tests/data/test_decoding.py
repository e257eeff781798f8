"""Pictures of every format, whole and damaged."""

import io
import pickle

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from alexnet_jax.data import decoding, images
from alexnet_jax.errors import InputError


def test_a_jpeg_decodes_to_the_pixels_pillow_sees(jpeg):
  data = jpeg(width=33, height=20)
  image = decoding.decode(data)
  assert image.dtype == np.uint8 and image.shape == (20, 33, 3)
  expected = np.asarray(Image.open(io.BytesIO(data)), int)
  assert np.abs(image - expected).max() <= 2


@pytest.mark.parametrize('mode, kind', [
    ('L', 'JPEG'), ('CMYK', 'JPEG'), ('L', 'PNG'), ('RGBA', 'PNG'),
    ('P', 'GIF'), ('RGB', 'WEBP'), ('RGB', 'BMP'), ('RGB', 'TIFF'),
    ('LA', 'PNG'), ('1', 'PNG'), ('CMYK', 'TIFF')])
def test_every_mode_and_format_becomes_rgb(jpeg, mode, kind):
  image = decoding.decode(jpeg(3, mode=mode, format=kind))
  assert image.dtype == np.uint8 and image.shape == (70, 90, 3)
  if mode not in ('L', 'LA', '1'):
    plain = decoding.decode(jpeg(3))
    difference = np.abs(image.astype(int) - plain).mean()
    assert difference < 25, 'the colors are the same picture\'s'


def test_the_exif_orientation_is_applied(jpeg):
  exif = Image.Exif()
  exif[0x0112] = 6  # turn a quarter clockwise to see it upright
  upright = np.rot90(decoding.decode(jpeg()), -1)
  assert np.array_equal(decoding.decode(jpeg(exif=exif)), upright)


def test_pillow_takes_over_with_the_same_orientation(jpeg, monkeypatch):
  exif = Image.Exif()
  exif[0x0112] = 6
  data = jpeg(exif=exif)
  fast = decoding.decode(data)
  monkeypatch.setattr(decoding, '_decode_jpeg', lambda data: None)
  patient = decoding.decode(data)
  assert patient.shape == fast.shape
  assert np.abs(patient.astype(int) - fast).max() <= 2


@pytest.mark.parametrize('length, reason', [
    (400, 'Truncated File Read'), (1500, 'image file is truncated'),
    (0, 'it is empty'),
    (1, 'its format is unknown')])
def test_an_unreadable_picture_is_named(jpeg, length, reason):
  with pytest.raises(InputError) as error:
    decoding.decode(jpeg()[:length], 'photos/cat.jpg')
  assert str(error.value).startswith(
      f'photos/cat.jpg cannot be read as a picture ({reason}')
  assert str(error.value).endswith(
      '); replace it with an intact JPEG or PNG, or remove it.')


# --- Damage -------------------------------------------------------------------


def _damaged_jpegs(jpeg):
  """Sound JPEGs and the same with something wrong in the middle."""
  for options in ({}, {'progressive': True}, {'restart_marker_blocks': 4},
                  {'mode': 'L'}, {'mode': 'CMYK'}):
    data = jpeg(width=300, height=200, **options)
    rng = np.random.default_rng(0)
    for start in range(len(data) // 2, len(data) - 700, len(data) // 9):
      yield options, data, data[:start] + rng.bytes(600) + data[start + 600:]
      yield options, data, data[:start] + data[start + 600:]
      yield options, data, data[:start]


def test_damage_in_the_middle_of_a_jpeg_is_reported(jpeg, capfd):
  count = 0
  for options, intact, damaged in _damaged_jpegs(jpeg):
    decoding.decode(intact)
    with pytest.raises(decoding.UnreadablePicture) as error:
      decoding.decode(damaged, 'cat.jpg')
    assert 'cat.jpg cannot be read as a picture' in str(error.value), options
    count += 1
  assert count >= 30
  assert capfd.readouterr().err == ''


def test_filled_up_jpegs_and_unknown_versions_are_intact(jpeg):
  data = jpeg()
  image = decoding.decode(data)
  for unusual in (data[:-2] + bytes(40) + data[-2:], data + b'more' * 99,
                  data.replace(b'JFIF\0\1\1', b'JFIF\0\7\1')):
    assert unusual != data
    assert np.array_equal(decoding.decode(unusual), image)


@pytest.mark.parametrize('kind', [
    'PNG', 'GIF', 'WEBP', 'TIFF', 'BMP', 'PPM', 'AVIF', 'JPEG2000'])
def test_half_a_picture_of_any_kind_is_refused(jpeg, kind):
  data = jpeg(format=kind)
  with pytest.raises(InputError, match='cannot be read as a picture'):
    decoding.decode(data[:len(data) // 2])


def test_a_jpeg_of_absurd_size_is_refused_before_it_is_decoded(jpeg):
  data = jpeg()
  size = data.index(b'\xff\xc0') + 5
  data = data[:size] + b'\xff\xdc\xff\xdc' + data[size + 4:]
  with pytest.raises(InputError, match='more than 178,956,970 pixels'):
    decoding.decode(data)


def test_what_is_wrong_survives_a_worker_process():
  error = decoding.UnreadablePicture('a.jpg', 'torn', 'mend it')
  again = pickle.loads(pickle.dumps(error))
  assert str(again) == str(error) == (
      'a.jpg cannot be read as a picture (torn); mend it.')
  assert (again.name, again.reason) == ('a.jpg', 'torn')


# --- Right pixels -------------------------------------------------------------


def _ramp(bits):
  """Gray values over all of so many bits: [60, 80]."""
  return np.linspace(0, 2**bits - 1, 60 * 80).reshape(60, 80).astype(np.uint16)


@pytest.mark.parametrize('extension', ['.png', '.tif', '.pgm', '.jp2'])
@pytest.mark.parametrize('color', [False, True])
def test_all_of_16_bits_become_8(extension, color):
  values = _ramp(16)
  if color:
    values = np.dstack([values, values[::-1], values[:, ::-1]])
    extension = extension.replace('.pgm', '.ppm')
  options = ((cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000)
             if extension == '.jp2' else ())
  data = cv2.imencode(extension, values, options)[1].tobytes()
  expected = values[..., ::-1] if color else np.dstack([values] * 3)
  difference = np.abs(decoding.decode(data).astype(int) - (expected >> 8))
  assert difference.max() <= 1


@pytest.mark.parametrize('bits', [8, 10, 12, 14])
@pytest.mark.parametrize('extension', ['.png', '.tif'])
@pytest.mark.parametrize('color', [False, True])
def test_fewer_bits_in_16_are_refused(bits, extension, color):
  values = _ramp(bits)
  data = cv2.imencode(
      extension, np.dstack([values] * 3) if color else values)[1].tobytes()
  with pytest.raises(InputError, match='16-bit values are all below 16,384'):
    decoding.decode(data)


@pytest.mark.parametrize('white', [31, 4095])
@pytest.mark.parametrize('kind, channels', [('P5', 1), ('P6', 3)])
def test_the_white_that_a_pnm_states_is_used(white, kind, channels):
  values = np.arange(32) * white // 31
  raw = np.repeat(values, channels).astype('>u2' if white > 255 else 'u1')
  data = f'{kind}\n32 1\n{white}\n'.encode() + raw.tobytes()
  expected = values * 255 / white
  assert np.abs(decoding.decode(data)[0] - expected[:, None]).max() <= 1


def test_lab_has_the_colors_of_rgb(jpeg):
  picture = Image.open(io.BytesIO(jpeg(format='PNG')))
  lab, rgb = ImageCms.createProfile('LAB'), ImageCms.createProfile('sRGB')
  file = io.BytesIO()
  ImageCms.profileToProfile(picture, rgb, lab, outputMode='LAB').save(
      file, 'TIFF')
  difference = np.abs(decoding.decode(file.getvalue()).astype(int) - picture)
  assert difference.mean() < 3


@pytest.mark.parametrize('mode', ['F', 'I'])
def test_numbers_of_32_bits_are_refused(jpeg, mode):
  with pytest.raises(InputError, match='no white level is defined'):
    decoding.decode(jpeg(mode=mode, format='TIFF'))


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'TIFF', 'AVIF'])
def test_any_kind_is_turned_as_by_pillow(jpeg, kind, orientation):
  exif = Image.Exif()
  exif[0x0112] = orientation
  data = jpeg(width=40, height=24, format=kind, exif=exif)
  with Image.open(io.BytesIO(data)) as picture:
    expected = np.asarray(ImageOps.exif_transpose(picture).convert('RGB'))
  assert np.array_equal(decoding.decode(data), expected)


# --- Endings ------------------------------------------------------------------


@pytest.mark.parametrize('ending', [
    'jpg', 'jpeg', 'jpe', 'jfif', 'png', 'bmp', 'dib', 'tif', 'tiff', 'gif',
    'webp', 'avif', 'ppm', 'pgm', 'pbm', 'pnm', 'jp2', 'j2k'])
def test_pictures_of_every_ending_are_read(ending, tmp_path, jpeg):
  assert f'.{ending}' in decoding.EXTENSIONS
  path = tmp_path / f'a.{ending}'
  picture = Image.open(io.BytesIO(jpeg(format='PNG')))
  picture.convert({'pgm': 'L', 'pbm': '1'}.get(ending, 'RGB')).save(path)
  assert images.read_square(str(path), 32).shape == (32, 32, 3)


def test_a_heic_picture_is_read_or_the_extra_is_named(tmp_path):
  head = b'\0\0\0\x18ftypheic' + bytes(40)
  if '.heic' not in decoding.EXTENSIONS:
    with pytest.raises(InputError, match=r'pip install pillow-heif.*`heif`'):
      decoding.decode(head)
    return
  path = tmp_path / 'a.heic'
  Image.new('RGB', (64, 48), (10, 200, 30)).save(path)
  assert np.abs(images.read_square(str(path), 32)
                - np.array([10, 200, 30])).max() <= 6


@pytest.mark.skipif('.jxl' in decoding.EXTENSIONS, reason='pillow_jxl is there')
def test_the_package_for_jpeg_xl_is_named():
  for head in (b'\xff\x0a', b'\0\0\0\x0cJXL \r\n\x87\n'):
    with pytest.raises(InputError, match='pip install pillow-jxl-plugin'):
      decoding.decode(head + bytes(40))
