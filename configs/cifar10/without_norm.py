"""The effect of the norm on CIFAR-10 (3.3): the network without it.

    python launch.py --config=configs/cifar10/without_norm.py \
      --config.data.path=CIFAR10
    python launch.py --config=configs/cifar10/with_norm.py \
      --config.data.path=CIFAR10

Claim: 13 % error without response normalization, 11 % with it. The program's
two networks behind these numbers differ in more than the norm
(`conv_local_11pct.py`); here everything else is equal. A short comparison
(result: docs/short_runs.md):

    python launch.py --task=compare --config=configs/cifar10/with_norm.py \
      --compare=configs/cifar10/without_norm.py --config.data.path=CIFAR10 \
      --config.run.epochs=6.0 --config.optimizer.drops="((5,0.1),(6,0.01))" \
      --config.optimizer.bias_drops="((5,0.1),(6,0.01))"
"""

from ml_collections import ConfigDict

from configs.cifar10 import with_norm

CLAIM = {
    'what': 'no response normalization on CIFAR-10',
    'section': '3.3',
    'against': 'cifar10/with_norm',
    'top1_error': 2.0,
    'top5_error': None,
    'source': 'section 3.3: 13 % without, 11 % with',
}


def get_config() -> ConfigDict:
  config = with_norm.get_config()
  config.model.response_norm = False
  return config
