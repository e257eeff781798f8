"""ONNX files, run by onnxruntime."""

import json

import network_forms
import numpy as np
import onnx
import onnxruntime
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.export import onnx_file, operations
from alexnet_jax.learning import augment, step
from alexnet_jax.learning.augment import PixelStats


def session(path):
  return onnxruntime.InferenceSession(str(path))


def save(path, form, crops=None, mean=None):
  problem = network_forms.problem(form)
  size = problem.model.patch
  chain = operations.operations(problem.model, problem.params)
  mean = np.zeros((size, size, 3), np.float32) if mean is None else mean
  onnx_file.save(str(path), chain, crops, mean, '{"a": 1}')
  return problem


@pytest.mark.slow
@pytest.mark.parametrize('form', network_forms.FORMS)
def test_onnxruntime_gives_the_logits_of_the_network(form, tmp_path):
  problem = save(tmp_path / 'net.onnx', form)
  patches = problem.patches.transpose(0, 3, 1, 2)
  run = session(tmp_path / 'net.onnx').run
  for count in (1, 7):
    rows = np.arange(count) % len(patches)
    logits, = run(None, {'patches': patches[rows]})
    network_forms.assert_equal_logits(logits, problem.logits[rows])


@pytest.mark.slow
@pytest.mark.parametrize('views', [1, 9, 10])
def test_the_pre_processing_can_be_inside(views, tmp_path):
  draw = np.random.default_rng(0)
  patch = network_forms.problem('alexnet').model.patch
  side = patch + 7
  crops = augment.test_crops(side, patch, views)
  mean = draw.uniform(0, 255, (side, side, 3)).astype(np.float32)
  problem = save(tmp_path / 'net.onnx', 'alexnet', crops,
                 augment.central_crop(mean, patch))
  images = draw.integers(0, 256, (7, side, side, 3)).astype(np.uint8)
  stats = PixelStats(mean, np.eye(3, dtype=np.float32), np.ones(3, np.float32))
  expected = np.asarray(step.mean_over_crops(
      problem.model, crops, problem.params, stats, images))
  for count in (1, 7):
    probabilities, = session(tmp_path / 'net.onnx').run(
        None, {'images': images[:count]})
    network_forms.assert_equal_logits(probabilities, expected[:count])


def test_every_layer_is_one_standard_node_with_its_name(tmp_path):
  save(tmp_path / 'net.onnx', 'alexnet')
  model = onnx.load(str(tmp_path / 'net.onnx'))
  kinds = [node.op_type for node in model.graph.node]
  assert [kinds.count(kind) for kind in ('Conv', 'LRN', 'MaxPool', 'Gemm')] == [
      5, 2, 3, 3]
  names = {one.name for one in model.graph.initializer}
  assert {'conv1.weight', 'conv5.bias', 'fc8.weight'} <= names
  card, = model.metadata_props
  assert (card.key, json.loads(card.value)) == ('card', {'a': 1})


def test_weights_beyond_the_limit_of_the_format_are_refused(
    tmp_path, monkeypatch):
  monkeypatch.setattr(onnx_file, 'LARGEST', 1000)
  with pytest.raises(InputError, match='at most two gigabytes'):
    save(tmp_path / 'net.onnx', 'alexnet')
  assert not list(tmp_path.iterdir())
