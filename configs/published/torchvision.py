r"""The network of torchvision's `alexnet`, for its published weights.

Claim: 43.5 % top-1 and 20.9 % top-5 error on the 2012 validation images with
one crop (torchvision's table: 56.5 / 79.1 % correct). Not run here.

    python launch.py --config=configs/published/torchvision.py --task=import \
        --weights=alexnet.pth --words=synset_words.txt --workdir=RUN
    python launch.py --task=evaluate --workdir=RUN --config.data.path=RECORDS

It has the kernels of "One weird trick" (2014), no columns and no norm. Dropout
is on the inputs of fc6 and fc7. Pictures are resized as in the paper, and
pixels have a mean of zero and a standard deviation of one.
"""

from typing import Any

from ml_collections import ConfigDict

from configs import paper

MEAN_PIXEL = (123.675, 116.28, 103.53)  # 255 times 0.485, 0.456, 0.406
PIXEL_STDDEVS = (58.395, 57.12, 57.375)  # 255 times 0.229, 0.224, 0.225


def get_config() -> ConfigDict:
  config = paper.get_config()
  config.model = ConfigDict({
      'name': 'published',
      'num_columns': 1,
      'crossings': ('fc8',),
      'kernels': (64, 192, 384, 256, 256),  # conv1 to conv5
      'groups': (1, 1, 1, 1, 1),  # of maps that do not mix
      'neurons': (4096, 4096),  # fc6, fc7
      # Of PyTorch's uniform first weights: 1 / sqrt(3 * inputs).
      'stddevs': (0.0303, 0.0144, 0.0139, 0.0098, 0.012, 0.006, 0.009, 0.009),
      'biases': (0.0,) * 8,  # initial
      'nonlinearity': 'relu',
      'conv1_padding': 2,  # on all four sides
      'response_norm': False,
      'norm_after_pooling': False,
      'norm_groups': 1,  # 2: windows stay within each half of the maps
      'norm_k': 1.0,
      'norm_n': 5,
      'norm_alpha': 2e-5,  # per squared term
      'norm_beta': 0.75,
      'pooling_rounds_up': False,  # the number of windows
      'dropout_before': ('fc6', 'fc7'),  # scaled in training
      'pixel_stddevs': PIXEL_STDDEVS,
  })
  wire(config)
  return config


def wire(config: ConfigDict, **fields: Any) -> None:
  """Makes a config's network, and the pictures it reads, torchvision's.

  Args:
    config: the config.
    **fields: fields of config.model.
  """
  config.model.update({'pixel_stddevs': PIXEL_STDDEVS} | fields)
  config.data.update(
      {'path': paper.get_config().data.path, 'image_size': 256})
  config.augment.update(
      {'mean_pixel': MEAN_PIXEL, 'jitter': 0.0, 'scale': ()})
  config.run.views = 1
