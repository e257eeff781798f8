"""A data set that lives on the device gives the same run."""

import jax
import numpy as np
import pytest
import tiny

from alexnet_jax.network import placement
from alexnet_jax.run import device_data, experiment, training, typed_config


@pytest.mark.slow
@pytest.mark.parametrize('mesh', [(1, 1), (2, 2)])
def test_the_run_is_the_same_to_the_last_bit(mesh, tmp_path):
  fields = {'mesh.data': mesh[0], 'mesh.column': mesh[1], 'run.steps': 3}
  states = []
  for hold in (False, True):
    config = tiny.config(fields | {'run.hold_data': hold})
    workdir = str(tmp_path / str(hold))
    training.train(typed_config.read(config), workdir)
    states.append(tiny.state(config, workdir))
  tiny.assert_same(*states)


@pytest.mark.parametrize('at_step', [0, 5])
def test_batches_are_those_of_the_loader(at_step):
  config = tiny.config({'mesh.data': 2})
  source = typed_config.read(config).open_split('train')
  built = experiment.build(
    typed_config.read(config), len(source.class_names), len(source)
  )
  streamed = built.train_batches(source, at_step)
  config.run.hold_data = True
  picked = built.device_batches(source, at_step)
  for _ in range(6):  # into the next epoch
    ours, theirs = next(picked), next(streamed)
    for name in ('image', 'label'):
      np.testing.assert_array_equal(ours[name], theirs[name])
      assert ours[name].dtype == theirs[name].dtype
      assert ours[name].sharding == placement.batch_sharding(built.mesh)
  picked.close()
  streamed.close()


def test_every_device_holds_every_image():
  config = tiny.config({'mesh.data': 2, 'mesh.column': 2})
  source = typed_config.read(config).open_split('train')
  mesh = placement.make_mesh(2, 2, 2)
  found = device_data.load(source, mesh, threads=2)
  assert found['image'].dtype == np.uint8
  assert found['image'].shape == (64, 72, 72, 3)
  assert found['image'].is_fully_replicated
  assert len(found['image'].sharding.device_set) == 4
  labels = jax.device_get(found['label'])
  np.testing.assert_array_equal(
      labels, [source[i]['label'] for i in range(len(source))])


def test_nothing_is_decoded_during_the_run(monkeypatch):
  config = tiny.config({'run.hold_data': True})
  source = typed_config.read(config).open_split('train')
  built = experiment.build(
    typed_config.read(config), len(source.class_names), len(source)
  )
  batches = built.device_batches(source)
  next(batches)

  def never(self, i):
    raise AssertionError(f'image {i} was decoded again')

  monkeypatch.setattr(type(source), '__getitem__', never)
  next(batches)
  batches.close()
