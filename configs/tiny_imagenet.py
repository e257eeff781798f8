"""Section 6 at small scale: the paper's widths on patches of small photos.

On 96-pixel patches, with 96 kernels of 11 x 11 x 3 in conv1 and 4096 features
in fc7, the network learns the 100 classes of Tiny ImageNet, enlarged from 64 to
108 pixels. It has no dropout, which twelve epochs do not need (4.2). The
learning rate decays linearly because the run is too short for the plateau rule.

    python launch.py --config=configs/tiny_imagenet.py --task=prepare \
      --config.data.name=folder --config.data.path=TINY --workdir=RECORDS
    python launch.py --config=configs/tiny_imagenet.py \
      --config.data.path=RECORDS --workdir=runs/tiny_imagenet

Claim: the effects of the paper's Figures 3 and 4 also appear in a network that
is small enough to train on a CPU. Result: docs/learned.md.
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
