r"""Section 6: six convolutions on all of ImageNet, Fall 2011: #146-2011.

    python launch.py --config=configs/six_conv_many_classes.py \
      --config.data.path=FALL2011 --init_from=runs/fall2009

FALL2011 are records of 21,843 classes, and the network has as many outputs.
2048 linear units between fc7 and the outputs reduce 89 million weights to 53
million. In all there are 110,605,267 parameters and 691,379 neurons.

The paper does not mention that this network continues two earlier ones, #145
on ILSVRC-2012, and #146-2009 on the 10,184 classes of Fall 2009, which has no
linear units (99,182,152 parameters). The latter is the form `fall2009`:

    python launch.py --config=configs/six_conv_many_classes.py:fall2009 \
      --config.data.path=FALL2009 --init_from=runs/authors_2012 \
      --workdir=runs/fall2009

It takes over conv1 to conv5, as the program did. From #146-2009 the program
took over the convolutions only; here fc6 and fc7 are taken over as well, since
their shapes agree.

Claim: 67.4 % top-1 and 40.9 % top-5 error on Fall 2009 (8.9 million images),
one half of which is trained on and the other tested on. The logs do not say
which network that was, and have no errors of these two. PHOTOS has a folder for
each synset:

    python launch.py --config=configs/six_conv_many_classes.py:fall2009 \
      --task=prepare --config.data.name=folder --config.data.path=PHOTOS \
      --config.data.validation_fraction=0.5 --workdir=FALL2009
"""

from ml_collections import ConfigDict

from configs import six_conv

CLAIM = {
    'what': '10,184 classes, half of the images to test',
    'section': '6',
    'form': 'fall2009',
    'against': '',
    'top1_error': 67.4,
    'top5_error': 40.9,
    'source': 'section 6: Fall 2009',
}


def get_config(form: str = 'fall2011') -> ConfigDict:
  config = six_conv.get_config()
  config.augment.jitter_until = 0  # never off
  config.optimizer.learning_rate = 0.001
  config.optimizer.drops = ()
  config.optimizer.bias_rate = 20.0  # 0.02 throughout; in conv6 it was 0.002
  config.optimizer.bias_drops = ()

  # The new layers learn ten times as fast before this epoch.
  if form == 'fall2011':
    config.model.bottleneck = 1024  # per column; no ReLU, no dropout
    new, until = ('fc6', 'fc7', 'bottleneck', 'fc8'), 6
    config.run.epochs = 8.11
  elif form == 'fall2009':
    new, until = ('conv6', 'fc6', 'fc7', 'fc8'), 2
    config.run.epochs = 6.65
  else:
    raise ValueError(f'there is no form {form!r}: give fall2011 or'
                     ' fall2009 behind the colon.')
  config.optimizer.layer_drops = tuple(
      (layer, *drop) for layer in new for drop in ((1, 10.0), (until, 1.0)))
  return config
