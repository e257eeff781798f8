"""Converts a picture file to a square image (section 2).

"We first rescaled the image such that the shorter side was of length 256, and
then cropped out the central 256 x 256 patch." The filters are those of the
author's later script: area averaging to shrink and cubic interpolation to
enlarge. Images are uint8 RGB [H, W, 3].
"""

from collections.abc import Sequence

import cv2
import numpy as np

from alexnet_jax.data import decoding

# An image with a larger ratio is cropped before it is resized.
MAX_ASPECT_RATIO = 16
RESIZES = ('crop', 'warp')  # see `square`


def read_square(path: str, size: int, resize: str = 'crop') -> np.ndarray:
  """Reads the central square of a picture: uint8 [size, size, 3] (section 2).

  Args:
    path: the file.
    size: side of the square in pixels.
    resize: see `square`.

  Raises:
    UnreadablePicture: the file cannot be opened or is not a readable picture.
  """
  return square(decoding.read(path), size, resize)


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
