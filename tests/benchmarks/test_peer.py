"""The peer is our network: PyTorch puts out the same numbers."""

import functools

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest

from alexnet_jax.learning import augment, optimizer
from alexnet_jax.network import placement

torch = pytest.importorskip('torch')

from benchmarks import in_pytorch, peer, problem  # noqa: E402

# As in tests/conftest.py: compiling is most of what is done here.
jax.config.update('jax_disable_most_optimizations', True)

KERNELS, NEURONS, CLASSES = (8, 8, 12, 12, 8), (32, 32), 10
LAYOUTS = {'contiguous': torch.contiguous_format, 'last': torch.channels_last}
# Of 68 pixels pooling makes windows that hang over the edge; of 64, as of the
# paper's 224, none.
SIDES = (64, 68)


@functools.cache
def ours(side):
  """(parameters, patches, labels, logits, gradients) at test time."""
  mesh = placement.make_mesh(1, 1, 2)
  model = nets.build('alexnet', mesh, CLASSES, side, kernels=KERNELS,
                       neurons=NEURONS)
  draw = np.random.default_rng(0)

  def leaf(path, held):
    mean, stddev = (0, 0.1) if path[-1].key == 'kernel' else (0.5, 0.5)
    return draw.normal(mean, stddev, held.shape).astype(np.float32)

  params = jax.tree_util.tree_map_with_path(
      leaf, jax.eval_shape(model.init, jax.random.key(0)))
  patches = draw.normal(0, 50, (4, side, side, 3)).astype(np.float32)
  labels = draw.integers(0, CLASSES, 4)

  def loss(params):
    logits, _ = model.apply(params, patches)
    own = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], 1)
    return -own.mean(), logits

  gradients, logits = jax.device_get(
      jax.jit(jax.grad(loss, has_aux=True))(params))
  return params, patches, labels, logits, gradients


def close(theirs, expected):
  """They differ by rounding, against the largest."""
  np.testing.assert_allclose(theirs.detach().numpy(), expected, rtol=0,
                             atol=3e-6 * np.abs(expected).max())


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('side', SIDES)
@pytest.mark.parametrize('norm', peer.NORMS)
def test_logits_and_gradients_are_ours(norm, side, layout):
  params, patches, labels, logits, gradients = ours(side)
  net = peer.TwoColumns(KERNELS, NEURONS, CLASSES, side, norm).eval()
  net.load_state_dict(peer.from_ours(params))
  net.to(memory_format=LAYOUTS[layout])
  theirs = net(torch.from_numpy(patches).permute(0, 3, 1, 2).contiguous(
      memory_format=LAYOUTS[layout]))
  close(theirs, logits)
  torch.nn.functional.cross_entropy(theirs, torch.from_numpy(labels)).backward()
  expected = peer.from_ours(gradients)
  for name, value in net.named_parameters():
    close(value.grad, expected[name].numpy())


def test_at_the_papers_size_it_has_the_papers_parameters():
  sizes = problem.PAPER
  with torch.device('meta'):
    net = peer.TwoColumns(sizes.kernels, sizes.neurons, sizes.classes,
                          sizes.patch, 'own')
  assert sum(value.numel() for value in net.parameters()) == 60_965_224


def test_dropout_silences_half_and_halves_at_test_time():
  x = torch.arange(1.0, 10_001.0)
  dropped = peer.dropout(x, training=True)
  assert set((dropped / x).tolist()) == {0.0, 1.0}
  assert abs((dropped == 0).float().mean() - 0.5) < 5 * 0.5 / 100
  torch.testing.assert_close(peer.dropout(x, training=False), x / 2)


def test_updates_are_those_of_section_5():
  params, *_, gradients = ours(64)
  rule = optimizer.momentum_sgd(0.9, 0.0005)
  rates = jax.tree.map(lambda leaf: jnp.float32(0.01), params)
  net = peer.TwoColumns(KERNELS, NEURONS, CLASSES, 64, 'own')
  net.load_state_dict(peer.from_ours(params))
  theirs = peer.optimizer(net)
  velocities = rule.init(params)
  for _ in range(3):
    updates, velocities = rule.update(gradients, velocities, params,
                                      rates=rates)
    params = jax.device_get(jax.tree.map(jnp.add, params, updates))
    for name, grad in peer.from_ours(gradients).items():
      net.get_parameter(name).grad = grad
    theirs.step()
  for name, expected in peer.from_ours(params).items():
    close(net.get_parameter(name), expected.numpy())


def test_ten_patches_are_cut_where_ours_are():
  draw = np.random.default_rng(0)
  images = draw.integers(0, 256, (2, 72, 72, 3), np.uint8)
  mean = draw.normal(120, 20, (72, 72, 3)).astype(np.float32)
  pixels = augment.pixel_stats(mean, np.eye(3))
  expected = np.concatenate([
      augment.subtract_mean(augment.cut_crop(images, view, 64), pixels)
      for view in augment.test_crops(72, 64, 10)])
  theirs = torch.cat(list(in_pytorch.ten_patches(
      torch.from_numpy(images).permute(0, 3, 1, 2),
      torch.from_numpy(mean).permute(2, 0, 1), 64)))
  np.testing.assert_array_equal(theirs.permute(0, 2, 3, 1), expected)
