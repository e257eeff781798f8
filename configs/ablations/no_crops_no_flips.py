"""Neither crops nor reflections (4.1): the same patches in every epoch.

    python launch.py --config=configs/ablations/no_crops_no_flips.py \
      --config.data.path=RECORDS

Claim: "substantial overfitting". No error is given.
Measured: not run on ImageNet; `small` on Tiny ImageNet (README), seeds 0 and 1:
-1.2 ± 0.6 / -2.1 ± 0.1 against its baseline.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'no crops, no reflections',
    'section': '4.1',
    'against': 'ablations/baseline',
    'top1_error': None,
    'top5_error': None,
    'source': 'nowhere given',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  config.augment.random_crops = False
  config.augment.flips = False
  return config
