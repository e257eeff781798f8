"""Figure 1 (3.1) with the other network that the authors may have used.

    python launch.py --config=configs/cifar10/figure1_local.py --task=figure1 \
      --config.data.path=CIFAR10 --out=runs/figure1_local/figure1.png

Claim: as in `figure1.py`. The network is conv-local-13pct without its weight
decay, on whole images: two convolutions and two locally connected layers, four
layers as section 3.3 counts them.
"""

from ml_collections import ConfigDict

from configs.cifar10 import conv_local_13pct, figure1

CLAIM = figure1.CLAIM


def get_config(nonlinearity: str = 'relu') -> ConfigDict:
  config = figure1.get_config()
  config.model = conv_local_13pct.get_config().model
  config.model.nonlinearity = nonlinearity
  return config
