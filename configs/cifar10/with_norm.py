"""The effect of the norm on CIFAR-10 (3.3): the network with it.

    python launch.py --config=configs/cifar10/with_norm.py \
      --config.data.path=CIFAR10
    python launch.py --config=configs/cifar10/without_norm.py \
      --config.data.path=CIFAR10

The network of `conv_local_11pct.py` trained for the 160 epochs of
`conv_local_13pct.py`. No error is reported for this combination.
`without_norm.py` differs only in the norm, and states the claim.
"""

from ml_collections import ConfigDict

from configs.cifar10 import conv_local_11pct, conv_local_13pct

CLAIM = {
    'what': 'four layers on CIFAR-10, with norm, one half of the pair',
    'section': '3.3',
    'against': '',
    'top1_error': None,
    'top5_error': None,
    'source': 'nowhere given',
}


def get_config() -> ConfigDict:
  config = conv_local_11pct.get_config()
  short = conv_local_13pct.get_config()
  config.optimizer.drops = short.optimizer.drops
  config.optimizer.bias_drops = short.optimizer.bias_drops
  config.run.epochs = short.run.epochs
  return config
