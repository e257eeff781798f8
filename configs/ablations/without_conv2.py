"""conv2 left out (7).

    python launch.py --config=configs/ablations/without_conv2.py \
      --config.data.path=RECORDS

Claim: "removing any of the middle layers results in a loss of about 2%" top-1.
Its pooling stays, over the layer below.
Measured: not run.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'without conv2',
    'section': '7',
    'against': 'ablations/baseline',
    'top1_error': 2.0,
    'top5_error': None,
    'source': 'section 7: about 2 %',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  config.model.without = ('conv2',)
  return config
