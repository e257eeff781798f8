"""Every experiment can be built as it is and, narrowed, takes a step."""

import glob
import importlib.util
import os

import jax
import program
import pytest
import tiny

from alexnet_jax import augment, experiment
from alexnet_jax.data import loader, statistics

CONFIGS = sorted(glob.glob(
    os.path.join(program.ROOT, 'configs', '**', '*.py'), recursive=True))
PARAMETERS = {
    'paper.py': 60_965_224,
    'authors_2012.py': 60_965_224,
    'one_gpu.py': 59_798_312,
}
NARROW = {name: value for name, value in tiny.FIELDS.items()
          if name.startswith(('model.', 'data.')) or name.endswith('batch_size')
          } | {
    'data.name': 'procedural', 'data.path': '', 'data.image_size': 72,
    'augment.crop': 64}


def config_of(path):
  spec = importlib.util.spec_from_file_location('some_config', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module, module.get_config().lock()


def short(path):
  return os.path.relpath(path, os.path.join(program.ROOT, 'configs'))


@pytest.fixture(params=CONFIGS, ids=short)
def path(request):
  return request.param


def test_there_are_configs():
  assert {'quickstart.py', *PARAMETERS} <= {short(path) for path in CONFIGS}


def test_a_config_says_how_to_run_it(path):
  module, _ = config_of(path)
  assert f'launch.py --config=configs/{short(path)}' in module.__doc__


def test_every_config_has_the_fields_of_the_paper(path):
  fields = lambda config: {
      f'{section}.{name}' for section, held in config.items()
      if hasattr(held, 'items') for name in held}
  _, paper = config_of(os.path.join(program.ROOT, 'configs/paper.py'))
  _, config = config_of(path)
  assert fields(paper) <= fields(config)


def test_a_config_builds_at_full_size(path):
  _, config = config_of(path)
  classes = 12 if config.data.name == 'procedural' else 1000
  built = experiment.build(config, classes, 1_281_167)
  shapes = experiment.state_shapes(config, built)
  parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes.params))
  assert parameters == PARAMETERS.get(short(path), parameters) > 10_000
  assert built.total_steps == int(
      config.run.epochs * (1_281_167 // config.optimizer.batch_size))


def test_a_config_takes_a_step_when_narrowed(path):
  _, config = config_of(path)
  config.update_from_flattened_dict(NARROW)
  source = experiment.open_split(config, 'train')
  built = experiment.build(config, 12, len(source))
  found = statistics.statistics(source)
  state = experiment.new_state(
      config, built, augment.pixels(found.mean, found.covariance))
  before = jax.device_get(state.params)
  batch = next(loader.train_batches(
      source, batch_size=config.optimizer.batch_size, seed=0))
  state, measured = experiment.train_step(config, built)(
      state, experiment.to_device(batch, built.mesh))
  assert 0 < measured['loss'] < 20
  moved = jax.tree.map(lambda a, b: bool((a != b).any()), before, state.params)
  assert moved['fc8'] == {'kernel': True, 'bias': True}
