"""Every experiment can be built as it is and, narrowed, can take a step."""

import glob
import importlib.util
import os

import jax
import numpy as np
import program
import pytest
import tiny

from alexnet_jax.data import loader, statistics
from alexnet_jax.learning import augment
from alexnet_jax.run import device_data, experiment

CONFIGS = sorted(glob.glob(
    os.path.join(program.ROOT, 'configs', '**', '*.py'), recursive=True))
PARAMETERS = {
    'paper.py': 60_965_224,
    'authors_2012.py': 60_965_224,
    'one_gpu.py': 59_798_312,
    'cifar10/net_19pct.py': 89_578,
    'cifar10/net_18pct.py': 89_578,
    'cifar10/net_80sec.py': 145_578,
    'cifar10/conv_local_13pct.py': 1_116_490,
    'cifar10/conv_local_11pct.py': 2_112_970,
    'cifar10/with_norm.py': 2_112_970,
    'cifar10/without_norm.py': 2_112_970,
}
CLASSES = {'procedural': 12, 'cifar10': 10}  # and ImageNet's 1000
# One of each wiring is run; other tests run the quickstart.
WIRINGS = ('authors_2012.py', 'cifar10/net_18pct.py',
           'cifar10/conv_local_11pct.py')
# Of every layer, as many as there are.
WIDTHS = {'kernels': 4, 'local_kernels': 4, 'neurons': 16, 'stddevs': 0.1}
NARROW = {name: value for name, value in tiny.FIELDS.items()
          if name.startswith('data.') or name.endswith('batch_size')
          } | {'data.name': 'procedural', 'data.path': ''}


def config_of(path):
  spec = importlib.util.spec_from_file_location('some_config', path)
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module, module.get_config().lock()


def narrowed(path):
  """The config with few maps and pictures, as small as its net can take."""
  _, config = config_of(path)
  config.update_from_flattened_dict(NARROW)
  for field, width in WIDTHS.items():
    if field in config.model:
      config.model[field] = (width,) * len(config.model[field])
  if config.augment.crop > 64:
    config.augment.crop, config.data.image_size = 64, 72
  return config


def short(path):
  return os.path.relpath(path, os.path.join(program.ROOT, 'configs'))


# The auto-encoders' config is of no network; tests/run/test_codes.py runs it.
@pytest.fixture(
    params=[path for path in CONFIGS if short(path) != 'codes.py'], ids=short)
def path(request):
  return request.param


def test_there_are_configs():
  assert {'quickstart.py', 'codes.py', *PARAMETERS} <= {
      short(path) for path in CONFIGS}


@pytest.mark.parametrize('path', CONFIGS, ids=short)
def test_a_config_says_how_to_run_it(path):
  module, _ = config_of(path)
  assert f'launch.py --config=configs/{short(path)}' in module.__doc__


def test_every_config_has_the_fields_of_the_paper(path):
  _, paper = config_of(os.path.join(program.ROOT, 'configs/paper.py'))
  _, config = config_of(path)
  fields = lambda held: {
      f'{section}.{name}' for section, fields in held.items()
      if hasattr(fields, 'items') for name in fields
      # Another network has fields of its own, which its `build` checks.
      if section != 'model' or config.model.name.startswith('alexnet')}
  assert fields(paper) <= fields(config)


def test_a_config_builds_at_full_size(path):
  _, config = config_of(path)
  classes = CLASSES.get(config.data.name, 1000)
  built = experiment.build(experiment.read(config), classes, 1_281_167)
  shapes = built.state_shapes()
  parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes.params))
  assert parameters == PARAMETERS.get(short(path), parameters) > 10_000
  assert built.total_steps == int(
      config.run.epochs * (1_281_167 // config.optimizer.batch_size))


def test_a_step_of_a_config_fits_together_when_narrowed(path):
  config = narrowed(path)
  built = experiment.build(experiment.read(config), 12, 64)
  before = built.state_shapes()
  size, batch = config.data.image_size, config.optimizer.batch_size
  after, measured = jax.eval_shape(
      built.train_step(), before,
      {'image': jax.ShapeDtypeStruct((batch, size, size, 3), np.uint8),
       'label': jax.ShapeDtypeStruct((batch,), np.int32)})
  shapes = lambda state: jax.tree.map(lambda x: (x.shape, x.dtype), state)
  assert shapes(after) == shapes(before)
  assert {'loss', 'top1_error'} <= set(measured)


@pytest.mark.parametrize('name', WIRINGS)
def test_a_config_takes_a_step_when_narrowed(name):
  config = narrowed(os.path.join(program.ROOT, 'configs', name))
  source = experiment.read(config).open_split('train')
  built = experiment.build(experiment.read(config), 12, len(source))
  found = statistics.statistics(source)
  state = built.new_state(augment.pixel_stats(found.mean, found.covariance))
  before = jax.device_get(state.params)
  batch = next(loader.train_batches(
      source, batch_size=config.optimizer.batch_size, seed=0))
  state, measured = built.train_step()(
      state, device_data.to_device(batch, built.mesh))
  assert 0 < measured['loss'] < 20
  moved = jax.tree.map(lambda a, b: bool((a != b).any()), before, state.params)
  assert moved['fc8'] == {'kernel': True, 'bias': True}
