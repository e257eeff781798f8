"""From bytes to the square the network sees (section 2 of the paper).

"We first rescaled the image such that the shorter side was of length 256, and
then cropped out the central 256 x 256 patch." Filters for the rescaling are
those of the author's later script: area averages when shrinking, cubic
interpolation when growing. Images are uint8 RGB `[height, width, 3]`.
"""

import io
import warnings

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from alexnet_jax.errors import InputError

# Callers already work on several images at once; OpenCV's own threads would
# only compete with them.
cv2.setNumThreads(1)
# What OpenCV cannot read, Pillow tries; what neither can is said in decode.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
# A picture that is odd but can be read is not worth a line on the screen.
warnings.filterwarnings('ignore', module='PIL')

# No smaller JPEG has more pixels than Pillow accepts (179 million): a bit for
# each 8 x 8 block is the least that its format can spend.
SURELY_READ = 2**18  # bytes
# Sides of a strip, beyond which its ends are cut off before it is rescaled.
LONGEST = 16


def decode(data: bytes, name: str = 'the picture') -> np.ndarray:
  """Decodes any common picture format to uint8 RGB, upright.

  Grey, CMYK and palette pictures become RGB, sixteen bits become eight. What is
  transparent lies on white, as on paper. The first frame of an animation is
  taken and the EXIF orientation is applied.

  Args:
    data: contents of a JPEG, PNG, WebP, BMP, TIFF or GIF file.
    name: what to call the picture if it cannot be read.

  Returns:
    uint8 `[height, width, 3]`.

  Raises:
    InputError: neither OpenCV nor Pillow can read the picture to its end, it
      has more than 179 million pixels (Pillow's limit), or its numbers have 32
      bits, of which nothing says how many are white.
  """
  image = _decode_fast(data) if _opaque(data) else None
  return _decode_patiently(data, name) if image is None else image


def shorter_side_to(image: np.ndarray, size: int) -> np.ndarray:
  """Rescales so that the shorter side has `size` pixels, aspect kept."""
  height, width = image.shape[:2]
  shorter = min(height, width)
  if shorter == size:
    return image
  new_height = round(height * size / shorter)
  new_width = round(width * size / shorter)
  method = cv2.INTER_AREA if shorter > size else cv2.INTER_CUBIC
  return cv2.resize(image, (new_width, new_height), interpolation=method)


def central_square(image: np.ndarray, size: int) -> np.ndarray:
  """Cuts out the middle: `[H, W, 3] -> [size, size, 3]`, H and W >= size."""
  top = (image.shape[0] - size) // 2
  left = (image.shape[1] - size) // 2
  return image[top:top + size, left:left + size]


def square(image: np.ndarray, size: int) -> np.ndarray:
  """Shorter side to `size`, then the middle: -> `[size, size, 3]`."""
  image = _without_far_ends(image)
  return np.ascontiguousarray(central_square(shorter_side_to(image, size),
                                             size))


def _without_far_ends(image: np.ndarray) -> np.ndarray:
  """A strip of 1 x 5000 would grow to 256 x 1,280,000 pixels otherwise."""
  height, width = image.shape[:2]
  most = LONGEST * min(height, width)
  top, left = max(height - most, 0) // 2, max(width - most, 0) // 2
  return image[top:height - top, left:width - left]


def encode(image: np.ndarray, quality: int = 95) -> bytes:
  """Compresses uint8 RGB `[H, W, 3]` to a JPEG file's contents."""
  return _encode(image, '.jpg', (cv2.IMWRITE_JPEG_QUALITY, quality))


def encode_exactly(image: np.ndarray) -> bytes:
  """Compresses uint8 RGB `[H, W, 3]` without loss, to a PNG's contents."""
  return _encode(image, '.png', ())


def _encode(image: np.ndarray, extension: str, options: tuple) -> bytes:
  bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
  return cv2.imencode(extension, bgr, options)[1].tobytes()


def _opaque(data: bytes) -> bool:
  """Whether OpenCV may decode it: it would drop or blacken transparency."""
  if data.startswith(b'\xff\xd8') and len(data) < SURELY_READ:
    return True  # a JPEG: asking Pillow would only cost time
  try:
    with Image.open(io.BytesIO(data)) as picture:
      return not picture.has_transparency_data
  except Image.DecompressionBombError:
    return False
  except Exception:  # see below; OpenCV reads some files that Pillow does not
    return True


def _decode_fast(data: bytes) -> np.ndarray | None:
  """OpenCV is 2.5 times as fast as Pillow, but reads less."""
  if not data:
    return None
  try:
    return cv2.imdecode(np.frombuffer(data, np.uint8),
                        cv2.IMREAD_COLOR_RGB)
  except cv2.error:
    return None


def _decode_patiently(data: bytes, name: str) -> np.ndarray:
  try:
    with Image.open(io.BytesIO(data)) as picture:
      return _rgb(ImageOps.exif_transpose(picture))
  # Pillow's readers let almost any exception escape from damaged files.
  except Exception as error:
    reason = str(error)
    if isinstance(error, UnidentifiedImageError):
      reason = 'it is of no known format' if data else 'it is empty'
    if isinstance(error, Image.DecompressionBombError):
      reason = f'it has more than {2 * Image.MAX_IMAGE_PIXELS:,} pixels'
    raise InputError(
        f'{name} cannot be read as a picture ({reason}); replace it with a '
        'sound JPEG or PNG, or remove it.') from error


def _rgb(picture: Image.Image) -> np.ndarray:
  if picture.mode in ('I', 'F'):
    raise ValueError('nothing says which of its 32-bit numbers is white')
  if picture.mode.startswith('I;16'):  # Pillow would clip at 255
    high = np.asarray(picture) >> 8  # as OpenCV does
    picture = Image.fromarray(high.astype(np.uint8))
  if picture.has_transparency_data:
    picture = picture.convert('RGBA')
    white = Image.new('RGBA', picture.size, 'white')
    picture = Image.alpha_composite(white, picture)
  return np.array(picture.convert('RGB'))
