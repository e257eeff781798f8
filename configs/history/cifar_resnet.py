r"""ResNets and plain networks for CIFAR-10 (section 4.2): the degradation.

    python launch.py --config=configs/history/cifar_resnet.py:20 \
      --config.data.path=CIFAR10 --workdir=runs/cifar_resnet20

The name after the colon is 20, 32, 44, 56 or 110, and plain20 to plain110 for
the same network without shortcuts. A number after a comma is the length of the
run, `:plain56,16000`: the rate still drops at one half and three quarters.

Claim: 8.75 % test error with 20 layers, 7.51 % (32), 7.17 % (44), 6.97 % (56)
and 6.43 % (110), Table 6; a plain network of 56 layers has a higher error than
one of 20, in training too (Figure 6). More: docs/resnet.md.

CIFAR10 is as in `cifar10/net_19pct.py`. All 50,000 images are trained on, 128 a
step, for 64,000 steps at rates of 0.1, 0.01 and 0.001; with 110 layers the
first epoch has 0.01, where the paper waits for a training error below 80 %,
about 400 steps. Four pixels around each image are zero after the mean image is
subtracted. Weight decay is that of kernels alone. Narrower networks:
--config.model.kernels="(8,16,32)".
"""

from ml_collections import ConfigDict

from configs import paper
from configs.history import resnet

DEPTHS = ('20', '32', '44', '56', '110')  # 6n + 2 layers
STEPS, EPOCH = 64_000, 390  # of a run; of 50,000 images in batches of 128
CLAIM = {
    'what': 'ResNet-20 on CIFAR-10',
    'section': '4.2 of He et al. (2015)',
    'form': '20',
    'against': '',
    'top1_error': 8.75,
    'top5_error': None,
    'source': 'Table 6: CIFAR-10 test, one crop',
}


def get_config(form_and_steps: str = '20') -> ConfigDict:
  form, _, steps = form_and_steps.partition(',')
  plain = form.startswith('plain')
  depth = form.removeprefix('plain')
  if depth not in DEPTHS or not (steps or '1').isdecimal():
    raise ValueError(
        f'there is no form {form_and_steps!r}: give one of {", ".join(DEPTHS)},'
        ' or plain20 to plain110, and steps behind a comma.')
  n = (int(depth) - 2) // 6
  config = paper.get_config()
  config.model = resnet.get_config().model
  config.model.kernels = (16, 32, 64)
  config.model.blocks = (n, n, n)
  config.model.shortcut = 'none' if plain else 'A'
  config.model.small_images = True

  config.data.name = 'cifar10'
  config.data.path = '~/data/cifar10'
  config.data.image_size = 32

  augment = config.augment
  augment.crop = 32
  augment.pad = 4
  augment.jitter = 0.0

  optimizer = config.optimizer
  optimizer.batch_size = 128
  optimizer.learning_rate = 0.1
  optimizer.weight_decay = 0.0001
  optimizer.plateau = False
  optimizer.drops = tuple(
      (1 + round(share * int(steps or STEPS) / EPOCH), factor)
      for share, factor in ((1 / 2, 0.1), (3 / 4, 0.01)))
  if depth == '110':  # 0.01 for the first 400 steps or so, an epoch
    optimizer.learning_rate = 0.01
    optimizer.drops = ((2, 10.0), *(
        (epoch, 10 * factor) for epoch, factor in optimizer.drops
        if epoch >= 2))
  optimizer.bias_drops = optimizer.drops

  config.run.epochs = (STEPS + 0.5) / EPOCH
  config.run.steps = int(steps or 0)
  config.run.evaluate_every = 5 * EPOCH
  config.run.save_every = 5 * EPOCH
  config.run.log_every = 130
  config.run.views = 1
  config.run.hold_data = True  # 154 MB
  return config
