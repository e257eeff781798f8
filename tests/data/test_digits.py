"""The scans of scikit-learn."""

import sys

import numpy as np
import pytest

from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError


def test_the_two_halves_have_all_1797_scans_of_ten_classes():
  pytest.importorskip('sklearn')
  halves = {split: open_source('digits', split, image_size=32)
            for split in ('train', 'validation', 'test')}
  assert [len(half) for half in halves.values()] == [898, 899, 899]
  assert halves['train'].where(897) == 'digit 897 of scikit-learn'
  assert halves['test'].where(0) == 'digit 898 of scikit-learn'
  for half in halves.values():
    labels = [int(half[i]['label']) for i in range(len(half))]
    assert np.bincount(labels).min() > 80 and set(labels) == set(range(10))
    assert half.class_names == tuple('0123456789')


def test_a_scan_is_20_of_32_pixels_white_on_black():
  datasets = pytest.importorskip('sklearn.datasets')
  example = open_source('digits', 'train', image_size=32)[3]
  image = example['image']
  assert (image.shape, image.dtype) == ((32, 32, 3), np.uint8)
  assert (image == image[..., :1]).all() and image.max() > 200
  ink = image[6:26, 6:26, 0].astype(float)
  assert image[..., 0].sum() == ink.sum()
  # The mean over what was one pixel is about what the pixel was.
  scan = datasets.load_digits().images[3]
  coarse = ink.reshape(4, 5, 4, 5).mean((1, 3))
  pairs = scan.reshape(4, 2, 4, 2).mean((1, 3)) * 255 / 16
  assert np.corrcoef(coarse.ravel(), pairs.ravel())[0, 1] > 0.98


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
  monkeypatch.setitem(sys.modules, 'sklearn.datasets', None)
  with pytest.raises(InputError) as error:
    open_source('digits', 'train')
  assert str(error.value) == (
      'config.data.name=digits needs a package that is not installed: run pip'
      ' install scikit-learn (the extra `digits`).')
