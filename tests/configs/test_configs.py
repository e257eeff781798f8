"""Every experiment can be built as it is and, narrowed, can take a step."""

import glob
import os

import jax
import numpy as np
import program
import pytest
import tiny

from alexnet_jax import config_files
from alexnet_jax.data import loader, statistics
from alexnet_jax.learning import augment
from alexnet_jax.run import device_data, experiment, typed_config
from configs.ablations import ABLATIONS
from configs.history import same_size

FOLDER = os.path.join(program.ROOT, 'configs')
FILES = sorted(os.path.relpath(path, FOLDER) for path in glob.glob(
    os.path.join(FOLDER, '**', '*.py'), recursive=True))
# The config of the auto-encoders has no network: tests/tasks/test_codes.py.
SAME_SIZE = [f'history/same_size.py:{name}' for name in same_size.NETWORKS]
NETWORKS = [name for name in FILES if name != 'codes.py'] + SAME_SIZE
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
    'history/cifar_resnet.py': 269_722,
    'history/googlenet.py': 13_378_280,  # 6,998,552 without side classifiers
    'history/resnet.py': 21_797_672,
    'history/lenet5.py': 60_850,  # 850 of them are fixed
    'history/vgg16.py': 138_357_544,
    'history/vgg19.py': 143_667_240,
}
# And ImageNet's 1000.
CLASSES = {'procedural': 12, 'cifar10': 10, 'mnist': 10, 'digits': 10}
IMAGES = 1_281_167  # of ImageNet's training set
# One of each wiring takes a step; other tests train the quickstart.
WIRINGS = ('authors_2012.py', 'cifar10/net_18pct.py',
           'cifar10/conv_local_11pct.py', 'history/lenet5.py',
           'history/cifar_resnet.py', 'history/googlenet.py')
# Of every layer, as many as there are.
WIDTHS = {'kernels': 4, 'local_kernels': 4, 'neurons': 16, 'stddevs': 0.1}
NARROW = {name: value for name, value in tiny.FIELDS.items()
          if name.startswith('data.') or name.endswith('batch_size')
          } | {'data.name': 'procedural', 'data.path': ''}


def config_of(name):
  return config_files.load(os.path.join(FOLDER, name))


def narrowed(name):
  """The config with few kernels and small images, as its network allows."""
  config = config_of(name)
  config.update_from_flattened_dict(NARROW)
  for field, width in WIDTHS.items():
    # LeNet-5 is small, and the table of its C3 is for its numbers of maps.
    if field in config.model and config.model.name != 'lenet':
      config.model[field] = (width,) * len(config.model[field])
  if 'width' in config.model:
    config.model.width = 0.05
  if 'blocks' in config.model:
    config.model.blocks = (1,) * len(config.model.blocks)
  if config.augment.crop > 64:
    config.augment.crop, config.data.image_size = 64, 72
    config.augment.scale = tuple(
        side // 4 for side in config.augment.scale)
  return config


def distinct_steps():
  """Names of configs, one for each narrowed network and augmentation."""
  names = {}
  for name in (*NETWORKS, *(f'ablations.py:{row}' for row in ABLATIONS)):
    config = narrowed(name)
    names.setdefault(str((config.model, config.augment)), name)
  return list(names.values())


def test_there_are_configs():
  assert {'quickstart.py', 'codes.py', *PARAMETERS} <= set(FILES)


@pytest.mark.parametrize('name', FILES)
def test_the_docstring_of_a_config_has_a_command_that_runs_it(name):
  with open(os.path.join(FOLDER, name), encoding='utf-8') as file:
    docstring = file.read().split('"""')[1]
  assert f'launch.py --config=configs/{name}' in docstring


@pytest.mark.parametrize('name', NETWORKS)
def test_every_config_has_the_fields_of_the_paper(name):
  paper, config = config_of('paper.py'), config_of(name)
  for section, fields in paper.items():
    # Another network has other fields, which it checks itself.
    if hasattr(fields, 'keys') and (
        section != 'model' or config.model.name.startswith('alexnet')):
      assert set(fields) <= set(config[section]), section


def test_a_config_of_before_published_networks_means_the_same():
  config = narrowed('paper.py')
  new = typed_config.read(config)
  with config.unlocked():
    del config.data.resize, config.augment.mean_pixel
  old = typed_config.read(config)
  assert old._replace(config=new.config) == new


@pytest.mark.slow
@pytest.mark.parametrize('name', NETWORKS)
def test_a_config_builds_at_full_size(name):
  config = config_of(name)
  classes = CLASSES.get(config.data.name, 1000)
  built = experiment.build(typed_config.read(config), classes, IMAGES)
  shapes = built.state_shapes()
  parameters = sum(leaf.size for leaf in jax.tree.leaves(shapes.params))
  assert parameters == PARAMETERS.get(name, parameters) > 10_000
  assert built.length.total_steps == int(
      config.run.epochs * (IMAGES // config.optimizer.batch_size))


@pytest.mark.slow
@pytest.mark.parametrize('name', distinct_steps())
def test_a_step_of_a_narrowed_config_returns_a_state_of_the_same_shapes(name):
  config = narrowed(name)
  built = experiment.build(typed_config.read(config), 12, 64)
  before = built.state_shapes()
  size, batch = config.data.image_size, config.optimizer.batch_size
  after, measured = jax.eval_shape(
      built.train_step(), before,
      {'image': jax.ShapeDtypeStruct((batch, size, size, 3), np.uint8),
       'label': jax.ShapeDtypeStruct((batch,), np.int32)})
  shapes = lambda state: jax.tree.map(lambda x: (x.shape, x.dtype), state)
  assert shapes(after) == shapes(before)
  assert {'loss', 'top1_error'} <= set(measured)


@pytest.mark.slow
@pytest.mark.parametrize('name', WIRINGS)
def test_a_narrowed_config_takes_a_step(name):
  settings = typed_config.read(narrowed(name))
  source = settings.open_split('train')
  built = experiment.build(settings, 12, len(source))
  measured = statistics.statistics(source)
  state = built.new_state(
      augment.pixel_stats(measured.mean, measured.covariance))
  before = jax.device_get(state.params)
  batch = next(loader.train_batches(
      source, batch_size=settings.optimizer.batch_size, seed=0))
  state, metrics = built.train_step()(
      state, device_data.to_device(batch, built.mesh))
  assert 0 < metrics['loss'] < 20
  moved = jax.tree.map(lambda a, b: bool((a != b).any()), before, state.params)
  trained = 'fc8' not in settings.optimizer.rates.frozen
  assert moved['fc8'] == {'kernel': trained, 'bias': trained}
