"""Sizes of outputs and gradients against a network worked out by hand."""

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest
import tiny

from alexnet_jax.analysis import gradients
from alexnet_jax.learning.augment import PixelStats
from alexnet_jax.learning.learning_rate import Rates
from alexnet_jax.network import classifier, googlenet, placement, rng
from alexnet_jax.network import layers as L
from alexnet_jax.network.columns import Layer
from alexnet_jax.run import experiment, typed_config

IMAGES, SIZE, CLASSES, SIDE_WEIGHT = 4, 6, 3, 0.3


def full(neurons):
  return L.fully_connected(neurons, stddev=0.3, bias=0.1)


def by_hand(params, images, mean, labels):
  """The sizes that a step should have, in float64; {layer: four numbers}."""
  weights = {name: {kind: np.float64(leaf).reshape(
      leaf.shape[-2:] if kind == 'kernel' else -1)
      for kind, leaf in layer.items()}
      for name, layer in {**params['columns'], 'fc8': params['fc8']}.items()}

  def through(name, x):
    return x @ weights[name]['kernel'] + weights[name]['bias']

  def of_loss(logits):
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return (odds / odds.sum(1, keepdims=True) - np.eye(CLASSES)[labels]
            ) / IMAGES

  x = (np.float64(images) - mean).reshape(IMAGES, -1) / 1000
  fc1 = np.tanh(through('fc1', x))
  fc2 = np.tanh(through('fc2', fc1))
  fc8 = through('fc8', fc2)
  back8 = of_loss(fc8)
  back2 = back8 @ weights['fc8']['kernel'].T
  before2 = back2 * (1 - fc2**2)
  side = of_loss(through('side1', fc1)) * SIDE_WEIGHT
  back1 = (before2 @ weights['fc2']['kernel'].T
           + side @ weights['side1']['kernel'].T)
  before1 = back1 * (1 - fc1**2)
  size = lambda array: np.sqrt(np.square(array).mean())
  return {name: (size(outputs), IMAGES * size(back),
                 size(weights[name]['kernel']), size(reads.T @ before))
          for name, outputs, back, reads, before in (
              ('fc1', fc1, back1, x, before1),
              ('fc2', fc2, back2, fc1, before2),
              ('fc8', fc8, back8, fc2, back8))}, [
                  *(part for before, reads in (
                      (before1, x), (before2, fc1), (back8, fc2), (side, fc1))
                    for part in (reads.T @ before, before.sum(0)))]


class Scaled(L.FullyConnected):
  """A full layer that reads thousandths of gray levels."""

  def __call__(self, inputs):
    return super().__call__(inputs / 1000)


@pytest.fixture(scope='module')
def hand_made():
  """An experiment of two hidden layers and a side classifier."""
  config = tiny.config({
      'augment.crop': SIZE, 'augment.random_crops': False,
      'augment.flips': False, 'augment.jitter': 0.0, 'data.image_size': SIZE})
  settings = gradients.settings_to_measure(
      typed_config.read(config)._replace(model=googlenet.Spec()), IMAGES)
  mesh = placement.make_mesh(1, 1, 1)
  first = Scaled(5, kernel_init=L.gaussian(1.0))
  layers = (
      Layer('fc1', first, False, (jnp.tanh,),
            side=(Layer('side1', full(CLASSES), False, ()),)),
      Layer('fc2', full(4), False, (jnp.tanh,)))
  model = classifier.build(layers, full(CLASSES), googlenet.Spec(), mesh, SIZE,
                           SIDE_WEIGHT)
  return experiment.Experiment(
      settings, mesh, model, None, CLASSES, experiment.Length(1, 1))


@pytest.mark.slow
def test_every_size_is_that_of_a_network_worked_out_by_hand(hand_made):
  draw = np.random.default_rng(0)
  variables = jax.jit(hand_made.model.init)(jax.random.key(0))
  mean = draw.normal(100, 20, (SIZE, SIZE, 3)).astype(np.float32)
  batch = {'image': draw.integers(0, 255, (IMAGES, SIZE, SIZE, 3), np.uint8),
           'label': np.arange(IMAGES, dtype=np.int32) % CLASSES}
  measured = gradients.make_measurement(hand_made)(
      variables, PixelStats(jnp.asarray(mean), jnp.eye(3), jnp.ones(3)), batch)
  expected, every = by_hand(
      jax.device_get(variables), batch['image'], mean, batch['label'])
  assert [layer.layer for layer in measured.layers] == list(expected)
  for layer in measured.layers:
    assert layer[1:] == pytest.approx(expected[layer.layer], rel=1e-4), layer
  assert measured.gradient_norm == pytest.approx(
      np.sqrt(sum(np.square(part).sum() for part in every)), rel=1e-4)
  trained = gradients.make_measurement(hand_made._replace(
      settings=with_frozen(hand_made.settings, ('fc1', 'side1'))))(
          variables, PixelStats(jnp.asarray(mean), jnp.eye(3), jnp.ones(3)),
          batch)
  assert trained.gradient_norm == pytest.approx(
      np.sqrt(sum(np.square(part).sum() for part in every[2:6])), rel=1e-4)


def with_frozen(settings, layers):
  return settings._replace(optimizer=settings.optimizer._replace(
      rates=settings.optimizer.rates._replace(frozen=layers)))


def test_what_is_measured_depends_on_frozen_layers_and_not_on_the_length():
  config = tiny.config({
      'run.steps': 0, 'run.epochs': 0.25, 'run.workers': 2,
      'optimizer.warmup': 9.0})
  settings = gradients.settings_to_measure(
      with_frozen(typed_config.read(config), ('conv1',)), 64)
  assert settings.optimizer.rates == Rates(frozen=('conv1',))
  assert settings.run.workers == 0
  built = experiment.build(settings, CLASSES, 64)
  assert built.length == experiment.Length(1, 1)


def test_meters_leave_a_network_as_it_is():
  mesh = placement.make_mesh(1, 1, 1)
  fields = {'kernels': (3, 4), 'blocks': (1, 1), 'small_images': True}
  model = nets.build('resnet', mesh, CLASSES, 16, **fields)
  settings = typed_config.read(tiny.config())._replace(model=googlenet.Spec())
  metered = gradients.with_meters(experiment.Experiment(
      settings, mesh, model, None, CLASSES, experiment.Length(1, 1)))
  variables = jax.jit(model.init)(jax.random.key(0))
  patches = 50 * jax.random.normal(jax.random.key(1), (2, 16, 16, 3))
  keys = rng.per_example(rng.stream(0, 'dropout'), 2)
  ours = jax.jit(model.forward)(variables, patches, keys)
  theirs = jax.jit(metered.forward)(
      gradients._add_meters(variables, model), patches, keys)
  np.testing.assert_array_equal(ours.logits, theirs.logits)
  tiny.assert_same(ours.batch_stats, theirs.batch_stats)


@pytest.mark.parametrize('numbers, expected', [
    ([3.0, -4.0], 5), ([3e-30, 4e-30], 5e-30), ([3e30, 4e30], 5e30),
    ([0.0, 0.0], 0)])
def test_a_norm_needs_no_squares_that_float32_can_hold(numbers, expected):
  assert float(gradients.norm(jnp.float32(numbers))) == pytest.approx(
      expected, rel=1e-6)
