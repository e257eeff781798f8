"""The network to start from: photographs of 100 classes, 3.8 million weights.

It is that of `tiny_imagenet.py`, with the paper's kernels on 96-pixel patches,
but fc6 and fc7 have 768 neurons in place of 4096, so that its weights fit in
8 MB of float16. It has dropout (4.2) and trains for 80 epochs until its rate,
which falls linearly, is a hundredth.

    python launch.py --config=configs/tiny_imagenet_small.py \
      --config.data.path=TINY --workdir=runs/tiny_imagenet_small

TINY is a folder of photographs with train/ and val/. On a CPU this takes two
days, on an H200 two minutes. Result: docs/overfitting.md.
"""

from ml_collections import ConfigDict

from configs import tiny_imagenet


def get_config() -> ConfigDict:
  config = tiny_imagenet.get_config()
  model, optimizer, run = config.model, config.optimizer, config.run

  config.precision = 'tf32'  # the same as float32 on a CPU
  model.neurons = (384, 384)
  # fc6 sums 1024 inputs, fc7 and fc8 768.
  model.stddevs = (0.004, 0.02, 0.03, 0.03, 0.03, 0.03, 0.04, 0.02)
  model.dropout = True

  config.data.name = 'folder'
  optimizer.batch_size = 128

  run.epochs = 80.0
  run.hold_data = True  # 1.75 GB
  run.evaluate_every = 3900  # ten epochs
  run.save_every = 3900
  return config
