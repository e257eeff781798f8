"""Each nonlinearity in the formats of other programs."""

import importlib.util

import jax
import numpy as np
import onnxruntime
import pytest

from alexnet_jax.export import onnx_file, operations, torch_file
from alexnet_jax.network import classifier, columns
from alexnet_jax.network import layers as L

NAMES = tuple(classifier.NONLINEARITIES)


@pytest.fixture(scope='module')
def params():
  """Of `network`, whose units are its inputs."""
  draw = np.random.default_rng(0)
  return {
      'columns': {'fc6': {'kernel': np.eye(48, dtype=np.float32)[None],
                          'bias': np.zeros((1, 48), np.float32)}},
      'fc8': {'kernel': draw.normal(0, 1, (48, 6)).astype(np.float32),
              'bias': np.zeros(6, np.float32)}}


def network(name):
  """A column of one full layer, with one unit for each input."""
  full = L.fully_connected(48, stddev=0.1, bias=0.0)
  layer = columns.Layer(
      'fc6', full, False, (classifier.NONLINEARITIES[name],))
  return classifier.Model(
      lambda key: None, lambda params, patches: None, (layer,),
      L.fully_connected(6, stddev=0.1, bias=0.0), 1, 4)


def problem(name, params):
  """(operations, patches of -8 to 8, what Flax makes of them)."""
  chain = operations.operations(network(name), params)
  patches = np.linspace(-8, 8, 48, dtype=np.float32).reshape(1, 3, 4, 4)
  units = np.asarray(classifier.NONLINEARITIES[name](patches.reshape(1, -1)))
  # The rows of a full layer are in the order (H, W, maps).
  rows = np.arange(48).reshape(4, 4, 3).transpose(2, 0, 1).reshape(-1)
  back = np.zeros_like(units)
  back[:, rows] = units
  return chain, patches, back @ params['fc8']['kernel']


@pytest.mark.parametrize('name', NAMES)
def test_onnxruntime_computes_it(name, params, tmp_path):
  chain, patches, logits = problem(name, params)
  path = str(tmp_path / 'net.onnx')
  onnx_file.save(path, chain, None, np.zeros((4, 4, 3), np.float32), '{}')
  given, = onnxruntime.InferenceSession(path).run(None, {'patches': patches})
  np.testing.assert_allclose(given, logits, rtol=0, atol=2e-5)


@pytest.mark.parametrize('name', NAMES)
def test_pytorch_computes_it(name, params, tmp_path):
  torch = pytest.importorskip('torch')
  chain, patches, logits = problem(name, params)
  path = str(tmp_path / 'net.safetensors')
  module = torch_file.save(
      path, chain, np.zeros((4, 4, 3), np.float32), {'class_names': []})
  spec = importlib.util.spec_from_file_location('alexnet_torch', module)
  alexnet_torch = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(alexnet_torch)
  with torch.no_grad():
    given = alexnet_torch.load(path)(torch.from_numpy(patches)).numpy()
  np.testing.assert_allclose(given, logits, rtol=0, atol=2e-5)


@pytest.mark.parametrize('name', NAMES)
def test_stablehlo_of_every_platform_holds_it(name):
  f = classifier.NONLINEARITIES[name]
  program = jax.export.export(
      jax.jit(f), platforms=('cpu', 'cuda', 'tpu'))(
          jax.ShapeDtypeStruct((17,), np.float32))
  x = np.linspace(-8, 8, 17, dtype=np.float32)
  again = jax.export.deserialize(program.serialize())
  np.testing.assert_allclose(again.call(x), f(x), rtol=0, atol=1e-6)
