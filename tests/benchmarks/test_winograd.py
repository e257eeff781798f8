"""Winograd's minimal filtering is the convolution of 3 x 3."""

import numpy as np
import pytest

from benchmarks import winograd


@pytest.mark.slow
@pytest.mark.parametrize('m', [2, 4])
@pytest.mark.parametrize('side', [4, 7])
def test_tiles_give_the_convolution(m, side):
  draw = np.random.default_rng(0)
  x = draw.normal(size=(2, side, side, 3)).astype(np.float32)
  kernels = draw.normal(size=(3, 3, 3, 5)).astype(np.float32)
  np.testing.assert_allclose(
      winograd.winograd(m, x, kernels), winograd.direct(x, kernels),
      rtol=1e-4, atol=1e-4)
