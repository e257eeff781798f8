"""StableHLO files, run by JAX alone."""


import jax
import numpy as np
import pytest

from alexnet_jax.export import stablehlo_file
from alexnet_jax.learning import augment
from alexnet_jax.library.network import Network
from alexnet_jax.run.trained import open_trained


@pytest.fixture(scope='module')
def network(trained):
  return open_trained(trained[1])


def images_of(network, count):
  size = network.settings.data.image_size
  return np.random.default_rng(0).integers(
      0, 256, (count, size, size, 3)).astype(np.uint8)


def read(path):
  with open(path, 'rb') as file:
    return jax.export.deserialize(bytearray(file.read()))


@pytest.mark.slow
@pytest.mark.parametrize('views', [1, 10])
def test_uint8_images_go_in_and_probabilities_come_out(
    network, views, tmp_path):
  path = str(tmp_path / 'net.stablehlo')
  stablehlo_file.save(path, network, augment.test_crops(72, 64, views))
  program = read(path)
  assert set(program.platforms) == {'cpu', 'cuda', 'tpu'}
  for count in (1, 3):
    images = images_of(network, count)
    expected = np.stack(list(Network(network).probabilities(images, views)))
    np.testing.assert_allclose(program.call(images), expected, atol=1e-6)


def test_patches_go_in_and_logits_come_out(network, tmp_path):
  path = str(tmp_path / 'net.stablehlo')
  stablehlo_file.save(path, network, None)
  library = Network(network)
  patches = library.patches(images_of(network, 3))
  logits = np.asarray(library.logits(patches))
  np.testing.assert_allclose(read(path).call(patches), logits, rtol=0,
                             atol=1e-5 * np.abs(logits).max())
