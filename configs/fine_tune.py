"""Fine-tunes a trained network on photos of any number of classes.

    python launch.py --config=configs/fine_tune.py \
      --init_from=runs/authors_2012 --config.data.path=PHOTOS

PHOTOS contains a folder of pictures for each class, or train/ and val/ with
such folders. The network has the same form as the one that it starts from:
after the colon give the config of the run in --init_from, such as
`ablations:no_norm,small`. Without a colon it is `authors_2012`. If it does not
fit, the run says which one does.

    python launch.py --config=configs/quickstart.py
    python launch.py --config=configs/fine_tune.py:quickstart \
      --init_from=runs/quickstart --config.data.path=PHOTOS

The run first prints which layers it takes over. The softmax layer is new and
learns ten times as fast as the rest, conv1 ten times as slowly, as at the start
of the authors' own fine-tuning (`fine_tune_2011.py`). The number of epochs
suits a few hundred to a few thousand photos. To train the fully connected
layers only, add

    --config.optimizer.frozen="('conv1','conv2','conv3','conv4','conv5')"
"""

import difflib
import glob
import importlib
import os

from ml_collections import ConfigDict

from configs import paper

FIRST_LAYERS = {'lenet': 'c1', 'vgg': 'conv1_1'}  # of others it is conv1


def get_config(base: str = 'authors_2012') -> ConfigDict:
  config = paper.get_config()
  trained = _config(base)
  config.model = trained.model
  config.data.image_size = trained.data.image_size
  config.data.resize = trained.data.resize
  config.augment.crop = trained.augment.crop
  config.augment.mean_pixel = trained.augment.mean_pixel

  config.data.name = 'folder'
  config.data.path = ''  # the folder of your photos
  config.data.validation_fraction = 0.2  # of a folder without val/

  optimizer = config.optimizer
  optimizer.batch_size = 32
  optimizer.learning_rate = 0.001
  first = FIRST_LAYERS.get(config.model.name, 'conv1')
  optimizer.layer_rates = ((first, 0.1), ('fc8', 10.0))
  optimizer.frozen = ()  # layers that stay as they were trained
  optimizer.plateau_patience = 4
  optimizer.plateau_drops = 2

  config.run.epochs = 30.0
  config.run.log_every = 10
  config.run.stall_steps = 1000
  return config


def _config(base: str) -> ConfigDict:
  """Loads configs/<base>.py; 'NAME:ARGUMENT' passes an argument to it."""
  name, _, argument = base.partition(':')
  folder = os.path.dirname(__file__)
  names = sorted(
      os.path.relpath(path, folder).removesuffix('.py') for path in
      glob.glob(os.path.join(folder, '**', '*.py'), recursive=True))
  if name not in names:
    near = difflib.get_close_matches(name, names, 2) or names
    raise ValueError(f'there is no config {name!r} to fine-tune: give'
                     f' {" or ".join(near)} behind the colon.')
  module = importlib.import_module('configs.' + name.replace('/', '.'))
  return module.get_config(*([argument] if argument else []))
