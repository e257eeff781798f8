r"""Residual networks of 2015, and the plain networks beside them.

    python launch.py --config=configs/history/resnet.py:34 \
      --config.data.path=RECORDS --workdir=runs/resnet34

RECORDS are of --task=prepare with --config.data.image_size=384, as for
`vgg16.py`. The paper does not say at which size it cuts ten crops; training
images have 368 pixels on average.

The name after the colon is 18, 34 (resnet34), 50, 101 or 152 (resnet152) for a
column of Table 1, and plain18 or plain34 for the same network without
shortcuts. `resnet.py:50,torchvision` is torchvision's form of one with
shortcuts, for its weights (docs/weights.md).

Claim: top-1 errors on the 2012 validation images with ten crops, 27.88 %
(ResNet-18) and 25.03 % (ResNet-34), both with --config.model.shortcut=A,
24.52 % (34), 22.85 % (50), 21.75 % (101), 21.43 % (152), 27.94 % (plain18) and
28.54 % (plain34), Tables 2 and 3. Not run here.

Batches are 256 images, and the rate of 0.1 is divided by ten when the error
stops improving, for 60 * 10^4 steps; the shorter side has 256 to 480 pixels at
random, and there is no dropout (section 3.4). Weight decay is that of kernels
alone; the paper does not say whether its 0.0001 includes the scales and shifts
of batch normalization. What differs from the paper: docs/history.md.
"""

from ml_collections import ConfigDict

from configs import paper
from configs.published import torchvision

SMALL_BLOCKS, BOTTLENECKS = False, True
# Blocks of each stage, and their kind (Table 1).
FORMS = {
    '18': ((2, 2, 2, 2), SMALL_BLOCKS),
    '34': ((3, 4, 6, 3), SMALL_BLOCKS),
    '50': ((3, 4, 6, 3), BOTTLENECKS),
    '101': ((3, 4, 23, 3), BOTTLENECKS),
    '152': ((3, 8, 36, 3), BOTTLENECKS),
}
CLAIM = {
    'what': 'ResNet-34 with projections where shapes change',
    'section': '4.1 of He et al. (2015)',
    'against': '',
    'top1_error': 24.52,
    'top5_error': 7.46,
    'source': 'Table 3, ResNet-34 B: ILSVRC-2012 validation, ten crops',
}


def get_config(form: str = '34') -> ConfigDict:
  form, _, of = form.partition(',')
  plain = form.startswith('plain')
  depth = form.removeprefix('plain')
  if depth not in FORMS or (plain and depth not in ('18', '34')) or of not in (
      ('',) if plain else ('', 'torchvision')):
    raise ValueError(
        f'there is no form {",".join(filter(None, (form, of)))!r}: give one of'
        f' {", ".join(FORMS)}, plain18 or plain34 behind the colon, and'
        " torchvision's as 50,torchvision.")
  blocks, bottlenecks = FORMS[depth]
  config = paper.get_config()
  config.model = ConfigDict({
      'name': 'resnet',
      'num_columns': 1,
      'crossings': ('fc8',),
      'kernels': (64, 128, 256, 512),  # of each stage; the first, of conv1 too
      'blocks': blocks,  # of each stage
      'bottlenecks': bottlenecks,  # 1x1, 3x3, 1x1 with 4 times the maps
      # New maps: A, zeros; B, a 1x1 convolution; C, one in every block.
      'shortcut': 'none' if plain else 'B',
      'small_images': False,  # conv1 of 3x3 and no pooling, for 32 pixels
      'stride_in_3x3': False,  # of a bottleneck, as in torchvision
      'centered_pooling': False,  # windows from the edge on, as in Caffe
      'norm_momentum': 0.9,  # of the running averages
      'norm_epsilon': 1e-5,  # added to the variance
      'pixel_stddevs': (),  # what colors are divided by; () divides by none
  })

  config.data.path = '~/data/imagenet2012_384'
  config.data.image_size = 384
  config.augment.scale = (256, 480)  # of the shorter side (3.4)

  optimizer = config.optimizer
  optimizer.batch_size = 256
  optimizer.learning_rate = 0.1
  optimizer.weight_decay = 0.0001
  config.run.epochs = 119.9  # 60 * 10^4 steps
  if of:
    torchvision.wire(config, stride_in_3x3=True, centered_pooling=True)
  return config
