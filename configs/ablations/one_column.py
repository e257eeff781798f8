"""One column with half the kernels (3.2): the program's #145-half.

    python launch.py --config=configs/ablations/one_column.py \
      --config.data.path=RECORDS

Claim: 1.7 % more top-1 and 1.2 % more top-5 error than two columns (program:
39.17 / 18.23 against 37.47 / 17.00). conv5 and the full layers keep their size
(footnote 2).
Measured: not run on ImageNet; `small` on Tiny ImageNet (README), seeds 0 and 1:
+5.0 ± 2.8 / +5.4 ± 3.9 against its baseline.
"""

from ml_collections import ConfigDict

from configs.ablations import baseline

CLAIM = {
    'what': 'one column, half the kernels',
    'section': '3.2',
    'against': 'ablations/baseline',
    'top1_error': 1.7,
    'top5_error': 1.23,
    'source': '#145-half, ILSVRC-2010 test, ten patches',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = baseline.get_config(form)
  model = config.model
  model.num_columns = 1
  model.kernels = (*model.kernels[:4], 2 * model.kernels[4])
  model.neurons = tuple(2 * neurons for neurons in model.neurons)
  return config
