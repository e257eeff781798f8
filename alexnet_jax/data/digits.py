"""Scans of 1,797 handwritten digits that scikit-learn ships; no download.

They are the test set of "Optical Recognition of Handwritten Digits" (Alpaydin
and Kaynak, 1998): 8 x 8 pixels of 0 to 16. The first half is for training and
the second half for testing, as in scikit-learn's example "Recognizing
hand-written digits".
"""

import cv2
import numpy as np

from alexnet_jax.errors import InputError

TRAIN = 898  # images; the other 899 are tested on
INK = 16  # the largest value
# The share of a side that the digit takes: 20 of 32 pixels, as in MNIST.
SHARE = 5 / 8


class Digits:
  """A source for one half: white digits on black, the three colors equal.

  Args:
    split: 'train', 'validation' or 'test'; the last two are the same.
    image_size: side of the squares in pixels.

  Raises:
    InputError: scikit-learn is not installed.
  """

  class_names = tuple(map(str, range(10)))

  def __init__(self, split: str, image_size: int):
    loaded = _load()
    self._first, end = (0, TRAIN) if split == 'train' else (TRAIN, None)
    self._images = loaded.images[self._first:end]
    self._labels = loaded.target[self._first:end].astype(np.int32)
    self._image_size = image_size

  def labels(self) -> np.ndarray:
    return self._labels

  def __len__(self) -> int:
    return len(self._labels)

  def __getitem__(self, i: int) -> dict:
    side = max(1, round(SHARE * self._image_size))
    ink = self._images[i].astype(np.float32) * (255 / INK)
    ink = cv2.resize(ink, (side, side), interpolation=cv2.INTER_CUBIC)
    image = np.zeros((self._image_size,) * 2 + (3,), np.uint8)
    edge = (self._image_size - side) // 2
    image[edge:edge + side, edge:edge + side] = np.clip(
        np.round(ink), 0, 255)[..., None]
    return {'image': image, 'label': self._labels[i]}

  def where(self, i: int) -> str:
    return f'digit {self._first + i} of scikit-learn'


def _load():
  try:
    from sklearn.datasets import load_digits
  except ImportError as error:
    raise InputError(
        'config.data.name=digits needs a package that is not installed: run pip'
        ' install scikit-learn (the extra `digits`).') from error
  return load_digits()
