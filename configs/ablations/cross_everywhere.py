"""Columns that talk at every layer: the net without groups.

    python launch.py --config=configs/ablations/cross_everywhere.py \
      --config.data.path=RECORDS

Claim: none; the pattern is "a problem for cross-validation" (3.2). 62,378,344
parameters.
Measured: not run on ImageNet; `small` on Tiny ImageNet (README), seeds 0 and 1:
+5.5 ± 0.2 / +8.0 ± 1.2 against its baseline.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'columns that talk everywhere',
    'section': '3.2',
    'against': 'ablations/baseline',
    'top1_error': None,
    'top5_error': None,
    'source': 'nowhere given',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  config.model.crossings = (
      'conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7', 'fc8')
  return config
