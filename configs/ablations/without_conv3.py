"""conv3 left out (7).

    python launch.py --config=configs/ablations/without_conv3.py \
      --config.data.path=RECORDS

Claim: "removing any of the middle layers results in a loss of about 2%" top-1.
conv4 reads both columns in its place.
Measured: not run on ImageNet; `small` on Tiny ImageNet (README), seeds 0 and 1:
-0.7 ± 0.9 / -1.3 ± 0.8 against its baseline.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'without conv3',
    'section': '7',
    'against': 'ablations/baseline',
    'top1_error': 2.0,
    'top5_error': None,
    'source': 'section 7: about 2 %',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  config.model.without = ('conv3',)
  config.model.crossings = ('conv4', 'fc6', 'fc7', 'fc8')
  return config
