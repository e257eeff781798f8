"""The whole system in about two minutes on two CPU cores, nothing to download.

    python launch.py --config=configs/quickstart.py

The two-column network, narrow, on 64-pixel patches of the embedded procedural
pictures: 12 classes, so chance is 91.7 % error.

Claim: the network learns, and it is the convolutions that do. Measured: 31.8 %
top-1 error with ten patches after 1.5 minutes; 82.4 % with the convolutions
frozen as drawn, the second command:

    python launch.py --config=configs/quickstart.py --workdir=runs/frozen \
      --config.optimizer.frozen="('conv1','conv2','conv3','conv4','conv5')"
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
  config.run.stall_steps = 1000
  return config
