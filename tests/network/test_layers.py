"""Convolutions, full layers and dropout, against appendix A and loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alexnet_jax.network import layers as L
from alexnet_jax.network import rng
from alexnet_jax.network.alexnet import CONV1_PADDING

# --- Convolution (A1) ---------------------------------------------------------


def test_conv1_reads_zeros_three_pixels_beyond_bottom_and_right():
  conv = L.conv(1, 11, stddev=0.01, bias=0.0, stride=4, padding=CONV1_PADDING)
  params = {'kernel': jnp.ones((11, 11, 1, 1)), 'bias': jnp.zeros(1)}
  seen = conv.apply({'params': params}, jnp.ones((1, 224, 224, 1)))[0, ..., 0]
  assert seen.shape == (55, 55)
  assert (seen[:54, :54] == 121).all()
  assert (seen[54, :54] == 88).all() and (seen[:54, 54] == 88).all()
  assert seen[54, 54] == 64


def test_weights_are_gaussian_and_biases_constant():
  conv = L.conv(64, 5, stddev=0.03, bias=1.0)
  full = L.fully_connected(512, stddev=0.01, bias=0.5)
  for layer, x, stddev, bias in (
      (conv, jnp.zeros((1, 8, 8, 48)), 0.03, 1),
      (full, jnp.zeros((1, 4, 4, 16)), 0.01, 0.5)):
    params = layer.init(jax.random.key(0), x)['params']
    kernel = np.asarray(params['kernel'])
    assert (params['bias'] == bias).all()
    np.testing.assert_allclose(kernel.std(), stddev, rtol=0.02)
    assert abs(kernel.mean()) < 0.02 * stddev
    # A Gaussian has 4.6 % beyond two deviations; a truncated one has none.
    assert 0.04 < (np.abs(kernel) > 2 * stddev).mean() < 0.05


def test_a_full_layer_reads_rows_in_height_width_maps_order():
  x = jnp.arange(24, dtype=jnp.float32).reshape(1, 2, 3, 4)
  layer = L.fully_connected(24, stddev=0.01, bias=0.0)
  params = {'kernel': jnp.eye(24), 'bias': jnp.zeros(24)}
  np.testing.assert_array_equal(
      layer.apply({'params': params}, x)[0], np.arange(24))


# --- Dropout (4.2) ------------------------------------------------------------


def keys(examples=64, step=0, layer='fc6', column=0):
  drawn = rng.per_example(rng.stream(0, 'dropout', step), examples)
  return rng.column_keys(drawn, layer, column)


def mask(**where):
  return np.asarray(L.dropout(jnp.ones((64, 100)), keys(**where)))


def test_training_silences_half_and_scales_nothing():
  x = jax.random.normal(jax.random.key(0), (64, 2048)) + 10
  y = L.dropout(x, keys())
  silent = np.asarray(y == 0)
  assert abs(silent.mean() - 0.5) < 0.01
  np.testing.assert_array_equal(y, np.where(silent, 0, x))


def test_the_test_pass_halves_every_neuron():
  x = jax.random.normal(jax.random.key(0), (2, 33))
  np.testing.assert_array_equal(L.dropout(x, None), 0.5 * x)


@pytest.mark.parametrize('neurons', [10, 32, 33])
def test_the_mean_over_masks_is_what_the_test_pass_gives(neurons):
  x = jnp.ones((4096, neurons))
  mean = np.asarray(L.dropout(x, keys(4096)).mean(0))
  # Each neuron is a fair coin: five standard deviations of 4096 throws.
  np.testing.assert_allclose(mean, L.dropout(x, None)[0], atol=5 * 0.5 / 64)


def test_neurons_are_silenced_independently():
  m = np.asarray(L.dropout(jnp.ones((4096, 70)), keys(4096)))
  off_diagonal = np.corrcoef(m.T) - np.eye(70)
  assert np.abs(off_diagonal).max() < 5.5 / 64


@pytest.mark.parametrize('other', [
    {'step': 1}, {'layer': 'fc7'}, {'column': 1}], ids=str)
def test_the_mask_differs_by_step_layer_and_column(other):
  assert 0.45 < (mask() != mask(**other)).mean() < 0.55


def test_every_example_has_a_mask_of_its_own():
  assert len(np.unique(mask(), axis=0)) == 64


def test_the_gradient_passes_where_the_neuron_spoke():
  gradient = jax.grad(lambda x: L.dropout(x, keys()).sum())(jnp.ones((64, 100)))
  np.testing.assert_array_equal(gradient, mask())
