"""Columns that talk at the full layers only.

    python launch.py --config=configs/ablations/cross_at_fc6.py \
      --config.data.path=RECORDS

Claim: none; the pattern is "a problem for cross-validation" (3.2).
Measured: not run.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'columns that talk from fc6 on',
    'section': '3.2',
    'against': 'ablations/baseline',
    'top1_error': None,
    'top5_error': None,
    'source': 'nowhere given',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  config.model.crossings = ('fc6', 'fc7', 'fc8')
  return config
