r"""Section 6: pre-trained on Fall 2011, fine-tuned on 2012: #146-2012-2011.

Claim: 38.99 % top-1 and 16.62 % top-5 error on the 2012 validation images with
ten crops (the program's log; 39.0 and 16.6 in Table 2, the row 1 CNN*).

    python launch.py --config=configs/fine_tune_2011.py \
      --config.data.path=RECORDS --init_from=runs/six_conv_many_classes

All layers but the bottleneck and the softmax layer are taken from that run. Two
earlier runs, which the paper does not mention, precede it: see
`six_conv_many_classes.py`.

After a colon follows the form of the network, as in `six_conv.py`. The times
are the program's as shares of the 91 epochs that it trains a network from
nothing, so `overfit`, with 120, is fine-tuned for 71 epochs in place of 54.
OTHERS has classes of photographs that FEW has not (docs/ensembles.md):

    python launch.py --config=configs/six_conv.py:converged \
      --config.data.path=OTHERS --workdir=runs/others
    python launch.py --config=configs/fine_tune_2011.py:overfit \
      --config.data.path=FEW --init_from=runs/others
"""

from ml_collections import ConfigDict

from configs import authors_2012, six_conv

CLAIM = {
    'what': 'six convolutions, pre-trained on more classes',
    'section': '6',
    'against': '',
    'top1_error': 38.99,
    'top5_error': 16.62,
    'source': '#146-2012-2011, pre-trained on Fall 2011; ILSVRC-2012'
              ' validation, ten crops',
}


def get_config(form: str = 'authors_2012') -> ConfigDict:
  config = six_conv.get_config(form)
  longer = config.run.epochs / authors_2012.get_config().run.epochs
  if longer < 0.75:
    raise ValueError(
        f'a run of {config.run.epochs:g} epochs is too short for the drops of'
        f' this fine-tuning, so it has no form {form!r}: give authors_2012 or'
        ' overfit behind the colon.')

  def epoch(of_program: int) -> int:
    return round(longer * of_program)

  config.augment.jitter_until = epoch(38)
  first_drop, second_drop = epoch(22), epoch(42)

  optimizer = config.optimizer
  optimizer.learning_rate = 0.001
  optimizer.drops = ((first_drop, 0.1), (second_drop, 0.01))
  optimizer.layer_drops = (
      ('conv1', epoch(1), 0.1), ('conv1', epoch(5), 0.01),
      ('conv1', epoch(7), 0.0),
      # The new softmax layer learns at 0.01; the program raised its rate to
      # that after a quarter of the first epoch.
      ('fc8', epoch(1), 10.0), ('fc8', epoch(9), 1.0),
      ('fc8', first_drop, 0.1), ('fc8', second_drop, 0.01))
  optimizer.bias_rate = 20.0  # 0.02 throughout, except in frozen conv1
  optimizer.bias_drops = ()

  config.run.epochs = float(epoch(54))
  return config
