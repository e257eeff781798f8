"""Section 6: pre-trained on Fall 2011, fine-tuned on 2012: #146-2012-2011.

Claim: 38.99 % top-1 and 16.62 % top-5 error on the 2012 validation images with
ten crops (the program's log; 39.0 and 16.6 in Table 2, the row 1 CNN*).

    python launch.py --config=configs/fine_tune_2011.py \
      --config.data.path=RECORDS --init_from=runs/six_conv_many_classes

All layers but the bottleneck and the softmax layer are taken from that run. Two
earlier runs, which the paper does not mention, precede it: see
`six_conv_many_classes.py`.
"""

from ml_collections import ConfigDict

from configs import six_conv

CLAIM = {
    'what': 'six convolutions, pre-trained on Fall 2011',
    'section': '6',
    'against': '',
    'top1_error': 38.99,
    'top5_error': 16.62,
    'source': '#146-2012-2011, ILSVRC-2012 validation, ten crops',
}


def get_config() -> ConfigDict:
  config = six_conv.get_config()
  config.augment.jitter_until = 38

  optimizer = config.optimizer
  optimizer.learning_rate = 0.001
  optimizer.drops = ((22, 0.1), (42, 0.01))
  optimizer.layer_drops = (
      ('conv1', 1, 0.1), ('conv1', 5, 0.01), ('conv1', 7, 0.0),
      # The new softmax layer learns at 0.01; the program raised its rate to
      # that after a quarter of the first epoch.
      ('fc8', 1, 10.0), ('fc8', 9, 1.0), ('fc8', 22, 0.1), ('fc8', 42, 0.01))
  optimizer.bias_rate = 20.0  # 0.02 throughout, except in frozen conv1
  optimizer.bias_drops = ()

  config.run.epochs = 54.0
  return config
