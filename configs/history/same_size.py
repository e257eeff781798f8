r"""Five networks of about the same size on the same photographs.

    python launch.py --config=configs/history/same_size.py:resnet \
      --config.data.path=TWENTY --workdir=runs/same_size_resnet

The name after the colon is lenet, alexnet, vgg, googlenet, resnet, or plain for
the ResNet without shortcuts. Each is narrowed until one image is about 12 MFLOP
forward, and trained for four epochs on 64 pixels. TWENTY has the first 20
classes of Tiny ImageNet by name, 500 images each, and 50 for validation:

    for split in train val; do
      mkdir -p TWENTY/$split
      for class in $(ls TINY/train | head -20); do
        ln -s $PWD/TINY/$split/$class TWENTY/$split/
      done
    done

Initial weights, dropout and weight decay are those of each network's own
config. Data, augmentation, batches, rate and length are the same for all. Of
their own rates 0.01 is that of all but the ResNet, whose 0.1 for 256 images is
0.0125 for 32. Result: docs/same_photographs.md.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from configs import paper
from configs.history import googlenet, lenet5, resnet, vgg16


class Narrow(NamedTuple):
  """A network's own config, and what is changed in it."""

  own: Callable[[], ConfigDict]
  model: Mapping[str, Any]


NETWORKS = {
    # C5 reads 13 x 13 maps here and makes 9 x 9.
    'lenet': Narrow(
        lambda: lenet5.get_config('simplified'),
        {'kernels': (8, 22, 40), 'neurons': (160,)}),
    # A quarter of the maps, in one column.
    'alexnet': Narrow(
        paper.get_config,
        {'num_columns': 1, 'kernels': (24, 64, 96, 96, 64),
         'neurons': (512, 512),
         # A narrow layer sums fewer inputs, so each weight starts larger.
         'stddevs': (0.02, 0.06, 0.06, 0.05, 0.05, 0.1, 0.06, 0.03),
         'biases': (0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0)}),
    # Configuration A: VGG-11.
    'vgg': Narrow(
        vgg16.get_config,
        {'convolutions': (1, 1, 2, 2, 2), 'kernels': (6, 12, 24, 48, 48),
         'neurons': (384, 384)}),
    'googlenet': Narrow(googlenet.get_config, {'width': 0.2}),
    'resnet': Narrow(
        lambda: resnet.get_config('18'), {'kernels': (12, 24, 48, 96)}),
    'plain': Narrow(
        lambda: resnet.get_config('plain18'), {'kernels': (12, 24, 48, 96)}),
}


def get_config(form: str = 'alexnet') -> ConfigDict:
  if form not in NETWORKS:
    raise ValueError(f'there is no form {form!r}: give one of'
                     f' {", ".join(NETWORKS)} behind the colon.')
  narrow = NETWORKS[form]
  own = narrow.own()
  config = paper.get_config()
  config.model = own.model
  config.model.update(narrow.model)

  config.data.name = 'folder'
  config.data.path = '~/data/tiny_imagenet_20'
  config.data.image_size = 64

  augment = config.augment
  augment.crop = 64
  augment.pad = 4
  augment.jitter = 0.0

  optimizer = config.optimizer
  optimizer.batch_size = 32
  optimizer.learning_rate = 0.01
  optimizer.weight_decay = own.optimizer.weight_decay
  optimizer.plateau = False
  optimizer.schedule = 'cosine'
  optimizer.warmup = 0.25

  config.run.epochs = 4.0
  config.run.evaluate_every = 104  # three times an epoch
  config.run.save_every = 104
  config.run.log_every = 26
  config.run.views = 1
  config.run.hold_data = True  # 123 MB
  return config
