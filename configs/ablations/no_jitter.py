"""No colour jitter (4.1).

    python launch.py --config=configs/ablations/no_jitter.py \
      --config.data.path=RECORDS

Claim: the jitter "reduces the top-1 error rate by over 1%".
Measured: not run on ImageNet; `small` on Tiny ImageNet (README), seeds 0 and 1:
+1.0 ± 0.2 / +0.8 ± 0.1 against its baseline.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'no colour jitter',
    'section': '4.1',
    'against': 'ablations/baseline',
    'top1_error': 1.0,
    'top5_error': None,
    'source': 'section 4.1: over 1 %',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  config.augment.jitter = 0.0
  return config
