"""The networks of before and after: the training of their papers, and tasks."""

import functools
import os

import cv2
import jax.numpy as jnp
import numpy as np
import program
import pytest

from alexnet_jax import config_files
from alexnet_jax.learning.learning_rate import learning_rates
from alexnet_jax.run import experiment, typed_config


@functools.cache
def read(name):
  return typed_config.read(
      config_files.load(f'configs/history/{name}'))


# Batch, rate, weight decay, epochs of ILSVRC-2012; sides of the scale, and
# whether the rate falls when the validation error stalls.
@pytest.mark.parametrize('name, batch, rate, decay, steps, scale, stalls', [
    # "370K iterations (74 epochs)", section 3.1 of Simonyan and Zisserman.
    ('vgg16.py', 256, 0.01, 0.0005, 370_000, (256, 512), True),
    ('vgg19.py', 256, 0.01, 0.0005, 370_000, (256, 512), True),
    # "60 x 10^4 iterations", section 3.4 of He et al.
    ('resnet.py:34', 256, 0.1, 0.0001, 600_000, (256, 480), True),
    ('resnet.py:plain34', 256, 0.1, 0.0001, 600_000, (256, 480), True),
    ('resnet.py:152', 256, 0.1, 0.0001, 600_000, (256, 480), True),
    # Caffe's `bvlc_googlenet`; the paper has the drops alone.
    ('googlenet.py', 32, 0.01, 0.0002, 2_400_000, (), False),
])
def test_training_is_that_of_the_paper(
    name, batch, rate, decay, steps, scale, stalls):
  settings = read(name)
  optimization = settings.optimizer
  assert (optimization.batch_size, optimization.learning_rate,
          optimization.weight_decay, optimization.momentum) == (
              batch, rate, decay, 0.9)
  length = experiment.build(settings, 1000, 1_281_167).length
  assert length.total_steps == pytest.approx(steps, rel=0.003)
  assert settings.augmentation.scale == scale
  assert settings.augmentation.crop == 224 <= settings.data.image_size
  plateau = optimization.plateau
  assert (plateau is not None) == stalls
  assert plateau is None or (plateau.factor, plateau.max_drops) == (10, 3)


def rates_at(name, steps):
  """The rates of kernels and of biases in some steps, on 50,000 images."""
  settings = read(name)
  rates = settings.optimizer.rates
  per_epoch = 50_000 // settings.optimizer.batch_size
  leaf = {'fc8': {'kernel': 0, 'bias': 0}}
  for step in steps:
    found = learning_rates(
        rates, leaf, jnp.float32(settings.optimizer.learning_rate),
        jnp.int32(1 + step // per_epoch), jnp.float32(0))['fc8']
    assert float(found['bias']) == float(found['kernel'])
    yield float(found['kernel'])


@pytest.mark.parametrize('name', ['20', '56', 'plain56'])
def test_the_rate_for_cifar10_falls_after_32000_and_48000_steps(name):
  found = rates_at(f'cifar_resnet.py:{name}',
                   (0, 31_900, 32_100, 47_900, 48_100, 63_999))
  assert list(found) == pytest.approx([0.1, 0.1, 0.01, 0.01, 0.001, 0.001])


def test_with_110_layers_the_first_400_steps_or_so_have_a_tenth_of_the_rate():
  found = rates_at('cifar_resnet.py:110',
                   (0, 380, 400, 31_900, 32_100, 48_100))
  assert list(found) == pytest.approx([0.01, 0.01, 0.1, 0.1, 0.01, 0.001])


def test_few_steps_with_110_layers_end_before_any_drop():
  assert list(rates_at('cifar_resnet.py:110,200', (0, 199))) == pytest.approx(
      [0.01, 0.01])


# --- Every task ---------------------------------------------------------------

SHORT = {'data.name': 'procedural', 'data.path': '',
         'data.train_examples': 32, 'data.validation_examples': 16,
         'optimizer.batch_size': 8, 'run.steps': 2, 'run.log_every': 1,
         'run.evaluate_every': 2, 'run.save_every': 2, 'run.views': 1}
SMALL = {'data.image_size': 40, 'augment.crop': 32}
VGG = SMALL | {'augment.scale': '(36,44)', 'model.neurons': '(16,16)',
               'model.kernels': '(4,4,6,6,8)'}
RESNET = SMALL | {'augment.scale': '(36,44)', 'model.kernels': '(4,4,6,8)',
                  'model.blocks': '(1,1,1,1)'}
NARROW = {
    'lenet5.py': {}, 'lenet5.py:simplified': {}, 'vgg16.py': VGG,
    'vgg19.py': VGG, 'resnet.py:34': RESNET, 'resnet.py:50': RESNET,
    'resnet.py:plain18': RESNET,
    'cifar_resnet.py:20': {'model.kernels': '(4,4,6)',
                           'model.blocks': '(1,1,1)'},
    'googlenet.py': SMALL | {'model.width': 0.02}}


@pytest.mark.slow
@pytest.mark.parametrize('name', NARROW)
def test_every_task_runs_as_for_alexnet(name, compiled, tmp_path):
  config = [f'--config=configs/history/{name}', *(
      f'--config.{field}={value}'
      for field, value in (SHORT | NARROW[name]).items())]
  workdir, picture = f'--workdir={tmp_path}/run', str(tmp_path / 'a.png')
  cv2.imwrite(picture, np.full((50, 60, 3), 99, np.uint8))
  done = program.launch_many([
      [*config, '--task=describe'],
      [*config, workdir],
      ['--task=evaluate', workdir],
      ['--task=predict', workdir, f'--images={picture}', '--views=1'],
      ['--task=features', workdir, '--split=validation',
       f'--out={tmp_path}/features'],
      ['--task=export', workdir, f'--out={tmp_path}/weights.npz'],
      [*config, f'--init_from={tmp_path}/weights.npz',
       f'--workdir={tmp_path}/tuned'],
      # All programs of nine modules take minutes to compile.
      *([[*config, '--task=bench', f'--out={tmp_path}/bench.json']]
        if name != 'googlenet.py' else []),
  ], compiled)
  for code, _, err in done:
    assert code == 0, err
  described, _, evaluated, predicted, *_ = (out for _, out, _ in done)
  assert 'total' in described and '16 images' in evaluated
  assert 'a.png' in predicted and 'Took ' in done[6][2]
  assert {'features', 'tuned'} <= set(os.listdir(tmp_path))
