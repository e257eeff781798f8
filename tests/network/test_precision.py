"""Computing in fewer bits, with parameters in float32."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.network import models
from alexnet_jax.network.response_norm import local_response_norm

pytestmark = pytest.mark.slow


def trained(net, problem, loss_and_gradients, name, steps=12):
  """(losses, parameters) of plain gradient descent on one batch."""
  params, patches, labels, _ = problem()
  step = jax.jit(loss_and_gradients(
      models.with_precision(name, net()).apply))
  losses = []
  for _ in range(steps):
    (loss, _), grads = step(params, patches, labels, None)
    params = jax.tree.map(lambda w, g: w - 0.01 * g, params, grads)
    losses.append(float(loss))
  return np.array(losses), params


@pytest.fixture(scope='module')
def curves(net, problem, loss_and_gradients):
  return {name: trained(net, problem, loss_and_gradients, name)
          for name in models.PRECISIONS}


def test_bfloat16_follows_float32(curves):
  (exact, _), (rounded, _) = curves['float32'], curves['bfloat16']
  assert exact[-1] < 0.9 * exact[0]  # there is something to follow
  np.testing.assert_allclose(rounded, exact, rtol=0.05)
  assert np.any(rounded != exact)  # and it is another computation


def test_tf32_is_float32_where_a_device_does_not_know_it(curves):
  np.testing.assert_allclose(
      curves['tf32'][0], curves['float32'][0], rtol=1e-5)


@pytest.mark.parametrize('name', models.PRECISIONS)
def test_parameters_and_their_gradients_stay_float32(curves, name):
  for leaf in jax.tree.leaves(curves[name][1]):
    assert leaf.dtype == jnp.float32


def test_small_updates_are_not_lost_in_bfloat16(curves):
  _, exact = curves['float32']
  _, rounded = curves['bfloat16']

  def kept(leaf):  # by what sixteen bits can hold
    return np.mean(np.asarray(leaf) == np.asarray(
        leaf.astype(jnp.bfloat16).astype(jnp.float32)))

  assert all(kept(leaf) < 0.1 for leaf in jax.tree.leaves(rounded)
             if leaf.size > 100)
  jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=0.02),
               rounded, exact)


def test_what_comes_out_is_float32(net, problem):
  params, patches, _, _ = problem()
  rounded = models.with_precision('bfloat16', net())
  logits, features = jax.eval_shape(rounded.apply, params, patches)
  assert logits.dtype == features.dtype == jnp.float32


def test_maps_inside_are_bfloat16(net, problem):
  params, patches, _, _ = problem()
  rounded = models.with_precision('bfloat16', net())
  text = jax.jit(rounded.apply).lower(params, patches).as_text()
  products = [line for line in text.splitlines()
              if 'stablehlo.convolution' in line or 'dot_general' in line]
  assert products and all('bf16' in line for line in products)


def test_the_norm_of_bfloat16_maps_is_that_of_float32_rounded():
  draw = np.random.default_rng(0)
  x = jnp.asarray(draw.normal(0, 30, (2, 3, 3, 16)), jnp.bfloat16)
  g = jnp.asarray(draw.normal(0, 1, x.shape), jnp.bfloat16)
  y, back = jax.vjp(local_response_norm, x)
  exact, exact_back = jax.vjp(
      local_response_norm, x.astype(jnp.float32))
  assert y.dtype == back(g)[0].dtype == jnp.bfloat16
  np.testing.assert_array_equal(y, exact.astype(jnp.bfloat16))
  np.testing.assert_array_equal(
      back(g)[0], exact_back(g.astype(jnp.float32))[0].astype(jnp.bfloat16))


def test_another_precision_is_refused(net):
  with pytest.raises(InputError, match="'float16' is not known.*bfloat16"):
    models.with_precision('float16', net())
