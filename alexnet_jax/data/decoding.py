"""Decodes picture files of any common format to uint8 RGB [H, W, 3]."""

import importlib
import io
import re
import warnings

import cv2
import numpy as np
import simplejpeg
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError, features

from alexnet_jax.errors import InputError, printable

# Callers decode several images in parallel, so OpenCV's own threads would only
# compete with theirs.
cv2.setNumThreads(1)
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
# No warnings for pictures that are unusual but readable.
warnings.filterwarnings('ignore', module='PIL')

# Cameras store 10 to 14 bits in 16-bit files, where nothing says so.
LEAST_16_BIT_WHITE = 2**14

# What Pillow reads if it was built so, by the name of its feature.
_CODECS = {'webp': ('.webp',), 'avif': ('.avif',), 'jpg_2000': ('.jp2', '.j2k')}
# What Pillow reads with another package, by the name of its module.
_PLUGINS = {'pillow_heif': ('.heic', '.heif', '.hif'), 'pillow_jxl': ('.jxl',)}
# How to install it, by the ending of the pictures.
INSTALL = {
    **dict.fromkeys(_PLUGINS['pillow_heif'],
                    '`pip install pillow-heif` (the extra `heif`)'),
    **dict.fromkeys(_PLUGINS['pillow_jxl'],
                    '`pip install pillow-jxl-plugin` (the extra `jxl`)')}
# The HEIC brands, stored in bytes 8 to 11 of the file.
_HEIF_BRANDS = (b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1',
                b'msf1')
_JXL_SIGNATURES = (b'\xff\x0a', b'\0\0\0\x0cJXL \r\n\x87\n')
_JPEG_SIGNATURE = b'\xff\xd8'


def _readable_extensions() -> tuple[str, ...]:
  """Returns the picture extensions; registers the plugins with Pillow."""
  extensions = ['.jpg', '.jpeg', '.jpe', '.jfif', '.png', '.bmp', '.dib',
                '.tif', '.tiff', '.gif', '.ppm', '.pgm', '.pbm', '.pnm']
  for codec, more in _CODECS.items():
    if features.check(codec):
      extensions += more
  for plugin, more in _PLUGINS.items():
    try:
      module = importlib.import_module(plugin)
    except ImportError:
      continue
    if plugin == 'pillow_heif':  # pillow_jxl registers itself
      module.register_heif_opener()
    extensions += more
  return tuple(extensions)


EXTENSIONS = _readable_extensions()


class UnreadablePicture(InputError):
  """A picture is damaged, missing or of an unknown kind.

  Attributes:
    name: the path or another name of the picture.
    reason: what is wrong with it.
    advice: what to do about it.
    purpose: ' as a picture', or '' if it cannot be read at all.
  """

  def __init__(self, name: str, reason: str, advice: str =
               'replace it with an intact JPEG or PNG, or remove it',
               purpose: str = ' as a picture'):
    super().__init__(name, reason, advice, purpose)  # what pickle passes again
    self.name, self.reason = name, reason
    self.advice, self.purpose = advice, purpose

  def __str__(self) -> str:
    return (f'{printable(self.name)} cannot be read{self.purpose}'
            f' ({printable(self.reason)}); {self.advice}.')


def read(path: str) -> np.ndarray:
  """Reads a picture file as upright uint8 RGB [H, W, 3]: see `decode`.

  Raises:
    UnreadablePicture: the file cannot be opened or is not a readable picture.
  """
  return decode(read_file(path), path)


def read_file(path: str) -> bytes:
  """Returns the contents of a picture file.

  Raises:
    UnreadablePicture: the file cannot be opened.
  """
  try:
    with open(path, 'rb') as file:
      return file.read()
  except OSError as error:
    raise UnreadablePicture(
        path, f'{error.strerror}',
        'check that the file is still there and may be read',
        purpose='') from error


def decode(data: bytes, name: str = 'the picture') -> np.ndarray:
  """Decodes any common picture format to upright uint8 RGB [H, W, 3].

  Gray, CMYK, LAB and palette pictures are converted to RGB, and 16-bit values
  to 8 bits. Transparent pixels are blended with white. The first frame of an
  animation is used. The EXIF orientation is applied.

  Args:
    data: contents of a picture file of one of the kinds in `EXTENSIONS`.
    name: the name of the picture in error messages.

  Raises:
    UnreadablePicture: the picture is damaged, is of an unknown kind, has more
      than 179 million pixels (Pillow's limit), or has values for which no
      white level is defined: 32-bit numbers, or fewer than 15 bits in 16.
  """
  # Decoders can raise almost any exception on damaged files.
  try:
    image = None
    if data.startswith(_JPEG_SIGNATURE):
      image = _decode_jpeg(data)
    return _decode_with_pillow(data) if image is None else image
  except InputError:
    raise
  except Exception as error:
    raise _unreadable(data, name, error) from error


def max_pixels() -> float:
  """Returns the largest number of pixels that Pillow decodes."""
  return 2 * (Image.MAX_IMAGE_PIXELS or np.inf)


def _unreadable(data: bytes, name: str, error: Exception) -> UnreadablePicture:
  """Describes an exception of a decoder."""
  if isinstance(error, UnidentifiedImageError):
    if not data:
      return UnreadablePicture(name, 'it is empty')
    heif = data[4:8] == b'ftyp' and data[8:12] in _HEIF_BRANDS
    for matches, kind, ending in (
        (heif, 'HEIC', '.heic'),
        (data.startswith(_JXL_SIGNATURES), 'JPEG XL', '.jxl')):
      if matches and ending not in EXTENSIONS:
        return UnreadablePicture(
            name, f'Pillow cannot read {kind} by itself',
            f'run {INSTALL[ending]} or convert the picture to JPEG')
    return UnreadablePicture(name, 'its format is unknown')
  if isinstance(error, Image.DecompressionBombError):
    return UnreadablePicture(
        name, f'it has more than {max_pixels():,.0f} pixels')
  return UnreadablePicture(name, f'{error}' or type(error).__name__)


def _decode_jpeg(data: bytes) -> np.ndarray | None:
  """Decodes a JPEG; None if Pillow has to, or has to say what is wrong.

  Pillow and OpenCV return the same pixels, but pass over damage of which
  libjpeg-turbo only warns, and leave the rest of the picture gray.
  """
  try:
    height, width, color, _ = simplejpeg.decode_jpeg_header(data, strict=False)
    if int(height) * int(width) > max_pixels():
      raise Image.DecompressionBombError
    cmyk = color in ('CMYK', 'YCCK')
    image = simplejpeg.decode_jpeg(data, 'CMYK' if cmyk else 'RGB')
  except (ValueError, KeyError) as error:  # of damaged headers
    if _is_damage(f'{error}', data):
      raise
    return None
  if cmyk:
    return _decode_with_opencv(data)
  return _upright(image, data) if b'Exif\0' in data[:2**16] else image


def _is_damage(warning: str, data: bytes) -> bool:
  """Returns whether pixels are wrong if libjpeg-turbo gives this warning."""
  padding = re.search(r'(\d+) extraneous bytes before marker 0xd9', warning)
  if padding:  # Some cameras fill up the file in front of its last two bytes.
    return not data[:data.rfind(b'\xff\xd9')].endswith(bytes(int(padding[1])))
  return warning.startswith(('Corrupt JPEG data', 'Inconsistent progression'))


def _upright(image: np.ndarray, data: bytes) -> np.ndarray:
  """Applies the EXIF orientation, 1 to 8, of a JPEG."""
  with Image.open(io.BytesIO(data)) as picture:
    orientation = picture.getexif().get(ExifTags.Base.Orientation)
  if orientation in (5, 6, 7, 8):
    image = image.transpose(1, 0, 2)
  if orientation in (2, 3, 6, 7):
    image = image[:, ::-1]
  if orientation in (3, 4, 7, 8):
    image = image[::-1]
  return np.ascontiguousarray(image)


def _decode_with_opencv(data: bytes) -> np.ndarray | None:
  return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)


def from_pillow(picture: Image.Image) -> np.ndarray:
  """Converts an open picture of any mode to upright uint8 RGB [H, W, 3].

  Raises:
    UnreadablePicture: it cannot be decoded or has no white level.
  """
  try:
    return _pixels(picture, _is_deep(picture))
  except Exception as error:  # as in `decode`
    raise UnreadablePicture(
        'the PIL image', f'{error}' or type(error).__name__,
        'give another, or convert it to mode RGB') from error


def _decode_with_pillow(data: bytes) -> np.ndarray:
  with Image.open(io.BytesIO(data)) as picture:
    deep = _is_deep(picture)
    plain = (picture.mode in ('RGB', 'L') and not deep
             and not picture.has_transparency_data)
    if plain and picture.format in ('PNG', 'JPEG2000'):
      # Faster; and Pillow turns white of a JPEG 2000 of 16 bits into black.
      image = _decode_with_opencv(data)
      if image is not None:
        return image
    return _pixels(picture, deep)


def _is_deep(picture: Image.Image) -> bool:
  """Returns whether the picture, which is not yet decoded, has 16 bits."""
  return picture.mode.startswith('I;16') or any(
      ';16' in f'{tile.args}' for tile in getattr(picture, 'tile', ()))


def _pixels(picture: Image.Image, deep: bool) -> np.ndarray:
  # Integers of a PNM file are scaled to 16 bits by Pillow.
  if picture.mode == 'F' or (picture.mode == 'I' and picture.format != 'PPM'):
    raise ValueError('no white level is defined for its 32-bit numbers')
  image = _to_rgb(ImageOps.exif_transpose(picture))
  # Of 16 bits the upper eight are left.
  if deep and image.max() < LEAST_16_BIT_WHITE >> 8:
    raise ValueError(f'its 16-bit values are all below {LEAST_16_BIT_WHITE:,},'
                     ' so that its white level is not known')
  return image


def _to_rgb(picture: Image.Image) -> np.ndarray:
  if picture.mode.startswith('I'):  # 16 bits: Pillow would clip them at 255
    high = np.asarray(picture) >> 8
    picture = Image.fromarray(high.astype(np.uint8))
  if picture.has_transparency_data:
    picture = picture.convert('RGBA')
    white = Image.new('RGBA', picture.size, 'white')
    picture = Image.alpha_composite(white, picture)
  return np.array(picture.convert('RGB'))
