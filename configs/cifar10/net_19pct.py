"""19pct: the program's CIFAR-10 net with three convolutions and 19 % error.

    python launch.py --config=configs/cifar10/net_19pct.py \
      --config.data.path=CIFAR10

CIFAR10 is a folder with `cifar-10-batches-py`, `cifar-10-batches-bin`, or
pictures as train/CLASS and test/CLASS. 89,578 parameters.

Claim: 19 % error on the test images with one crop (the header of the program's
`layers-19pct.cfg`). At the start of training, 58.5 % training error in batch 5
of epoch 2, and 55.3 % test error after 13 batches of 10,000 images. With
24-pixel crops and without weight decay the program reached 14.2 %:

    python launch.py --config=configs/cifar10/net_19pct.py \
      --config.data.path=CIFAR10 \
      --config.augment.crop=24 --config.augment.random_crops=True \
      --config.augment.flips=True --config.optimizer.layer_decays="()"
"""

from ml_collections import ConfigDict

from configs import paper

CLAIM = {
    'what': 'three convolutions on CIFAR-10',
    'section': '3.1',
    'against': '',
    'top1_error': 19.0,
    'top5_error': None,
    'source': 'the program, example-layers/layers-19pct.cfg; one crop',
}


def get_config() -> ConfigDict:
  config = paper.get_config()
  config.model = ConfigDict({
      'name': 'cifar',
      'num_columns': 1,
      'crossings': ('fc8',),
      'kernels': (32, 32, 64),  # conv1 to conv3
      'neurons': (),  # no hidden layer
      'stddevs': (0.0001, 0.01, 0.01, 0.01),  # conv1 to fc8
      'biases': (0.0,) * 4,
      'nonlinearity': 'relu',
      'response_norm': False,
      'norm_size': 3,
      'norm_alpha': 5e-5 / 9,
      'norm_beta': 0.75,
  })

  config.data.name = 'cifar10'
  config.data.path = '~/data/cifar10'
  config.data.image_size = 32

  augment = config.augment
  augment.crop = 32  # whole images
  augment.random_crops = False
  augment.flips = False
  augment.jitter = 0.0

  optimizer = config.optimizer
  optimizer.learning_rate = 0.001
  optimizer.bias_rate = 2.0
  optimizer.weight_decay = 0.0  # each layer has its own
  optimizer.layer_decays = (
      ('conv1', 0.004), ('conv2', 0.004), ('conv3', 0.004), ('fc8', 3.0))
  optimizer.plateau = False
  optimizer.drops = ((121, 0.1), (131, 0.01))
  optimizer.bias_drops = optimizer.drops

  config.run.epochs = 140.0
  config.run.views = 1
  config.run.log_every = 130  # three times an epoch
  return config
