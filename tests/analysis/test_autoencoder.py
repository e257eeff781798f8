"""The auto-encoder: its shape, its binary code, and that it learns."""


import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alexnet_jax.analysis import autoencoder, hamming
from alexnet_jax.analysis.autoencoder import FeatureStats
from alexnet_jax.learning import learning_rate, metrics, optimizer, step
from alexnet_jax.learning.learning_rate import Rates
from alexnet_jax.network import rng

DIMENSION, SIZES, BITS = 48, (40, 24), 32


@pytest.fixture(scope='module')
def model():
  return autoencoder.build(DIMENSION, SIZES, BITS)


@pytest.fixture(scope='module')
def params(model):
  return jax.jit(model.init)(jax.random.key(0))


def low_rank(count, seed, classes=4):
  """(features of rank 4 with a spread around each class, labels)."""
  draw = np.random.default_rng(0)
  basis, means = draw.normal(size=(4, DIMENSION)), draw.normal(
      size=(classes, 4))
  draw = np.random.default_rng(seed)
  labels = draw.integers(0, classes, count)
  inner = means[labels] + 0.4 * draw.normal(size=(count, 4))
  return (3 + inner @ basis).astype(np.float32), labels


def standard_of(features):
  return FeatureStats(features.mean(0), np.sqrt(features.var(0).mean()))


def test_layers_go_down_to_the_bits_and_up_again(params):
  shapes = {name: layer['kernel'].shape for name, layer in params.items()}
  assert shapes == {
      'encode1': (48, 40), 'encode2': (40, 24), 'encode3': (24, 32),
      'decode1': (32, 24), 'decode2': (24, 40), 'decode3': (40, 48)}
  assert not any(layer['bias'].any() for layer in params.values())


def test_the_first_weights_are_of_he_and_a_tenth_in_the_last_layer():
  wide = autoencoder.build(400, (300,), 64).init(jax.random.key(1))
  for name, reads, factor in (
      ('encode1', 400, 1), ('encode2', 300, 1), ('decode1', 64, 1),
      ('decode2', 300, 0.1)):
    deviation = wide[name]['kernel'].std()
    assert deviation == pytest.approx(factor * (2 / reads) ** 0.5, rel=0.03)


def test_the_code_is_binary_forward_and_logistic_backward():
  reads = jnp.array([-20.0, -1.0, -1e-9, 0.0, 1e-9, 1.0, 20.0])
  np.testing.assert_array_equal(
      autoencoder.binarize(reads), [0, 0, 0, 0, 1, 1, 1])
  slopes = jax.vmap(jax.grad(autoencoder.binarize))(reads)
  logistic = 1 / (1 + np.exp(-np.asarray(reads, np.float64)))
  np.testing.assert_allclose(slopes, logistic * (1 - logistic), atol=1e-7)


def test_the_error_is_that_of_what_is_decoded_from_the_bits(model, params):
  features, _ = low_rank(9, 1)
  standard = standard_of(features)
  x = autoencoder.standardize(features, standard)
  bits = autoencoder.encode_bits(model, params, standard, features)
  assert bits.dtype == bool and 0.1 < bits.mean() < 0.9
  back = model.decode(params, bits.astype(jnp.float32))
  np.testing.assert_allclose(
    autoencoder.reconstruction_errors(model, params, x),
    ((back - x) ** 2).mean(1),
    rtol=1e-5,
  )


def test_standardized_features_keep_who_is_near_whom():
  features, _ = low_rank(50, 2)
  x = np.asarray(autoencoder.standardize(features, standard_of(features)))
  np.testing.assert_allclose(x.mean(0), 0, atol=1e-5)
  assert x.var(0).mean() == pytest.approx(1, rel=1e-5)
  apart = lambda rows: np.linalg.norm(rows[1:] - rows[:1], axis=1)
  ratio = apart(features) / apart(x)
  np.testing.assert_allclose(ratio, ratio[0], rtol=1e-4)


@pytest.mark.slow
def test_it_learns_low_rank_features_and_its_codes_find_their_class(model):
  features, labels = low_rank(512, 3)
  others, other_labels = low_rank(64, 4)
  standard = standard_of(features)
  rule = optimizer.momentum_sgd(0.9, 0.0)
  rates = Rates(schedule='linear', target_factor=100.0)
  state = step.new_state(model.init, rule, 0, 0.2, standard)
  steps = 300

  @jax.jit
  def move(state, features):
    x = autoencoder.standardize(features, state.input_stats)
    loss, grads = jax.value_and_grad(
      lambda params: autoencoder.reconstruction_errors(model, params, x).mean()
    )(state.params)
    return step.update(
        state, grads, rule, rates, learning_rate.Length(steps, steps)), loss

  def codes_by(params, features):
    return hamming.pack(np.asarray(
        autoencoder.encode_bits(model, params, standard, features)))

  def precision(params):
    _, places = hamming.nearest(
        codes_by(params, others), codes_by(params, features), 10)
    return metrics.precision_at(other_labels, labels[places])[-1]

  first = jax.tree.map(jnp.copy, state.params)
  draw = np.random.default_rng(5)
  for _ in range(steps):
    state, _loss = move(state, features[draw.integers(0, 512, 64)])
  assert int(state.step) == steps
  x = autoencoder.standardize(others, standard)
  assert autoencoder.reconstruction_errors(model, first, x).mean() > 0.9
  assert autoencoder.reconstruction_errors(model, state.params, x).mean() < 0.2
  chance = (labels == other_labels[:, None]).mean()
  assert precision(state.params) > chance + 0.4
  normals = jax.random.normal(rng.stream(0, 'hyperplanes'), (DIMENSION, BITS))
  random = [hamming.pack(np.asarray(
      hamming.hyperplane_codes(rows, standard.mean, normals)))
            for rows in (others, features)]
  _, places = hamming.nearest(*random, 10)
  assert precision(state.params) > metrics.precision_at(
      other_labels, labels[places])[-1]
