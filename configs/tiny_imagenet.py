"""Section 6 in small: the paper's widths on 96-pixel patches of small photos.

The network of the pictures in the README: 96 kernels of 11 x 11 x 3 below and
4096 features above, on the 100 classes of Tiny ImageNet, enlarged from 64 to
108 pixels. Without dropout, which twelve epochs do not need (4.2), and with a
rate that falls in a straight line, since few epochs leave no plateau to wait
for.

    python launch.py --config=configs/tiny_imagenet.py --task=prepare \
      --config.data.name=folder --config.data.path=TINY --workdir=RECORDS
    python launch.py --config=configs/tiny_imagenet.py \
      --config.data.path=RECORDS --workdir=runs/tiny_imagenet

Claim: what the paper shows in its Figures 3 and 4 can be seen in a network
that two CPU cores train in an hour. Measured: 60.2 / 30.9 % top-1 / top-5 error
with ten patches (seed 0); the columns' kernels differ in colour, 0.27 and 0.50,
p = 0.0016. The pictures are in the README.
"""

from ml_collections import ConfigDict

from configs import paper


def get_config() -> ConfigDict:
  config = paper.get_config()
  model, data, optimizer = config.model, config.data, config.optimizer

  # conv1 starts small, so that what it learns stands out from what it drew;
  # fc6 sums nine times fewer inputs than on 224 pixels.
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
