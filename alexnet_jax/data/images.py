"""Converts a picture file to a square image (section 2).

"We first rescaled the image such that the shorter side was of length 256, and
then cropped out the central 256 x 256 patch." The filters are those of the
author's later script: area averaging to shrink and cubic interpolation to
enlarge. Images are uint8 RGB [H, W, 3].
"""

import io
import warnings
from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from alexnet_jax.errors import InputError

# Callers decode several images in parallel, so OpenCV's own threads would only
# compete with theirs.
cv2.setNumThreads(1)
# Pillow is the fallback for files that OpenCV cannot read, and `decode` reports
# an error if both fail.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
# No warnings for pictures that are unusual but readable.
warnings.filterwarnings('ignore', module='PIL')

# A smaller JPEG cannot exceed Pillow's limit of 179 million pixels, because the
# format uses at least one bit for each 8 x 8 block.
SMALL_JPEG = 2**18  # bytes
# An image with a larger ratio is cropped before it is resized.
MAX_ASPECT_RATIO = 16


def _readable_extensions() -> tuple[str, ...]:
  """Returns the picture extensions; registers HEIC with Pillow if possible."""
  extensions = ('.jpg', '.jpeg', '.png', '.webp', '.bmp', '.tif', '.tiff',
                '.gif')
  try:
    # Optional: the extra `heif`.
    import pillow_heif
  except ImportError:
    return extensions
  pillow_heif.register_heif_opener()
  return (*extensions, '.heic', '.heif')


EXTENSIONS = _readable_extensions()
RESIZES = ('crop', 'warp')  # see `square`
# The HEIC brands, stored in bytes 8 to 11 of the file.
_HEIF_BRANDS = (b'heic', b'heix', b'heim', b'heis', b'hevc', b'hevx', b'mif1',
                b'msf1')


def read_square(path: str, size: int, resize: str = 'crop') -> np.ndarray:
  """Reads the central square of a picture: uint8 [size, size, 3] (section 2).

  Args:
    path: the file.
    size: side of the square in pixels.
    resize: see `square`.

  Raises:
    InputError: the file cannot be opened or is not a readable picture.
  """
  try:
    with open(path, 'rb') as file:
      data = file.read()
  except OSError as error:
    raise InputError(f'{path} cannot be read ({error.strerror}); check that the'
                     ' file is still there and may be read.') from error
  return square(decode(data, path), size, resize)


def decode(data: bytes, name: str = 'the picture') -> np.ndarray:
  """Decodes any common picture format to upright uint8 RGB [H, W, 3].

  Gray, CMYK and palette pictures are converted to RGB, and 16-bit values to 8
  bits. Transparent pixels are blended with white. The first frame of an
  animation is used. The EXIF orientation is applied.

  Args:
    data: contents of a JPEG, PNG, WebP, BMP, TIFF or GIF file; with the
      package pillow-heif also HEIC.
    name: the name of the picture in error messages.

  Raises:
    InputError: neither OpenCV nor Pillow can read the whole picture, it has
      more than 179 million pixels (Pillow's limit), or it has 32-bit values,
      for which no white level is defined.
  """
  image = _decode_with_opencv(data) if _is_opaque(data) else None
  return _decode_with_pillow(data, name) if image is None else image


def resize_shorter_side(image: np.ndarray, size: int) -> np.ndarray:
  """Resizes [H, W, 3] so that the shorter side has `size` pixels."""
  height, width = image.shape[:2]
  shorter = min(height, width)
  return _resized(image, round(height * size / shorter),
                  round(width * size / shorter))


def _resized(image, height, width):
  if image.shape[:2] == (height, width):
    return image
  shrinks = min(height, width) < min(image.shape[:2])
  return cv2.resize(image, (width, height), interpolation=(
      cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC))


def square(image: np.ndarray, size: int, resize: str = 'crop') -> np.ndarray:
  """Makes a picture square: uint8 [H, W, 3] -> [size, size, 3].

  Args:
    image: the picture.
    size: side of the square in pixels.
    resize: 'crop' resizes the shorter side and crops the center (section 2);
      'warp' resizes both sides and keeps the whole picture, as Caffe's
      convert_imageset does.
  """
  if resize == 'warp':
    return np.ascontiguousarray(_resized(image, size, size))
  image = resize_shorter_side(_shorten_strip(image), size)
  top = (image.shape[0] - size) // 2
  left = (image.shape[1] - size) // 2
  return np.ascontiguousarray(image[top:top + size, left:left + size])


def _shorten_strip(image: np.ndarray) -> np.ndarray:
  """Crops the ends of a strip: 1 x 5000 would be resized to 256 x 1,280,000."""
  height, width = image.shape[:2]
  longest = MAX_ASPECT_RATIO * min(height, width)
  top, left = max(height - longest, 0) // 2, max(width - longest, 0) // 2
  return image[top:height - top, left:width - left]


def encode_jpeg(image: np.ndarray, quality: int = 95) -> bytes:
  """Encodes uint8 RGB [H, W, 3] as the contents of a JPEG file."""
  return _encode(image, '.jpg', (cv2.IMWRITE_JPEG_QUALITY, quality))


def encode_png(image: np.ndarray) -> bytes:
  """Encodes uint8 RGB [H, W, 3] losslessly as the contents of a PNG file."""
  return _encode(image, '.png', ())


def _encode(image: np.ndarray, extension: str,
            options: Sequence[int]) -> bytes:
  bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
  return cv2.imencode(extension, bgr, options)[1].tobytes()


def _is_opaque(data: bytes) -> bool:
  """Whether OpenCV may decode it; OpenCV drops or blackens transparency."""
  if data.startswith(b'\xff\xd8') and len(data) < SMALL_JPEG:
    return True  # a small JPEG, which needs no check by Pillow
  try:
    with Image.open(io.BytesIO(data)) as picture:
      return not picture.has_transparency_data
  except Image.DecompressionBombError:
    return False
  except Exception:  # OpenCV reads some files that Pillow does not
    return True


def _decode_with_opencv(data: bytes) -> np.ndarray | None:
  """Decodes 2.5 times as fast as Pillow; None if OpenCV cannot decode it."""
  if not data:
    return None
  try:
    return cv2.imdecode(np.frombuffer(data, np.uint8),
                        cv2.IMREAD_COLOR_RGB)
  except cv2.error:
    return None


def _decode_with_pillow(data: bytes, name: str) -> np.ndarray:
  try:
    with Image.open(io.BytesIO(data)) as picture:
      return _to_rgb(ImageOps.exif_transpose(picture))
  # Pillow can raise almost any exception on damaged files.
  except Exception as error:
    reason = str(error)
    if isinstance(error, UnidentifiedImageError):
      if _is_heif(data) and '.heic' not in EXTENSIONS:
        raise InputError(
            f'{name} is a HEIC picture, which Pillow cannot read by itself; run'
            ' `pip install pillow-heif` (the extra `heif`) or convert the'
            ' picture to JPEG.') from error
      reason = 'its format is unknown' if data else 'it is empty'
    if isinstance(error, Image.DecompressionBombError):
      reason = f'it has more than {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels'
    raise InputError(
        f'{name} cannot be read as a picture ({reason}); replace it with an'
        ' intact JPEG or PNG, or remove it.') from error


def _is_heif(data: bytes) -> bool:
  return data[4:8] == b'ftyp' and data[8:12] in _HEIF_BRANDS


def _to_rgb(picture: Image.Image) -> np.ndarray:
  if picture.mode in ('I', 'F'):
    raise ValueError('no white level is defined for its 32-bit numbers')
  if picture.mode.startswith('I;16'):  # Pillow would clip at 255
    high = np.asarray(picture) >> 8  # as OpenCV does
    picture = Image.fromarray(high.astype(np.uint8))
  if picture.has_transparency_data:
    picture = picture.convert('RGBA')
    white = Image.new('RGBA', picture.size, 'white')
    picture = Image.alpha_composite(white, picture)
  return np.array(picture.convert('RGB'))
