"""A trained network and pictures for it."""

import numpy as np
import pytest
from PIL import Image

import alexnet_jax


@pytest.fixture(scope='session')
def net(trained):
  return alexnet_jax.load(trained[1])


@pytest.fixture(scope='session')
def photos(tmp_path_factory):
  """Five pictures of different sizes, as files."""
  folder, draw = tmp_path_factory.mktemp('photos'), np.random.default_rng(0)
  paths = []
  for i in range(5):
    pixels = draw.integers(0, 256, (60 + 20 * i, 110, 3)).astype(np.uint8)
    paths.append(str(folder / f'{i}.{"jpg" if i % 2 else "png"}'))
    Image.fromarray(pixels).save(paths[-1])
  return paths
