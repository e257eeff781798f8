"""No reflections in training (4.1).

    python launch.py --config=configs/ablations/no_flips.py \
      --config.data.path=RECORDS

Claim: "substantial overfitting" without crops and reflections (4.1). No
error is given.
Measured: not run.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'no reflections',
    'section': '4.1',
    'against': 'ablations/baseline',
    'top1_error': None,
    'top5_error': None,
    'source': 'nowhere given',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  config.augment.flips = False
  return config
