"""A run of LeNet-5 on files of MNIST, from training to what is made of it."""

import struct

import cv2
import numpy as np
import onnxruntime
import pytest

import alexnet_jax
from alexnet_jax import config_files
from alexnet_jax.errors import InputError
from alexnet_jax.run import training, typed_config
from alexnet_jax.run.trained import open_trained
from alexnet_jax.tasks import evaluate, export, figure3, projections

FIELDS = {'optimizer.batch_size': 20, 'run.steps': 12, 'run.evaluate_every': 12,
          'run.save_every': 12, 'run.log_every': 4}


def write(folder, split, count):
  """Files of bars: the class is the number of white rows."""
  pixels = np.zeros((count, 28, 28), np.uint8)
  labels = (np.arange(count) % 10).astype(np.uint8)
  for image, label in zip(pixels, labels, strict=True):
    image[4:4 + 2 * label, 4:24] = 255
  for name, array in (('images-idx3', pixels), ('labels-idx1', labels)):
    head = struct.pack(f'>BBBB{array.ndim}I', 0, 0, 8, array.ndim, *array.shape)
    (folder / f'{split}-{name}-ubyte').write_bytes(head + array.tobytes())


def config_of(folder):
  config = config_files.load('configs/history/lenet5.py:mnist')
  config.update_from_flattened_dict(FIELDS | {'data.path': str(folder)})
  return config


@pytest.fixture(scope='module')
def run(tmp_path_factory):
  """(workdir, folder of the data) of a few steps."""
  folder = tmp_path_factory.mktemp('mnist')
  write(folder, 'train', 100)
  write(folder, 't10k', 30)
  workdir = str(tmp_path_factory.mktemp('lenet'))
  training.train(typed_config.read(config_of(folder)), workdir)
  return workdir, folder


def test_the_codes_stay_as_they_were_drawn(run):
  network = open_trained(run[0])
  kernel = np.asarray(network.params['fc8']['kernel'])
  assert set(np.unique(kernel)) == {-2, 2}
  assert not np.any(network.params['fc8']['bias'])
  assert np.any(network.params['columns']['s2']['bias'])


def test_it_is_evaluated_on_its_test_images(run, capsys):
  evaluate.evaluate(config_of(run[1]), run[0], 'latest')
  assert '30 images' in capsys.readouterr().out


def test_onnxruntime_gives_its_probabilities(run, tmp_path):
  path = str(tmp_path / 'lenet.onnx')
  export.export(run[0], out=path)
  net = alexnet_jax.load(run[0])
  images = np.zeros((3, 32, 32, 3), np.uint8)
  images[1, 6:10], images[2, 6:20] = 255, 255
  probabilities, = onnxruntime.InferenceSession(path).run(
      None, {'images': images})
  expected = np.stack(list(net.probabilities(images, 1)))
  assert np.ptp(expected) > 0.01
  np.testing.assert_allclose(probabilities, expected, atol=1e-4)


def test_its_kernels_are_drawn_gray(run, tmp_path):
  figure3.figure3(run[0], out=str(tmp_path / 'c1.png'))
  picture = cv2.imread(str(tmp_path / 'c1.png'))
  assert (picture.max(-1) - picture.min(-1) < 3).mean() > 0.9
  assert len(np.unique(picture[..., 0])) > 20


def test_its_units_cannot_be_projected(run, tmp_path):
  with pytest.raises(InputError, match='c1 of this network is no single conv'
                     '.* give a run of an AlexNet'):
    projections.projections(run[0], out=str(tmp_path / 'p'))
