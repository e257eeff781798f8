"""State dicts for PyTorch; what needs torch runs where torch is installed."""

import importlib.util
import json

import network_forms
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from alexnet_jax.export import operations, torch_file


def save(path, form):
  problem = network_forms.problem(form)
  size = problem.model.patch
  mean = np.random.default_rng(1).uniform(0, 255, (size, size, 3))
  module = torch_file.save(
      str(path), operations.operations(problem.model, problem.params),
      mean.astype(np.float32), {'class_names': list('abcde')})
  return problem, mean, module


def test_the_state_dict_has_pytorch_names_and_layouts(tmp_path):
  problem, mean, module = save(tmp_path / 'net.safetensors', 'alexnet')
  arrays = load_file(tmp_path / 'net.safetensors')
  assert list(arrays) == sorted(['mean', *(
      f'{name}.{kind}' for name in problem.params['columns'] | {'fc8': 0}
      for kind in ('weight', 'bias'))])
  conv2 = problem.params['columns']['conv2']['kernel']  # [K, h, w, in, out]
  assert arrays['conv2.weight'].shape == (12, 4, 5, 5)
  np.testing.assert_array_equal(
      arrays['conv2.weight'][6 + 2, 1], conv2[1, :, :, 1, 2])
  np.testing.assert_array_equal(
      arrays['mean'], mean.transpose(2, 0, 1).astype(np.float32))
  with safe_open(tmp_path / 'net.safetensors', 'np') as file:
    card = json.loads(file.metadata()['card'])
  assert card['class_names'] == list('abcde')
  assert card['operations'][0] == {
      'kind': 'convolution', 'name': 'conv1', 'groups': 1, 'stride': [4, 4],
      'padding': [0, 3, 0, 3]}
  assert module == str(tmp_path / 'alexnet_torch.py')


@pytest.mark.parametrize('ending', ['safetensors', 'pt'])
@pytest.mark.parametrize('form', network_forms.FORMS)
def test_pytorch_gives_the_logits_of_the_network(form, ending, tmp_path):
  torch = pytest.importorskip('torch')
  problem, mean, module = save(tmp_path / f'net.{ending}', form)
  spec = importlib.util.spec_from_file_location('alexnet_torch', module)
  alexnet_torch = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(alexnet_torch)
  net = alexnet_torch.load(str(tmp_path / f'net.{ending}'))
  patches = torch.from_numpy(
      np.ascontiguousarray(problem.patches.transpose(0, 3, 1, 2)))
  with torch.no_grad():
    logits = net(patches).numpy()
  network_forms.assert_equal_logits(logits, problem.logits)
  side = problem.model.patch + 5
  images = torch.arange(3 * side * side).reshape(1, 3, side, side) % 251
  cut = images.numpy()[:, :, 2:-3, 2:-3] - mean.transpose(2, 0, 1)
  np.testing.assert_allclose(
      net.preprocess(images.to(torch.uint8)), cut, atol=1e-4)
