"""The one-GPU net of section 3.2, the program's #145-half.

Claim: two GPUs are better by 1.7 % top-1 and 1.2 % top-5 (the program's log:
39.17 / 18.23 against 37.47 / 17.00, ILSVRC-2010 test, ten crops).

    python launch.py --config=configs/one_gpu.py --config.data.path=RECORDS

It has half the kernels in conv1 to conv4; conv5 and the fully connected layers
keep their size (footnote 2), which makes 59,798,312 parameters.
"""

from ml_collections import ConfigDict

from configs import ablations

CLAIM = {
    'what': 'one GPU, half the kernels',
    'section': '3.2',
    'against': 'paper',
    'top1_error': 1.7,
    'top5_error': 1.2,
    'source': 'section 3.2: ILSVRC-2010 test, ten crops',
}


def get_config() -> ConfigDict:
  return ablations.get_config('one_column,paper')
