"""The loss of a side classifier is added, and not reported."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from alexnet_jax.learning import optimizer, step
from alexnet_jax.learning.augment import Augmentation, PixelStats
from alexnet_jax.learning.learning_rate import Length, Rates
from alexnet_jax.network import classifier, placement
from alexnet_jax.network import layers as L
from alexnet_jax.network.columns import Layer
from alexnet_jax.network.googlenet import Spec

CLASSES, SIZE = 3, 6
LEAVES = ('conv1', 'side1', 'fc8')


def after_a_step(side_weight):
  """(loss, {layer: kernel before}, {layer: kernel after})."""
  mesh = placement.make_mesh(1, 1, 1)
  full = lambda: L.fully_connected(CLASSES, stddev=0.1, bias=0.0)
  side = (Layer('side1', full(), False, ()),)
  conv1 = Layer('conv1', L.conv(4, 3, stddev=0.1, bias=0.0), False,
                (nn.relu,), side=side)
  top = Layer('conv2', L.conv(2, 3, stddev=0.1, bias=0.0), False, (L.flatten,))
  model = classifier.build(
      (conv1, top), full(), Spec(), mesh, SIZE, side_weight)
  rule = optimizer.momentum_sgd(0.9, 0.0)
  stats = PixelStats(jnp.zeros((SIZE, SIZE, 3)), jnp.eye(3), jnp.ones(3))
  state = step.new_state(model.init, rule, 0, 0.01, stats)
  train_step = step.make_train_step(
      model, rule, Augmentation(SIZE, False, False, 1, 0.0, 'stddev', False, 0),
      Rates(), mesh, 0, Length(1, 1))
  draw = np.random.default_rng(0)
  batch = {'image': draw.integers(0, 255, (4, SIZE, SIZE, 3), np.uint8),
           'label': np.arange(4, dtype=np.int32) % CLASSES}
  before = jax.device_get(state.params)
  state, measured = train_step(state, batch)
  after = jax.device_get(state.params)
  kernels = [{**{name: tree['columns'][name]['kernel']
                 for name in ('conv1', 'side1')},
              'fc8': tree['fc8']['kernel']} for tree in (before, after)]
  return float(measured['loss']), *kernels


@pytest.mark.slow
def test_its_gradient_has_its_weight_and_the_loss_is_that_of_fc8():
  losses, moved = [], []
  for weight in (0.0, 0.3, 0.6):
    loss, before, after = after_a_step(weight)
    losses.append(loss)
    moved.append({name: after[name] - before[name] for name in LEAVES})
  assert losses == pytest.approx([losses[0]] * 3)
  none, third, twice = moved
  assert not none['side1'].any()
  np.testing.assert_allclose(twice['side1'], 2 * third['side1'], rtol=1e-4,
                             atol=1e-6)
  np.testing.assert_allclose(third['fc8'], none['fc8'], rtol=1e-4, atol=1e-6)
  np.testing.assert_allclose(
      twice['conv1'] - none['conv1'], 2 * (third['conv1'] - none['conv1']),
      rtol=1e-3, atol=1e-6)
  assert np.abs(third['conv1'] - none['conv1']).max() > 1e-6
