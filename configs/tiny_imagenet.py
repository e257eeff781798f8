"""Section 6 in small: the paper's widths on 96-pixel patches of small photos.

The network has 96 kernels of 11 x 11 x 3 in conv1 and 4096 features in fc7, and
learns the 100 classes of Tiny ImageNet, enlarged from 64 to 108 pixels. It has
no dropout, which twelve epochs do not need (4.2). Its rate falls in a straight
line, since so few epochs are too short to wait for a plateau.

    python launch.py --config=configs/tiny_imagenet.py --task=prepare \
      --config.data.name=folder --config.data.path=TINY --workdir=RECORDS
    python launch.py --config=configs/tiny_imagenet.py \
      --config.data.path=RECORDS --workdir=runs/tiny_imagenet

Claim: what the paper shows in its Figures 3 and 4 can be seen in a network
that two CPU cores train in an hour.
"""

from ml_collections import ConfigDict

from configs import paper


def get_config() -> ConfigDict:
  config = paper.get_config()
  model, data, optimizer = config.model, config.data, config.optimizer

  # conv1 starts small, so that its learned kernels stand out from the noise of
  # the initial ones; fc6 sums nine times fewer inputs than on 224 pixels.
  model.stddevs = (0.004, 0.02, 0.03, 0.03, 0.03, 0.03, 0.02, 0.01)
  model.biases = (0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0)
  model.dropout = False

  data.path = ''
  data.image_size = 108
  config.augment.crop = 96

  optimizer.batch_size = 64
  optimizer.plateau = False
  optimizer.schedule = 'linear'
  optimizer.target_factor = 100.0

  config.run.epochs = 12.0
  config.run.save_every = 200
  return config
