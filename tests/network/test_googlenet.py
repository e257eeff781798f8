"""GoogLeNet: counts and sizes of Table 1, and its side classifiers."""

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.network import describe, layers, placement, rng
from alexnet_jax.network.pooling import max_pool
from alexnet_jax.network.shapes import layer_shapes


@pytest.fixture(scope='module')
def paper():
  return nets.build('googlenet', placement.make_mesh(1, 1, 1), 1000, 224)


@pytest.fixture(scope='module')
def tiny_net():
  model = nets.build('googlenet', placement.make_mesh(1, 1, 1), 5, 64,
                     width=0.05)
  draw = np.random.default_rng(0)
  return model, jax.tree.map(
      lambda leaf: jnp.asarray(draw.normal(0, 0.2, leaf.shape), leaf.dtype),
      jax.eval_shape(model.init, jax.random.key(0)))


def test_maps_are_those_of_table_1(paper):
  outputs = {at.layer.name: at.outputs for at in layer_shapes(
      paper.layers, 1, 224)}
  assert list(outputs.values()) == [
      (56, 56, 64), (56, 56, 64), (28, 28, 192), (28, 28, 256), (14, 14, 480),
      (14, 14, 512), (14, 14, 512), (14, 14, 512), (14, 14, 528), (7, 7, 832),
      (7, 7, 832), (1024,)]


def test_counts_are_exact_with_and_without_side_classifiers(paper):
  rows = {row.layer: row for row in describe.layer_rows(paper, 1000)}
  sides = [row for name, row in rows.items() if name.startswith('side')]
  count = sum(row.parameters for row in rows.values())
  assert count == 13_378_280
  assert count - sum(row.parameters for row in sides) == 6_998_552
  # "1.5 billion multiply-adds at inference time" (section 1).
  flops = sum(row.flops for row in rows.values() if row not in sides)
  assert flops / 2e9 == pytest.approx(1.5, abs=0.1)
  assert rows['inception4a'].shape == (14, 14, 512)


def test_side_classifiers_are_a_part_of_training_alone(tiny_net):
  model, variables = tiny_net
  patches = 50 * jax.random.normal(jax.random.key(1), (2, 64, 64, 3))
  keys = rng.per_example(jax.random.key(2), 2)
  training = jax.eval_shape(model.forward, variables, patches, keys)
  assert [logits.shape for logits in training.side_logits] == [(2, 5)] * 2
  assert jax.eval_shape(model.forward, variables, patches).side_logits == ()
  assert model.side_weight == 0.3
  without = nets.build('googlenet', placement.make_mesh(1, 1, 1), 5, 64,
                       width=0.05, side_classifiers=False)
  assert not any(layer.side for layer in without.layers)


def test_every_branch_of_a_module_is_in_its_outputs(tiny_net):
  model, variables = tiny_net
  at = next(at for at in layer_shapes(model.layers, 1, 64)
            if at.layer.name == 'inception3a')
  params = jax.tree.map(lambda leaf: leaf[0],
                        variables['columns']['inception3a'])
  x = jax.random.normal(jax.random.key(1), (1, *at.reads))
  y = at.layer.module.apply({'params': params}, x)
  assert y.shape[1:] == at.neurons
  pooled = max_pool(jnp.pad(
      x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-jnp.inf), 3, 1)
  kernel, bias = (params['branch4_projection']['conv'][name]
                  for name in ('kernel', 'bias'))
  kernel = kernel[0, 0]
  np.testing.assert_allclose(
      y[..., -kernel.shape[1]:], np.maximum(np.einsum(
          'bhwi,io->bhwo', pooled, kernel) + np.asarray(bias), 0),
      rtol=1e-4, atol=1e-5)


def test_dropout_of_any_rate_keeps_the_mean():
  x = jnp.ones((4, 5000))
  y = layers.dropout_at(x, rng.per_example(jax.random.key(0), 4), 0.7)
  assert float((y == 0).mean()) == pytest.approx(0.7, abs=0.02)
  np.testing.assert_allclose(y[y > 0], 1 / 0.3, rtol=1e-6)
  assert layers.dropout_at(x, None, 0.7) is x


def test_it_is_one_column():
  with pytest.raises(InputError) as error:
    nets.build('googlenet', placement.make_mesh(1, 1, 1), 5, 64, num_columns=2)
  for part in ('num_columns=2', 'googlenet', 'give 1'):
    assert part in str(error.value)
