"""From bytes to the square the network sees (section 2 of the paper).

"We first rescaled the image such that the shorter side was of length 256, and
then cropped out the central 256 x 256 patch." Filters for the rescaling are
those of the author's later script: area averages when shrinking, cubic
interpolation when growing. Images are uint8 RGB `[height, width, 3]`.
"""

import io

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from alexnet_jax.errors import InputError

# Callers already work on several images at once; OpenCV's own threads would
# only compete with them.
cv2.setNumThreads(1)
# What OpenCV cannot read, Pillow tries; what neither can is said in decode.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)


def decode(data: bytes, name: str = 'the picture') -> np.ndarray:
  """Decodes any common picture format to uint8 RGB, upright.

  Grey, CMYK and palette pictures become RGB, transparency is dropped, the
  first frame of an animation is taken and the EXIF orientation is applied.

  Args:
    data: contents of a JPEG, PNG, WebP, BMP, TIFF or GIF file.
    name: what to call the picture if it cannot be read.

  Returns:
    uint8 `[height, width, 3]`.

  Raises:
    InputError: neither OpenCV nor Pillow can read the picture to its end.
  """
  image = _decode_fast(data)
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
  return np.ascontiguousarray(central_square(shorter_side_to(image, size),
                                             size))


def encode(image: np.ndarray, quality: int = 95) -> bytes:
  """Compresses uint8 RGB `[H, W, 3]` to a JPEG file's contents."""
  return _encode(image, '.jpg', (cv2.IMWRITE_JPEG_QUALITY, quality))


def encode_exactly(image: np.ndarray) -> bytes:
  """Compresses uint8 RGB `[H, W, 3]` without loss, to a PNG's contents."""
  return _encode(image, '.png', ())


def _encode(image: np.ndarray, extension: str, options: tuple) -> bytes:
  bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
  return cv2.imencode(extension, bgr, options)[1].tobytes()


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
      return np.array(ImageOps.exif_transpose(picture).convert('RGB'))
  # Pillow's readers let almost any exception escape from damaged files.
  except Exception as error:
    reason = str(error)
    if isinstance(error, UnidentifiedImageError):
      reason = 'it is of no known format' if data else 'it is empty'
    raise InputError(
        f'{name} cannot be read as a picture ({reason}); replace it with a '
        'sound JPEG or PNG, or remove it.') from error
