"""Binary codes (6.1): auto-encoders that compress a network's features.

    python launch.py --task=features --workdir=RUN
    python launch.py --config=configs/codes.py --task=codes --workdir=RUN

RUN is the workdir of a trained network. For each number of bits, an
auto-encoder is trained on the features of its training images, as a separate
run in RUN/codes/bits_64 and so on. The nearest training images of validation
images are then found by the Hamming distance of these codes, by the Hamming
distance of codes from random hyperplanes, and by the Euclidean distance of the
features, which is exact.

Claim: "Computing similarity by using Euclidean distance between two
4096-dimensional, real-valued vectors is inefficient, but it could be made
efficient by training an auto-encoder to compress these vectors to short binary
codes." The paper reports no results and no sizes, so layers, rates and epochs
are our choice. Result: docs/learned.md.

Claim: this is "a much better image retrieval method than applying auto-encoders
to the raw pixels", whose codes find "similar patterns of edges, whether or not
they are semantically similar". The same with pixels, and all beside each other:

    python launch.py --task=features --workdir=RUN --layer=pixels
    python launch.py --config=configs/codes.py --task=codes --workdir=RUN \
      --features=RUN/features_pixels
    python launch.py --task=layers --workdir=RUN --figure=found.png
"""

from ml_collections import ConfigDict


def get_config() -> ConfigDict:
  config = ConfigDict()
  config.seed = 0

  config.code = ConfigDict({
      'bits': (32, 64, 128, 256),  # one auto-encoder each; 256 as in [14]
      'sizes': (1024, 256),  # neurons between 4096 features and the bits
      'queries': 1000,  # validation images whose neighbors are sought; 0: all
  })

  # The update rule of section 5. The rate suits an error that is a mean over
  # the features; it decays linearly.
  config.optimizer = ConfigDict({
      'batch_size': 128,
      'momentum': 0.9,
      'weight_decay': 0.0,
      'learning_rate': 1.0,
      'target_factor': 100.0,  # the initial rate over the final one
  })

  config.run = ConfigDict({
      'epochs': 10.0,
      'evaluate_every': 0,  # steps; 0: once an epoch
      'save_every': 0,  # steps; 0: once an epoch
      'log_every': 100,  # steps
      'keep': 1,  # number of latest checkpoints on disk
  })
  return config
