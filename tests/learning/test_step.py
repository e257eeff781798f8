"""The two pure functions that a run is made of."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from alexnet_jax.data import loader, statistics
from alexnet_jax.learning import augment, learning_rate, optimizer, step
from alexnet_jax.learning.learning_rate import Rates
from alexnet_jax.network import classifier, columns, full_layers, placement, rng
from alexnet_jax.network import layers as L
from alexnet_jax.run import device_data, experiment, typed_config

ON = {'crop': 64, 'random_crops': True, 'flips': True, 'share_crops': 1,
      'jitter': 0.5, 'jitter_scale': 'stddev', 'jitter_rescale': True,
      'jitter_until': 3}


@pytest.fixture(scope='module')
def given():
  """(experiment, state, batch) of the tiny experiment."""
  config = tiny.config()
  source = typed_config.read(config).open_split('train')
  built = experiment.build(typed_config.read(config), 12, len(source))
  found = statistics.statistics(source)
  state = built.new_state(augment.pixel_stats(found.mean, found.covariance))
  batch = next(loader.train_batches(source, batch_size=16, seed=0))
  return config, built, state, device_data.to_device(batch, built.mesh)


@pytest.fixture(scope='module')
def move(given):
  """The step of the tiny experiment, which is compiled once."""
  return given[1].train_step()


def patches(given, epoch, **fields):
  _, built, state, batch = given
  keys = rng.per_example(rng.stream(0, 'crop'), 16)
  return np.asarray(jax.jit(lambda images: step.augment_batch(
      images, state.input_stats, augment.Augmentation(**ON | fields), epoch,
      built.mesh, keys, keys))(batch['image']))


@pytest.mark.parametrize('epoch', [1, 2])
def test_jitter_until_an_epoch_is_jitter_before_it(given, epoch):
  np.testing.assert_array_equal(
      patches(given, epoch), patches(given, epoch, jitter_until=0))


@pytest.mark.slow
@pytest.mark.parametrize('epoch', [3, 4])
def test_jitter_until_an_epoch_is_none_from_it_on(given, epoch):
  np.testing.assert_array_equal(
      patches(given, epoch), patches(given, epoch, jitter=0.0))
  assert not np.isclose(
      patches(given, epoch), patches(given, 2), atol=0.01).all()


@pytest.mark.slow
def test_an_epoch_is_the_steps_of_one_cycle(given):
  # 64 images in batches of 16: steps 0 to 3 are the first epoch.
  _, built, state, batch = given

  def losses(**fields):
    config = tiny.config({f'augment.{k}': v for k, v in fields.items()})
    settings = typed_config.read(config)
    move = built._replace(settings=settings).train_step()
    return [float(move(at(state, step), batch)[1]['loss']) for step in (3, 4)]

  until, never = (losses(jitter=1.0, jitter_until=2), losses(jitter=0.0))
  assert until[0] != pytest.approx(never[0], rel=1e-5)
  assert until[1] == pytest.approx(never[1], rel=1e-5)


def at(state, step):
  """A copy of the state, at another step; the original is not given up."""
  return jax.tree.map(lambda x: x.copy(), state)._replace(
      step=jax.device_put(np.int32(step), state.step.sharding))


@pytest.mark.slow
def test_a_step_counts_itself_and_moves_every_leaf(given, move):
  _config, _built, state, batch = given
  before = jax.device_get(state)
  after, measured = move(at(state, 0), batch)
  assert (before.step, after.step) == (0, 1)
  for path, leaf in jax.tree_util.tree_leaves_with_path(before.params):
    there = after.params
    for entry in path:
      there = there[entry.key]
    assert (leaf != there).any(), path
  tiny.assert_same(jax.device_get(after.input_stats), before.input_stats)
  assert set(measured) == {'loss', 'top1_error', 'top5_error'}


def test_a_step_depends_on_the_seed_and_the_step_alone(given, move):
  _config, _built, state, batch = given
  losses = [float(move(at(state, step), batch)[1]['loss'])
            for step in (0, 0, 1)]
  assert losses[0] == losses[1] != losses[2]  # other patches, other dropout


# --- Parts of a batch, weights of classes, clipping ---------------------------


BATCH, SIDE, CLASSES = 16, 20, 3
AUGMENTED = augment.Augmentation(**ON | {'crop': 16, 'share_crops': 3})


def one_step(mesh_shape=(1, 1), clip_norm=0.0, steps=1, rule='momentum',
             divided=False, **options):
  """(parameters, what was measured) after float64 steps of two columns."""
  with jax.enable_x64(True), jax.numpy_dtype_promotion('standard'):
    mesh = placement.make_mesh(*mesh_shape, 2)
    full = L.fully_connected(CLASSES, stddev=0.1, bias=0.0)
    model = classifier.build(
        (columns.Layer('conv1', L.conv(4, 5, stddev=0.1, bias=0.1, stride=4),
                       False, (jax.nn.relu,)),
         columns.Layer('fc6', L.fully_connected(8, stddev=0.1, bias=0.1), True,
                       (jax.nn.relu,), dropout=True)),
        full, SimpleNamespace(num_columns=2, crossings=('fc6', 'fc8')), mesh,
        AUGMENTED.crop)
    if divided:
      model = full_layers.divide(model, mesh)
    rule = optimizer.update_rule(rule, 0.9, 0.0005, clip_norm=clip_norm)
    draw = np.random.default_rng(0)
    stats = augment.pixel_stats(
        draw.uniform(0, 255, (SIDE, SIDE, 3)).astype(np.float32),
        np.eye(3, dtype=np.float32))
    state = step.new_state(model.init, rule, 0, 0.01, stats)
    state = jax.tree.map(
        lambda x: x.astype(float) if x.dtype == jnp.float32 else x, state)
    state = jax.device_put(
        state, placement.param_shardings(mesh, state, model.divided))
    move = step.make_train_step(
        model, rule, AUGMENTED, Rates(), mesh, 0,
        learning_rate.Length(10, 100), **options)
    batch = {
        'image': draw.integers(0, 256, (BATCH, SIDE, SIDE, 3), np.uint8),
        'label': draw.integers(0, CLASSES, BATCH).astype(np.int32)}
    for _ in range(steps):
      state, measured = move(state, device_data.to_device(batch, mesh))
    return jax.device_get((state.params, measured))


def assert_same_to_rounding(ours, theirs):
  for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-13 * np.abs(b).max())


WEIGHTS = np.float32([0.25, 1, 2])


@pytest.fixture(scope='module')
def whole():
  """A step of the whole batch, in float64."""
  return one_step(class_weights=WEIGHTS, clip_norm=1e6)


@pytest.mark.slow
@pytest.mark.parametrize('mesh_shape, parts', [
    ((1, 1), BATCH), ((2, 1), 4), ((1, 2), 2)])
def test_a_batch_in_parts_gives_the_step_of_the_whole_batch(
    whole, mesh_shape, parts):
  # With the crops, colors and dropout of each example, on any mesh.
  assert_same_to_rounding(
      one_step(mesh_shape, parts=parts, class_weights=WEIGHTS, clip_norm=1e6),
      whole)


@pytest.mark.slow
def test_divided_full_layers_train_as_on_one_device():
  # Three updates with dropout, velocities, and norms of divided kernels.
  alone = one_step(steps=3, rule='lars')
  for mesh_shape in ((2, 1), (4, 1)):
    assert_same_to_rounding(
        one_step(mesh_shape, steps=3, rule='lars', divided=True), alone)


@pytest.mark.slow
def test_divided_full_layers_take_a_batch_in_parts(whole):
  assert_same_to_rounding(
      one_step((2, 2), parts=2, class_weights=WEIGHTS, clip_norm=1e6,
               divided=True), whole)


def test_weights_change_the_loss_and_not_the_errors(whole):
  params, measured = one_step()
  assert set(measured) == {'loss', 'top1_error', 'top5_error'}
  assert set(whole[1]) == {*measured, 'gradient_norm'}
  assert whole[1]['top1_error'] == measured['top1_error']
  assert abs(whole[1]['loss'] - measured['loss']) > 0.01
  assert np.abs(whole[0]['fc8']['kernel'] - params['fc8']['kernel']).max() > 0


def test_the_loss_of_each_example_has_the_weight_of_its_class():
  logits = np.float32([[1, 2, 3], [0, 0, 0], [3, 0, 1], [2, 1, 0]])
  labels = np.array([2, 0, 1, 2])
  losses = np.log(np.exp(logits).sum(1)) - logits[range(4), labels]
  by_hand = (2 * losses[0] + 0.25 * losses[1] + losses[2] + 2 * losses[3]) / 4
  assert step.weighted_loss(logits, labels, WEIGHTS) == pytest.approx(
      by_hand, rel=1e-6)
