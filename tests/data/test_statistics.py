import numpy as np
import pytest

from alexnet_jax.data import prepare, sources, statistics
from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError


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


# --- Weights of classes -------------------------------------------------------


def test_balanced_weights_are_n_over_classes_times_count(tree):
  photos = tree('val/cat/a.jpg', *(
      f'train/{name}/{i}.jpg' for name, count in (
          ('cat', 1), ('dog', 2), ('owl', 6)) for i in range(count)))
  source = open_source('folder', 'train', path=photos, image_size=16)
  weights = statistics.balanced_class_weights(source)
  np.testing.assert_allclose(weights, [9 / 3, 9 / 6, 9 / 18])
  assert weights.dtype == np.float32
  assert weights[source.labels()].mean() == pytest.approx(1)


def test_classes_without_an_example_have_no_weight():
  source = open_source('procedural', 'train', image_size=16, limit=3)
  weights = statistics.balanced_class_weights(source)
  np.testing.assert_allclose(weights, [1, 1, 1, *[0] * 9])


def test_labels_without_images_are_those_of_the_examples(tree, tmp_path):
  photos = tree(*(f'{split}/{name}/{i}.jpg' for split in ('train', 'val')
                  for name in ('cat', 'dog') for i in range(4)))
  folder = open_source('folder', 'train', path=photos, image_size=16, limit=5)
  made = str(tmp_path / 'records')
  prepare.prepare({'train': folder}, made, image_size=16)
  opened = [folder, open_source('procedural', 'train', image_size=16, limit=30),
            open_source('digits', 'train', image_size=16, limit=30),
            open_source('records', 'train', path=made, image_size=16)]
  for source in opened:
    np.testing.assert_array_equal(
        sources.labels_of(source),
        [source[i]['label'] for i in range(len(source))])


def test_a_source_that_cannot_tell_its_labels_is_refused():

  class Unlabeled:
    class_names = ('a', 'b')

    def where(self, i):
      return f'picture {i}'

  with pytest.raises(InputError, match="picture 0 do not list their labels"):
    statistics.balanced_class_weights(Unlabeled())
