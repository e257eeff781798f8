"""What people keep in their folders, as real files."""

import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from alexnet_jax.data import decoding, images, pictures
from alexnet_jax.errors import InputError

SIDE = 48


def colors():
  """A smooth square of many colors: uint8 [48, 48, 3]."""
  corners = np.random.default_rng(0).integers(0, 256, (3, 3, 3), np.uint8)
  return cv2.resize(corners, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def greys():
  return np.asarray(Image.fromarray(colors()).convert('L'))


def alpha():
  """From clear on the left to opaque on the right."""
  return np.tile(np.linspace(0, 255, SIDE).astype(np.uint8), (SIDE, 1))


def on_white(image):
  share = alpha()[..., None] / 255
  return image * share + 255 * (1 - share)


def three(gray):
  return np.repeat(gray[..., None], 3, axis=2)


def with_alpha(image):
  return np.dstack([image, alpha()])


def sixteen_bits(image):
  """Grey levels 0..255 as 0..65535, with something in the lower byte."""
  return image.astype(np.uint16) * 256 + 99


def save(path, array, mode='', **options):
  """By Pillow."""
  picture = Image.fromarray(array)
  (picture.convert(mode) if mode else picture).save(path, **options)


def write(path, array):
  """By OpenCV, which writes 16 bits a color; its order is BGR."""
  flipped = array if array.ndim == 2 else array[..., [2, 1, 0, 3][:
      array.shape[2]]]
  assert cv2.imwrite(str(path), flipped)


def keyed(path, mode):
  """A PNG of which one of the colors is declared clear; says which pixels."""
  picture = Image.fromarray(colors()).convert('RGB')
  picture = picture.quantize(8) if mode == 'P' else picture.convert(mode)
  key = picture.getpixel((0, 0))
  picture.save(path, transparency=key)
  clear = np.asarray(picture) == np.array(key)
  expected = np.array(picture.convert('RGB'))
  expected[clear.all(-1) if clear.ndim == 3 else clear] = 255
  return expected


# name of the file: (how it is written, what must be seen, gray levels off)
KINDS = {
    'rgb.jpg': (lambda p: save(p, colors(), quality=98), colors(), 12),
    'gray.jpg': (lambda p: save(p, greys(), quality=98), three(greys()), 6),
    'cmyk.jpg': (lambda p: save(p, colors(), 'CMYK', quality=98),
                 colors(), 12),
    'progressive.jpg': (lambda p: save(p, colors(), quality=98,
                                       progressive=True), colors(), 12),
    'rgb.png': (lambda p: save(p, colors()), colors(), 0),
    'gray.png': (lambda p: save(p, greys()), three(greys()), 0),
    'alpha.png': (lambda p: save(p, with_alpha(colors())),
                  on_white(colors()), 1),
    'grey_alpha.png': (lambda p: save(p, with_alpha(colors()), 'LA'),
                       on_white(three(greys())), 1),
    'rgb16.png': (lambda p: write(p, sixteen_bits(colors())), colors(), 0),
    'grey16.png': (lambda p: write(p, sixteen_bits(greys())),
                   three(greys()), 0),
    'alpha16.png': (lambda p: write(p, sixteen_bits(with_alpha(colors()))),
                    on_white(colors()), 1),
    'rgb16.tif': (lambda p: write(p, sixteen_bits(colors())), colors(), 1),
    'grey16.tif': (lambda p: write(p, sixteen_bits(greys())),
                   three(greys()), 0),
    'alpha.tif': (lambda p: save(p, with_alpha(colors())),
                  on_white(colors()), 1),
    'cmyk.tif': (lambda p: save(p, colors(), 'CMYK'), colors(), 0),
    'rgb.webp': (lambda p: save(p, colors(), lossless=True), colors(), 0),
    'alpha.webp': (lambda p: save(p, with_alpha(colors()), lossless=True,
                                  exact=True), on_white(colors()), 1),
    'rgb.bmp': (lambda p: save(p, colors()), colors(), 0),
    'two_colors.png': (lambda p: save(p, greys() > 128),
                        three(255 * (greys() > 128)), 0),
}
both_readers = pytest.mark.parametrize('reader', ['any', 'Pillow'])


def use_only_pillow(monkeypatch):
  monkeypatch.setattr(decoding, '_decode_jpeg', lambda data: None)
  monkeypatch.setattr(decoding, '_decode_with_opencv', lambda data: None)


@both_readers
@pytest.mark.parametrize('name', KINDS)
def test_every_kind_of_picture_is_seen_as_it_is(name, reader, tmp_path,
                                                monkeypatch):
  if reader == 'Pillow':
    use_only_pillow(monkeypatch)
  make, expected, off = KINDS[name]
  path = tmp_path / name
  make(path)
  seen = images.read_square(str(path), SIDE)
  assert seen.dtype == np.uint8 and seen.shape == (SIDE, SIDE, 3)
  assert np.abs(seen - np.asarray(expected, float)).max() <= off


@pytest.mark.parametrize('mode', ['P', 'L', 'RGB'])
def test_what_a_png_declares_clear_is_white(mode, tmp_path):
  path = str(tmp_path / 'keyed.png')
  expected = keyed(path, mode)
  assert (expected == 255).all(-1).any()
  assert np.array_equal(images.read_square(path, SIDE), expected)


def test_an_animation_shows_its_first_frame(tmp_path):
  path = str(tmp_path / 'moving.gif')
  frames = [Image.fromarray(np.full((SIDE, SIDE, 3), level, np.uint8))
            for level in (200, 0)]
  frames[0].save(path, save_all=True, append_images=frames[1:])
  assert (images.read_square(path, SIDE) == 200).all()


@both_readers
@pytest.mark.parametrize('extension', ['jpg', 'png', 'webp', 'tif'])
@pytest.mark.parametrize('orientation', range(1, 9))
def test_a_picture_stands_upright(extension, orientation, reader, tmp_path,
                                  monkeypatch):
  if reader == 'Pillow':
    use_only_pillow(monkeypatch)
  upright = colors()
  turned = np.rot90(upright, {3: 2, 4: 2, 5: 1, 6: 1, 7: 3, 8: 3}.get(
      orientation, 0))
  if orientation in (2, 4):
    turned = turned[:, ::-1]
  if orientation in (5, 7):
    turned = turned[::-1]
  path = str(tmp_path / f'turned.{extension}')
  exif = Image.Exif()
  exif[0x0112] = orientation
  Image.fromarray(turned).save(path, exif=exif, quality=98)
  difference = np.abs(images.read_square(path, SIDE) - upright.astype(float))
  assert difference.mean() < 3


@pytest.mark.parametrize('width, height', [
    (1, 1), (2, 1), (5000, 1), (1, 5000), (3, 3000), (2000, 7)])
def test_tiny_pictures_and_strips_become_squares(width, height, tmp_path):
  path = str(tmp_path / 'strip.png')
  Image.new('RGB', (width, height), (10, 200, 30)).save(path)
  seen = images.read_square(path, 256)
  assert seen.shape == (256, 256, 3) and (seen == (10, 200, 30)).all()


def test_a_strip_keeps_its_middle():
  strip = np.zeros((4, 4000, 3), np.uint8)
  strip[:, 1998:2002] = colors()[:4, :4]
  assert np.array_equal(images.square(strip, 4), strip[:, 1998:2002])


def test_a_huge_photograph_is_read(tmp_path):
  path = str(tmp_path / 'huge.jpg')
  cv2.imwrite(path, np.full((6000, 8000), 77, np.uint8))
  assert (images.read_square(path, 64) == 77).all()


def png_of(width, height):
  """The beginning of a PNG of that size, which is all that it takes."""
  def chunk(kind, data):
    return (struct.pack('>I', len(data)) + kind + data
            + struct.pack('>I', zlib.crc32(kind + data)))
  header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
  return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header)
          + chunk(b'IDAT', zlib.compress(bytes(1000))) + chunk(b'IEND', b''))


def photograph(tmp_path):
  save(tmp_path / 'whole.jpg', colors())
  return (tmp_path / 'whole.jpg').read_bytes()


@pytest.mark.parametrize('name, content, reason', [
    ('half.jpg', lambda path: photograph(path)[:-200], 'truncated'),
    ('empty.jpg', lambda path: b'', 'it is empty'),
    ('text.png', lambda path: b'no picture', 'its format is unknown'),
    ('bomb.png', lambda path: png_of(20_000, 20_000),
     'it has more than 178,956,970 pixels')])
def test_what_cannot_be_read_is_said_in_one_sentence(
    name, content, reason, tmp_path):
  path = tmp_path / name
  path.write_bytes(content(tmp_path))
  with pytest.raises(InputError) as error:
    images.read_square(str(path), SIDE)
  said = str(error.value)
  assert said.startswith(f'{path} cannot be read as a picture (')
  assert reason in said and '\n' not in said


@pytest.mark.parametrize('mode', ['F', 'I'])
def test_numbers_without_a_white_are_refused(mode, tmp_path):
  path = str(tmp_path / 'numbers.tif')
  Image.fromarray(greys()).convert(mode).save(path)
  with pytest.raises(
    InputError, match='no white level is defined for its 32-bit'
  ):
    images.read_square(path, SIDE)


def test_a_file_that_has_gone_is_said(tmp_path):
  with pytest.raises(InputError, match=r'gone.jpg cannot be read \(No such'):
    images.read_square(str(tmp_path / 'gone.jpg'), SIDE)


def test_files_come_as_given_and_folders_sorted(tree, tmp_path):
  folder = tree('b/2.jpg', 'b/deep/er/1.PNG', 'a.webp', '.hidden.jpg',
                '.git/x.jpg')
  (tmp_path / 'photos/notes.txt').write_text('')
  odd = tmp_path / 'scan'  # without an extension, but asked for
  odd.write_bytes((tmp_path / 'photos/a.webp').read_bytes())
  (tmp_path / 'photos/b/up').symlink_to(tmp_path / 'photos')
  assert pictures.find([str(odd), folder, f'{folder}/b/2.jpg']) == [
      str(odd), *(os.path.join(folder, name) for name in (
          'a.webp', 'b/2.jpg', 'b/deep/er/1.PNG')), f'{folder}/b/2.jpg']


def test_a_path_that_is_not_there_is_refused(tmp_path):
  with pytest.raises(InputError) as error:
    pictures.find([str(tmp_path / 'none.jpg')])
  assert str(error.value) == (
      f"there is no picture and no folder '{tmp_path}/none.jpg': give --images"
      ' files, or folders of pictures.')


def test_a_folder_without_pictures_is_refused(tmp_path):
  (tmp_path / 'notes.txt').write_text('')
  with pytest.raises(InputError, match='holds no pictures .*--images another'):
    pictures.find([str(tmp_path)])


def test_a_pipe_is_refused_and_not_opened(tmp_path):
  os.mkfifo(tmp_path / 'pipe.jpg')
  for path in (tmp_path / 'pipe.jpg', '/dev/null'):
    with pytest.raises(InputError, match='is a pipe or a device: give'):
      pictures.find([str(path)])


def test_what_a_folder_has_besides_is_reported(tree, tmp_path, capsys):
  root = tree('1.jpg')
  (tmp_path / 'photos/notes.txt').write_text('')
  os.mkfifo(tmp_path / 'photos/pipe.jpg')
  assert pictures.find([root]) == [f'{root}/1.jpg']
  assert capsys.readouterr().err == (
      f'Passed over (named pipe): {root}/pipe.jpg.\n'
      f'Passed over in {root}, as they are no pictures: 1 .txt.\n')


def test_a_heic_picture_names_the_package_that_reads_it(tmp_path, monkeypatch):
  monkeypatch.setattr(decoding, 'EXTENSIONS', ('.jpg',))
  path = tmp_path / 'photo.heic'
  path.write_bytes(b'\0\0\0\x18ftypheic\0\0\0\0heicmif1')
  with pytest.raises(InputError, match='pip install pillow-heif'):
    images.read_square(str(path), SIDE)
