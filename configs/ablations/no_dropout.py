"""No dropout (4.2).

    python launch.py --config=configs/ablations/no_dropout.py \
      --config.data.path=RECORDS

Claim: "substantial overfitting", and half the iterations to converge. No
error is given.
Measured: not run on ImageNet; `small` on Tiny ImageNet (README), seeds 0 and 1:
-7.4 ± 0.0 / -9.7 ± 1.0 against its baseline.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'no dropout',
    'section': '4.2',
    'against': 'ablations/baseline',
    'top1_error': None,
    'top5_error': None,
    'source': 'nowhere given',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  config.model.dropout = False
  return config
