"""The four-layer CIFAR-10 net of section 3.3 without norm: conv-local-13pct.

    python launch.py --config=configs/cifar10/conv_local_13pct.py \
      --config.data.path=CIFAR10

1,116,490 parameters. Claim: 13 % error on the test images (3.3). The program's
notes report 12.60 % and a loss of 0.4239 with nine crops after 160 epochs, as
here. In its first 100 epochs the program trained on four fifths of the training
images and validated on the rest.
"""

from ml_collections import ConfigDict

from configs.cifar10 import net_19pct

CLAIM = {
    'what': 'four layers on CIFAR-10, no norm',
    'section': '3.3',
    'against': '',
    'top1_error': 13.0,
    'top5_error': None,
    'source': 'section 3.3; the program: 12.60 with nine crops',
}


def get_config() -> ConfigDict:
  config = net_19pct.get_config()
  config.model = ConfigDict({
      'name': 'cifar_local',
      'num_columns': 1,
      'crossings': ('fc8',),
      'kernels': (64, 64),  # conv1, conv2
      'local_kernels': (32, 32),  # local3, local4
      'stddevs': (0.0001, 0.01, 0.04, 0.04, 0.01),  # conv1 to fc8
      'biases': (0.0,) * 5,
      'nonlinearity': 'relu',
      'response_norm': False,
      'norm_k': 1.0,
      'norm_n': 9,
      'norm_alpha': 0.001 / 9,
      'norm_beta': 0.75,
  })

  augment, optimizer = config.augment, config.optimizer
  augment.crop = 24
  augment.random_crops = True
  augment.flips = True

  optimizer.layer_decays = (
      ('local3', 0.004), ('local4', 0.004), ('fc8', 0.004))
  optimizer.drops = ((141, 0.1), (151, 0.01))
  optimizer.bias_drops = optimizer.drops

  config.run.epochs = 160.0
  config.run.views = 9
  return config
