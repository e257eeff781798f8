"""The parts of a column, against appendix A, plain loops and differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from alexnet_jax.network import layers as L
from alexnet_jax.network import rng
from alexnet_jax.network.alexnet import CONV1_PADDING

A2 = np.float32([-100, 200, -300, 400, 500, -600, 0, 50])
relu = jax.nn.relu


# --- By hand, in float64 ------------------------------------------------------


def norm_by_hand(a, k, n, alpha, beta):
  b = np.empty_like(a)
  for i in range(a.shape[-1]):
    low = i - n // 2
    window = a[..., max(0, low) : low + n]
    b[..., i] = a[..., i] / (k + alpha * np.square(window).sum(-1)) ** beta
  return b


def within_by_hand(a, size, alpha, beta):
  b = np.empty_like(a)
  for y, x in np.ndindex(a.shape[1:3]):
    top, left = y - size // 2, x - size // 2
    square = a[:, max(0, top) : top + size, max(0, left) : left + size]
    d = 1 + alpha * np.square(square).sum((1, 2))
    b[:, y, x] = a[:, y, x] / d**beta
  return b


def pool_by_hand(a, size, stride):
  count = [1 + -(-(side - size) // stride) for side in a.shape[1:3]]
  b = np.empty((len(a), *count, a.shape[-1]))
  for y, x in np.ndindex(*count):
    top, left = y * stride, x * stride
    b[:, y, x] = a[:, top : top + size, left : left + size].max((1, 2))
  return b


def gradient_by_differences(f, x, g, h):
  gradient = np.empty_like(x)
  for place in np.ndindex(x.shape):
    step = np.zeros_like(x)
    step[place] = h
    gradient[place] = (g * (f(x + step) - f(x - step))).sum() / (2 * h)
  return gradient


def both_ways(f, x, g):
  """(f(x), gradient of sum(g * f(x)))."""

  def run(x, g):
    y, pull = jax.vjp(f, x)
    return y, pull(g)[0]

  return jax.jit(run)(x, g)


def check(ours, by_hand, shape, spread, h):
  """Value and gradient in float64, against loops and central differences."""
  draw = np.random.default_rng(0)
  x = draw.normal(0, spread, shape)
  with jax.enable_x64(True):
    g = draw.normal(size=by_hand(x).shape)
    y, gradient = both_ways(ours, jnp.asarray(x), jnp.asarray(g))
    np.testing.assert_allclose(y, by_hand(x), rtol=1e-12)
    np.testing.assert_allclose(
        gradient, gradient_by_differences(by_hand, x, g, h),
        rtol=1e-6, atol=1e-8 * np.abs(gradient).max())


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


# --- Response normalization (A2, A3) ------------------------------------------


@pytest.mark.parametrize('form, expected', [
    (lambda a: L.local_response_norm(a, alpha=2e-5),
     [-30.83678352, 42.04482076, -43.81912897, 42.29485054, 54.51224684,
      -70.27561856, 0, 9.42678723]),
    (lambda a: relu(L.local_response_norm(a, alpha=2e-5)),
     [0, 42.04482076, 0, 42.29485054, 54.51224684, 0, 0, 9.42678723]),
    (lambda a: L.local_response_norm(relu(a), alpha=2e-5),
     [0, 52.169486, 0, 66.22401043, 87.60318084, 0, 0, 29.18465801]),
    (lambda a: L.local_response_norm(relu(a)),
     [0, 19.6885161, 0, 22.28366382, 29.77615816, 0, 0, 27.2165527]),
    (lambda a: jnp.concatenate([L.local_response_norm(own, alpha=2e-5)
                                for own in jnp.split(a, 2, -1)], -1),
     [-30.83678352, 42.04482076, -63.06723114, 85.70162156, 68.35239652,
      -81.80693134, 0, 9.42678723]),
], ids=['signed', 'signed then relu', 'relu first', 'paper', 'two columns'])
def test_local_response_norm_gives_the_numbers_of_2012(form, expected):
  ours = form(jnp.asarray(A2).reshape(1, 1, 1, 8))[0, 0, 0]
  np.testing.assert_allclose(ours, expected, rtol=2e-6)


def test_an_even_window_reaches_one_map_further_down():
  ours = L.local_response_norm(jnp.full((1, 1, 1, 6), 1000.0), k=1.0, n=4,
                               alpha=1e-4 / 4)[0, 0, 0]
  np.testing.assert_allclose(
      ours, [52.39892388, 38.8498911, 31.38766218, 31.38766218, 31.38766218,
             38.8498911], rtol=2e-6)


def test_the_within_map_norm_clips_its_square_at_the_border():
  ours = L.within_map_norm(jnp.full((1, 7, 7, 1), 100.0))[0, ..., 0]
  for place, expected in (
      ((0, 0), 31.83696253), ((0, 1), 26.75648163), ((0, 2), 23.23680802),
      ((1, 1), 22.2882623), ((1, 2), 19.24500897), ((2, 2), 16.55600261)):
    np.testing.assert_allclose(ours[place], expected, rtol=2e-6)


@pytest.mark.parametrize('k, n, beta', [
    (2.0, 5, 0.75), (2.0, 4, 0.75), (1.0, 3, 0.5), (1.0, 9, 0.75),
    (2.0, 5, 0.6), (1.0, 5, 1.0)])
def test_the_norm_and_its_gradient_are_exact(k, n, beta):
  check(lambda x: L.local_response_norm(x, k, n, 1e-4, beta),
        lambda x: norm_by_hand(x, k, n, 1e-4, beta), (2, 2, 1, 7), 100, 1e-2)


@pytest.mark.parametrize('size', [5, 4, 3])
def test_the_within_map_norm_and_its_gradient_are_exact(size):
  check(lambda x: L.within_map_norm(x, size, 4e-5, 0.75),
        lambda x: within_by_hand(x, size, 4e-5, 0.75), (1, 5, 6, 2), 100, 1e-2)


def test_in_float32_the_norm_agrees_with_reduce_window():
  def plain(x):
    sums = lax.reduce_window(x * x, 0.0, lax.add, (1, 1, 1, 5), (1,) * 4,
                             'SAME')
    return x / (2.0 + 1e-4 * sums) ** 0.75

  x, g = jnp.float32(
      np.random.default_rng(0).normal(0, 100, (2, 2, 9, 9, 16)))
  ours, theirs = (both_ways(f, x, g) for f in (L.local_response_norm, plain))
  np.testing.assert_allclose(ours[0], theirs[0], rtol=3e-6)
  np.testing.assert_allclose(ours[1], theirs[1], rtol=2e-5, atol=1e-5)


# --- Pooling ------------------------------------------------------------------


@pytest.mark.parametrize('size, stride, shape', [
    (3, 2, (2, 7, 9, 2)),  # fits
    (3, 2, (2, 8, 6, 2)),  # hangs over
    (2, 2, (2, 6, 6, 2)),  # does not overlap
    (2, 2, (1, 5, 7, 2)),  # does not overlap and hangs over
    (3, 1, (1, 5, 5, 2)),
    (2, 3, (1, 8, 7, 2)),  # leaves units unread
])
def test_pooling_and_its_gradient_are_exact(size, stride, shape):
  check(lambda x: L.max_pool(x, size, stride),
        lambda x: pool_by_hand(x, size, stride), shape, 10, 1e-6)


@pytest.mark.parametrize('side, pooled', [(55, 27), (27, 13), (13, 6),
                                          (56, 28), (12, 6)])
def test_the_number_of_windows_is_rounded_up(side, pooled):
  out = jax.eval_shape(L.max_pool, jnp.zeros((1, side, side, 1)))
  assert out.shape == (1, pooled, pooled, 1)


def test_what_hangs_over_never_wins():
  x = jnp.full((1, 4, 4, 1), -7.0)
  assert (L.max_pool(x) == -7).all()


def test_in_float32_pooling_agrees_with_reduce_window():
  def plain(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 3, 3, 1), (1, 2, 2, 1),
                             'VALID')

  draw = np.random.default_rng(0)
  x = jnp.float32(draw.normal(size=(2, 13, 13, 8)))
  g = jnp.float32(draw.normal(size=(2, 6, 6, 8)))
  ours, theirs = (both_ways(f, x, g) for f in (L.max_pool, plain))
  np.testing.assert_array_equal(ours[0], theirs[0])
  np.testing.assert_allclose(ours[1], theirs[1], atol=1e-6)


def test_units_that_tie_for_the_maximum_each_get_the_whole_gradient():
  x = jnp.array([[1.0, 5, 5], [0, 5, 2], [3, 4, 1]]).reshape(1, 3, 3, 1)
  gradient = jax.grad(lambda x: 7 * L.max_pool(x).sum())(x)[0, ..., 0]
  np.testing.assert_array_equal(gradient, [[0, 7, 7], [0, 7, 0], [0, 0, 0]])


@pytest.mark.parametrize('size, stride', [(3, 2), (2, 2), (3, 1), (2, 3)])
@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16], ids=str)
@pytest.mark.parametrize('f', [relu, jnp.tanh], ids=['relu', 'tanh'])
def test_every_window_finds_its_maximum_again(f, dtype, size, stride):
  # One program may work the maps out anew for the gradient, and rounds them
  # where it likes: the units that equal the maximum must still be the same.
  x = jax.random.normal(jax.random.key(0), (4, 13, 13, 8), dtype)
  below = lambda x: L.local_response_norm(50 * f(x))
  pool = lambda x: L.max_pool(x, size, stride)
  y = jax.jit(below)(x)
  g = jnp.ones_like(pool(y))
  in_pieces = jax.vjp(below, x)[1](jax.jit(
      lambda y: jax.vjp(pool, y)[1](g)[0])(y))[0]
  in_one = jax.jit(lambda x: jax.vjp(lambda x: pool(below(x)), x)[1](g)[0])(x)
  # A window whose gradient is lost would be a difference of 20 or more.
  error = 0.5 if dtype == jnp.bfloat16 else 1e-3
  np.testing.assert_allclose(
      in_one.astype(jnp.float32), in_pieces.astype(jnp.float32),
      rtol=error / 10, atol=error)


def test_overlapping_windows_add_their_gradients():
  x = jnp.zeros((1, 5, 5, 1)).at[0, 2, 2, 0].set(1.0)  # in all four windows
  gradient = jax.grad(lambda x: L.max_pool(x).sum())(x)
  np.testing.assert_array_equal(gradient, 4 * x)


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
