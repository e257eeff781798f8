"""Real pictures for the tests: photographs in the small."""

import io

import numpy as np
import pytest
from absl import flags
from PIL import Image

# Grain's worker processes look at absl's flags.
if not flags.FLAGS.is_parsed():
  flags.FLAGS.mark_as_parsed()


@pytest.fixture
def jpeg():
  """A function (seed, width, height) -> the bytes of a smooth JPEG."""

  def make(seed=0, width=90, height=70, mode='RGB', **save):
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (4, 5, 3), np.uint8)
    picture = Image.fromarray(coarse).resize((width, height)).convert(mode)
    file = io.BytesIO()
    picture.save(file, **{'format': 'JPEG', 'quality': 90, **save})
    return file.getvalue()

  return make


@pytest.fixture
def tree(tmp_path, jpeg):
  """A function that writes pictures at the given paths below a folder."""

  def make(*paths):
    for seed, path in enumerate(paths):
      file = tmp_path / 'photos' / path
      file.parent.mkdir(parents=True, exist_ok=True)
      file.write_bytes(jpeg(seed))
    return str(tmp_path / 'photos')

  return make
