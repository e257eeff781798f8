"""No response normalization (3.3): the program's #148.

    python launch.py --config=configs/ablations/no_norm.py \
      --config.data.path=RECORDS

Claim: without it 1.4 % more top-1 and 1.2 % more top-5 error (program: 42.03 /
19.36 against 40.66 / 18.21). All norms go, the second one of layer 2 as well.
Measured: not run on ImageNet; `small` on Tiny ImageNet (README), seeds 0 and 1:
+4.0 ± 0.2 / +7.6 ± 0.9 against its baseline.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'no response normalization',
    'section': '3.3',
    'against': 'ablations/baseline',
    'top1_error': 1.37,
    'top5_error': 1.15,
    'source': '#148, ILSVRC-2012 validation, ten patches',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  config.model.response_norm = False
  return config
