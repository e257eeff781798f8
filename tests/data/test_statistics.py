import numpy as np

from alexnet_jax.data import statistics
from alexnet_jax.data.sources import open_source


def test_the_mean_image_and_covariance_are_those_of_numpy():
  source = open_source('procedural', 'train', image_size=16, limit=30)
  images = np.stack([source[i]['image'] for i in range(30)]).astype(float)
  result = statistics.statistics(source)
  assert result.mean.shape == (16, 16, 3)
  assert result.mean.dtype == result.covariance.dtype == np.float32
  np.testing.assert_allclose(result.mean, images.mean(0), rtol=1e-6)
  np.testing.assert_allclose(
      result.covariance, np.cov(images.reshape(-1, 3).T, bias=True),
      rtol=1e-5)


def test_a_large_source_is_sampled_evenly():
  source = open_source('procedural', 'train', image_size=16, limit=1000)
  images = np.stack([source[i]['image'] for i in range(0, 1000, 50)])
  result = statistics.statistics(source, limit=20)
  np.testing.assert_allclose(result.mean, images.mean(0), rtol=1e-6)
