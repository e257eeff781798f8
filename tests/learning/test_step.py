"""The two pure functions that a run is made of."""

import jax
import numpy as np
import pytest
import tiny

from alexnet_jax.data import loader, statistics
from alexnet_jax.learning import augment, step
from alexnet_jax.network import rng
from alexnet_jax.run import device_data, experiment

ON = {'crop': 64, 'random_crops': True, 'flips': True, 'share_crops': 1,
      'jitter': 0.5, 'jitter_scale': 'stddev', 'jitter_rescale': True,
      'jitter_until': 3}


@pytest.fixture(scope='module')
def given():
  """(experiment, state, batch) of the tiny experiment."""
  config = tiny.config()
  source = experiment.read(config).open_split('train')
  built = experiment.build(experiment.read(config), 12, len(source))
  found = statistics.statistics(source)
  state = built.new_state(augment.pixel_stats(found.mean, found.covariance))
  batch = next(loader.train_batches(source, batch_size=16, seed=0))
  return config, built, state, device_data.to_device(batch, built.mesh)


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


@pytest.mark.parametrize('epoch', [3, 4])
def test_jitter_until_an_epoch_is_none_from_it_on(given, epoch):
  np.testing.assert_array_equal(
      patches(given, epoch), patches(given, epoch, jitter=0.0))
  assert not np.isclose(
      patches(given, epoch), patches(given, 2), atol=0.01).all()


def test_an_epoch_is_the_steps_of_one_cycle(given):
  # 64 images in batches of 16: steps 0 to 3 are the first epoch.
  _, built, state, batch = given

  def losses(**fields):
    config = tiny.config({f'augment.{k}': v for k, v in fields.items()})
    settings = experiment.read(config)
    move = built._replace(settings=settings).train_step()
    return [float(move(at(state, step), batch)[1]['loss']) for step in (3, 4)]

  always, until, never = (
      losses(jitter=1.0), losses(jitter=1.0, jitter_until=2),
      losses(jitter=0.0))
  assert until == [always[0], pytest.approx(never[1], rel=1e-5)]
  assert always[1] != pytest.approx(never[1], rel=1e-3)


def at(state, step):
  """A copy of the state, at another step; the original is not given up."""
  return jax.tree.map(lambda x: x.copy(), state)._replace(
      step=jax.device_put(np.int32(step), state.step.sharding))


def test_a_step_counts_itself_and_moves_every_leaf(given):
  _config, built, state, batch = given
  before = jax.device_get(state)
  after, measured = built.train_step()(
      at(state, 0), batch)
  assert (before.step, after.step) == (0, 1)
  for path, leaf in jax.tree_util.tree_leaves_with_path(before.params):
    there = after.params
    for entry in path:
      there = there[entry.key]
    assert (leaf != there).any(), path
  tiny.assert_same(jax.device_get(after.input_stats), before.input_stats)
  assert set(measured) == {'loss', 'top1_error', 'top5_error'}


def test_a_step_depends_on_the_seed_and_the_step_alone(given):
  _config, built, state, batch = given
  move = built.train_step()
  losses = [float(move(at(state, step), batch)[1]['loss'])
            for step in (0, 0, 1)]
  assert losses[0] == losses[1] != losses[2]  # other patches, other dropout
