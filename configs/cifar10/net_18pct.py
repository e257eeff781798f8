"""19pct with two response norms within each map: the program's 18pct.

    python launch.py --config=configs/cifar10/net_18pct.py \
      --config.data.path=CIFAR10

Claim: 18 % error on the test images with one crop (the header of the program's
`layers-18pct.cfg`), with the rates divided by ten after 120 and 130 epochs. The
weight decay of the last layer is 1 instead of 3, so the norm is not the only
difference.
"""

from ml_collections import ConfigDict

from configs.cifar10 import net_19pct

CLAIM = {
    'what': 'three convolutions and norms on CIFAR-10',
    'section': '3.3',
    'against': '',
    'top1_error': 18.0,
    'top5_error': None,
    'source': 'the program, example-layers/layers-18pct.cfg; one crop',
}


def get_config() -> ConfigDict:
  config = net_19pct.get_config()
  config.model.response_norm = True
  config.optimizer.layer_decays = (
      ('conv1', 0.004), ('conv2', 0.004), ('conv3', 0.004), ('fc8', 1.0))
  return config
