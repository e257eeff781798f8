"""tanh in place of ReLU (3.1).

    python launch.py --config=configs/ablations/tanh.py \
      --config.data.path=RECORDS

Claim: saturating nonlinearities learn "much slower"; six times, on CIFAR-10
(`configs/cifar10/figure1.py`). No error is given.
Measured: not run on ImageNet; `small` on Tiny ImageNet (README), seeds 0 and 1:
+7.4 ± 1.0 / +11.2 ± 0.1 against its baseline.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'tanh in place of ReLU',
    'section': '3.1',
    'against': 'ablations/baseline',
    'top1_error': None,
    'top5_error': None,
    'source': 'nowhere given',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  config.model.nonlinearity = 'tanh'
  return config
