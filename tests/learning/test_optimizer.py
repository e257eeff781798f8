"""The update rule of section 5, by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from nets import tree

from alexnet_jax.learning import optimizer

RULE = optimizer.momentum_sgd(0.9, 0.0005)


def state_with(velocity, params):
  *others, trace = RULE.init(params)
  return (*others, trace._replace(trace=velocity))


def move(params, state, grads, rates):
  updates, state = RULE.update(grads, state, params, rates=rates)
  return optax.apply_updates(params, updates), state


def test_one_update_gives_the_numbers_of_2012():
  params = tree(1, 1)
  state = state_with(tree(0.1, 0.1), params)
  params, state = move(params, state, tree(2, 2), tree(0.01, 0.02))
  velocity = state[-1].trace['conv1']
  np.testing.assert_allclose(velocity['kernel'], 0.069995, rtol=1e-6)
  np.testing.assert_allclose(params['conv1']['kernel'], 1.069995, rtol=1e-6)
  np.testing.assert_allclose(velocity['bias'], 0.05, rtol=1e-6)
  np.testing.assert_allclose(params['conv1']['bias'], 1.05, rtol=1e-6)


def seven_updates():
  """Gradients and rates of seven updates, the rate falling after the third."""
  grads = np.random.default_rng(0).normal(size=(7, 5))
  return grads, [0.1] * 3 + [0.01] * 4


def test_seven_updates_across_a_rate_drop_follow_the_printed_rule():
  grads, rates = seven_updates()
  w, v = np.linspace(-1, 1, 5), np.zeros(5)
  params = {'conv1': {'kernel': jnp.float32(w)}}
  state = RULE.init(params)
  step = jax.jit(move)
  for g, rate in zip(grads, rates, strict=True):
    v = 0.9 * v - 0.0005 * rate * w - rate * g
    w = w + v
    params, state = step(params, state, {'conv1': {'kernel': jnp.float32(g)}},
                         {'conv1': {'kernel': jnp.float32(rate)}})
    np.testing.assert_allclose(params['conv1']['kernel'], w, rtol=1e-5)
    np.testing.assert_allclose(state[-1].trace['conv1']['kernel'], v,
                               rtol=1e-5)


def test_optax_sgd_differs_once_the_rate_has_dropped():
  grads, rates = seven_updates()
  ours = theirs = {'conv1': {'kernel': jnp.linspace(-1, 1, 5)}}
  sgd = optax.inject_hyperparams(lambda learning_rate: optax.chain(
      optax.add_decayed_weights(0.0005),
      optax.sgd(learning_rate, momentum=0.9)))(learning_rate=0.1)
  state, sgd_state = RULE.init(ours), sgd.init(theirs)
  for count, (g, rate) in enumerate(zip(grads, rates, strict=True), 1):
    g = {'conv1': {'kernel': jnp.float32(g)}}
    ours, state = move(ours, state, g, {'conv1': {'kernel': jnp.float32(rate)}})
    sgd_state.hyperparams['learning_rate'] = jnp.float32(rate)
    updates, sgd_state = sgd.update(g, sgd_state, theirs)
    theirs = optax.apply_updates(theirs, updates)
    same = np.allclose(ours['conv1']['kernel'], theirs['conv1']['kernel'],
                       rtol=1e-5)
    assert same == (count <= 3)


def test_a_layer_can_have_a_decay_of_its_own():
  params = {**tree(1, 1), **tree(1, 1, 'conv2'), **tree(1, 1, 'fc8')}
  rule = optimizer.momentum_sgd(0.9, 0.5, (('fc8', 3.0), ('conv2', 0.0)))
  still, ones = (jax.tree.map(lambda x, to=to: x * 0 + to, params)
                 for to in (0, 1))
  updates, _ = rule.update(still, rule.init(params), params, rates=ones)
  assert {layer: float(held['kernel']) for layer, held in updates.items()} == {
      'conv1': -0.5, 'conv2': 0.0, 'fc8': -3.0}
  assert not any(held['bias'] for held in updates.values())


def test_kernels_decay_and_biases_do_not():
  params = tree(1, 1)
  moved, _ = move(params, RULE.init(params), tree(0, 0), tree(0.1, 0.1))
  np.testing.assert_allclose(moved['conv1']['kernel'], 1 - 0.1 * 0.0005)
  assert moved['conv1']['bias'] == 1


@pytest.mark.parametrize('zero', [0.0, jnp.float32(0)], ids=['known', 'traced'])
@pytest.mark.parametrize('gradient', [3.0, np.nan])
def test_a_frozen_leaf_keeps_weights_and_velocity(zero, gradient):
  params, velocity = tree(1, 1), tree(0.1, 0.1)
  moved, state = jax.jit(
      lambda *given: move(*given, {'conv1': {'kernel': zero, 'bias': 0.1}}))(
          params, state_with(velocity, params), tree(gradient, 1))
  assert moved['conv1']['kernel'] == 1
  assert state[-1].trace['conv1']['kernel'] == velocity['conv1']['kernel']
  assert moved['conv1']['bias'] != 1


def test_a_thawed_leaf_goes_on_with_the_velocity_that_it_had():
  params = tree(1, 1)
  state = state_with(tree(0.1, 0.1), params)
  for rate in (0.0, 0.0, 0.01):
    params, state = move(params, state, tree(2, 2), tree(rate, 2 * rate))
  np.testing.assert_allclose(params['conv1']['kernel'], 1.069995, rtol=1e-6)


# --- Other rules, and clipping ------------------------------------------------


def run_rule(rule, steps, rates=0.1, layer='conv1'):
  """Parameters after each step with some gradients; rates by leaf or one."""
  params = tree(1, 1, layer)
  state, seen = rule.init(params), []
  draw = np.random.default_rng(0)
  for _ in range(steps):
    grads = tree(draw.normal(), draw.normal(), layer)
    each = rates if isinstance(rates, dict) else tree(rates, rates, layer)
    with jax.numpy_dtype_promotion('standard'):  # for Optax's Adam
      updates, state = rule.update(grads, state, params, rates=each)
    params = optax.apply_updates(params, updates)
    seen.append(params)
  return seen, state


def test_adamw_is_that_of_optax():
  ours, _ = run_rule(optimizer.update_rule('adamw', 0.9, 0.01), 5)
  theirs = tree(1, 1)
  adamw = optax.adamw(0.1, weight_decay=0.01, mask={
      'conv1': {'kernel': True, 'bias': False}})
  state, draw = adamw.init(theirs), np.random.default_rng(0)
  for step in range(5):
    with jax.numpy_dtype_promotion('standard'):
      updates, state = adamw.update(
          tree(draw.normal(), draw.normal()), state, theirs)
    theirs = optax.apply_updates(theirs, updates)
    for kind in ('kernel', 'bias'):
      np.testing.assert_allclose(
          ours[step]['conv1'][kind], theirs['conv1'][kind], rtol=1e-6)


def test_adamw_takes_the_decay_of_a_layer_and_its_momentum():
  (one,), _ = run_rule(optimizer.update_rule('adamw', 0.9, 0.01), 1)
  (two,), _ = run_rule(
      optimizer.update_rule('adamw', 0.9, 0.01, (('conv1', 0.5),)), 1)
  np.testing.assert_allclose(
      one['conv1']['kernel'] - two['conv1']['kernel'], 0.1 * 0.49, rtol=1e-5)
  (_, three), _ = run_rule(optimizer.update_rule('adamw', 0.5, 0.01), 2)
  assert three['conv1']['kernel'] != run_rule(
      optimizer.update_rule('adamw', 0.9, 0.01), 2)[0][1]['conv1']['kernel']


def test_two_steps_of_lars_by_hand():
  # The kernel has two columns, which are one layer with one norm.
  draw = np.random.default_rng(0)
  w, b = draw.normal(size=(2, 3, 4)), np.zeros(4)
  v, vb = np.zeros_like(w), np.zeros_like(b)
  params = {'conv1': {'kernel': jnp.float32(w), 'bias': jnp.float32(b)}}
  rule = optimizer.update_rule(
      'lars', 0.9, 0.0005, (('conv1', 0.3),), trust_coefficient=0.02)
  state = rule.init(params)
  for rate in (2.0, 1.0):
    g, gb = draw.normal(size=w.shape), draw.normal(size=4)
    decayed = g + 0.3 * w
    trust = 0.02 * np.linalg.norm(w) / np.linalg.norm(decayed)
    v, vb = 0.9 * v - rate * trust * decayed, 0.9 * vb - 3 * rate * 0.02 * gb
    w, b = w + v, b + vb
    updates, state = rule.update(
        {'conv1': {'kernel': jnp.float32(g), 'bias': jnp.float32(gb)}}, state,
        params, rates={'conv1': {'kernel': jnp.float32(rate),
                                 'bias': jnp.float32(3 * rate)}})
    params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params['conv1']['kernel'], w, rtol=1e-5)
    np.testing.assert_allclose(params['conv1']['bias'], b, rtol=1e-5)


def test_lars_takes_steps_of_one_length_whatever_the_gradients():
  rule = optimizer.update_rule('lars', 0.0, 0.0)
  params = tree(3, 1)
  for size in (1e-6, 1e6):
    updates, _ = rule.update(tree(-size, 0), rule.init(params), params,
                             rates=tree(10, 10))
    np.testing.assert_allclose(
        updates['conv1']['kernel'], 10 * 0.001 * 3, rtol=1e-5)


@pytest.mark.parametrize('clip_norm', [0.0, 0.5])
@pytest.mark.parametrize('rule', optimizer.RULES)
def test_frozen_leaves_stay_with_their_state_under_every_rule(rule, clip_norm):
  rates = {'conv1': {'kernel': 0.0, 'bias': jnp.float32(0.1)}}
  seen, state = run_rule(
      optimizer.update_rule(rule, 0.9, 0.01, clip_norm=clip_norm), 3, rates)
  assert seen[-1]['conv1']['kernel'] == 1 != seen[-1]['conv1']['bias']
  kernels = [leaf for path, leaf in jax.tree_util.tree_leaves_with_path(state)
             if getattr(path[-1], 'key', '') == 'kernel']
  assert kernels and not any(kernels)


def clipped(grads, rates, max_norm):
  """The gradients that reach the rule, and the norm that it was told."""
  rule = optimizer.update_rule('momentum', 0.0, 0.0, clip_norm=max_norm)
  ones = jax.tree.map(lambda x: x * 0, grads)
  updates, state = rule.update(grads, rule.init(ones), ones, rates=rates)
  moved = jax.tree.map(lambda rate, step: -step / rate if rate else step,
                       rates, updates)
  return moved, float(optax.tree.get(state, 'gradient_norm'))


def test_the_gradient_of_all_layers_together_is_clipped_as_optax_does():
  grads = {**tree(3, 0), **tree(0, 4, 'fc8')}
  rates = {**tree(1, 1), **tree(1, 1, 'fc8')}
  for max_norm in (1.0, 4.9, 5.1):
    moved, norm = clipped(grads, rates, max_norm)
    theirs, _ = optax.clip_by_global_norm(max_norm).update(
        grads, optax.EmptyState())
    assert norm == pytest.approx(5)
    for ours, leaf in zip(jax.tree.leaves(moved), jax.tree.leaves(theirs),
                          strict=True):
      assert float(ours) == pytest.approx(float(leaf))


def test_layers_that_are_not_trained_do_not_count_for_the_norm():
  grads = {**tree(3, 0), **tree(np.nan, 4, 'fc8')}
  rates = {**tree(1, 1), 'fc8': {'kernel': 0.0, 'bias': jnp.float32(0)}}
  moved, norm = clipped(grads, rates, 1.5)
  assert norm == pytest.approx(3)
  assert float(moved['conv1']['kernel']) == pytest.approx(1.5)


def test_clipping_comes_before_weight_decay_and_momentum():
  rule = optimizer.update_rule('momentum', 0.9, 0.5, clip_norm=1.0)
  params, state = tree(2, 0), rule.init(tree(2, 0))
  for velocity in (-2.0, -0.9 * 2 - 2):  # of a gradient of 1 and a decay of 1
    updates, state = rule.update(tree(10, 0), state, params, rates=tree(1, 1))
    assert float(updates['conv1']['kernel']) == pytest.approx(velocity)
