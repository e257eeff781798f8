"""The whole system in a few minutes on a CPU, without any download.

    python launch.py --config=configs/quickstart.py

A narrow network of two columns on 64-pixel patches of the built-in procedural
pictures. They have 12 classes, so the chance error is 91.7 %.

Claim: the network learns, and its convolutions matter most. If the convolutions
are frozen at their initial values, the error is much higher:

    python launch.py --config=configs/quickstart.py --workdir=runs/frozen \
      --config.optimizer.frozen="('conv1','conv2','conv3','conv4','conv5')"

Result: docs/short_runs.md.
"""

from ml_collections import ConfigDict

from configs import paper


def get_config() -> ConfigDict:
  config = paper.get_config()
  model, data, optimizer = config.model, config.data, config.optimizer

  model.kernels = (16, 32, 48, 48, 32)
  model.neurons = (256, 256)
  # A narrow layer sums fewer inputs, so each weight starts larger.
  model.stddevs = (0.02, 0.05, 0.06, 0.06, 0.06, 0.05, 0.06, 0.05)
  model.biases = (0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0)

  data.name = 'procedural'
  data.path = ''
  data.image_size = 72
  data.train_examples = 8192
  data.validation_examples = 1024
  config.augment.crop = 64

  optimizer.batch_size = 32
  optimizer.plateau = False
  optimizer.drops = ((11, 0.1),)

  config.run.epochs = 12.0
  config.run.log_every = 32
  config.run.hold_data = True  # decoded once: 128 MB
  config.run.stall_steps = 1000
  return config
