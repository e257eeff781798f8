"""Section 6: six convolutions on all of ImageNet, Fall 2011: #146-2011.

    python launch.py --config=configs/six_conv_many_classes.py \
      --config.data.path=FALL2011 --init_from=runs/fall2009

FALL2011 are records of 21,843 classes; the outputs follow the data. Between fc7
and so many of them stand 2048 linear units: 53 million weights in place of 89,
110,605,267 parameters and 691,379 neurons in all.

The paper does not tell that this net had begun as two others: #145 on 2012, and
#146-2009 on Fall 2009 with its 10,184 classes, without the linear units
(99,182,152 parameters). That one is the form `fall2009`:

    python launch.py --config=configs/six_conv_many_classes.py:fall2009 \
      --config.data.path=FALL2009 --init_from=runs/authors_2012 \
      --workdir=runs/fall2009

It takes conv1 to conv5, as then. From it the program took the convolutions
only; here fc6 and fc7 come along, since they fit. The errors of both are given
nowhere. Measured: not run on ImageNet.
"""

from ml_collections import ConfigDict

from configs import six_conv


def get_config(form: str = 'fall2011') -> ConfigDict:
  config = six_conv.get_config()
  config.augment.jitter_until = 0  # never off
  config.optimizer.learning_rate = 0.001
  config.optimizer.drops = ()
  config.optimizer.bias_rate = 20.0  # 0.02 throughout; of conv6 it was 0.002
  config.optimizer.bias_drops = ()

  # What is new learns ten times as fast, until the epoch given.
  if form == 'fall2011':
    config.model.bottleneck = 1024  # per column; no ReLU, no dropout, biases 0
    new, until = ('fc6', 'fc7', 'bottleneck', 'fc8'), 6
    config.run.epochs = 8.11
  elif form == 'fall2009':
    new, until = ('conv6', 'fc6', 'fc7', 'fc8'), 2
    config.run.epochs = 6.65
  else:
    raise ValueError(f'there is no {form!r} with many classes: give fall2011 or'
                     ' fall2009 behind the colon.')
  config.optimizer.layer_drops = tuple(
      (layer, *drop) for layer in new for drop in ((1, 10.0), (until, 1.0)))
  return config
