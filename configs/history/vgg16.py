r"""VGG-16 (2014), configuration D: 138,357,544 parameters.

    python launch.py --config=configs/history/vgg16.py \
      --config.data.path=RECORDS --workdir=runs/vgg16

The paper is Simonyan and Zisserman, "Very deep convolutional networks for
large-scale image recognition". RECORDS are of --task=prepare with
--config.data.image_size=384, the middle of the scales: that is where the paper
tests a network trained on scales of 256 to 512 (section 4.1). Training resizes
each image so that its shorter side has a random length in this range, then
crops 224 pixels (section 3.1).

Claim: 28.07 % top-1 and 9.33 % top-5 error of one network with ten crops (He
et al., 2015, Table 3). The paper applies the network to whole images instead:
25.6 % and 8.1 % at one scale (Table 3), 24.8 % and 7.5 % at three (Table 4).
Not run here.

The paper divides the rate by ten three times, when the validation error stops
improving, and ends after 370,000 steps, 74 epochs. It draws the weights of the
shallower configuration A, --config.model.convolutions="(1,1,2,2,2)", with a
deviation of 0.1 ("variance 10^-2"), --config.model.stddev=0.1, and starts this
network from the first four convolutions and the full layers of A. Its authors
found later that the weights of Glorot and Bengio (2010) need no such start.
They are used here; --init_from would take conv1_1 alone, as conv1_2 differs.

`vgg16.py:torchvision` is torchvision's form, for its weights (docs/weights.md):
pictures of 256 pixels, divided colors, and dropout that scales in training.
"""

from ml_collections import ConfigDict

from configs import paper
from configs.published import torchvision

CLAIM = {
    'what': 'VGG-16',
    'section': '4 of Simonyan and Zisserman (2014)',
    'against': '',
    'top1_error': 28.07,
    'top5_error': 9.33,
    'source': 'He et al. (2015), Table 3: ILSVRC-2012 validation, ten crops',
}


def get_config(form: str = '') -> ConfigDict:
  if form not in ('', 'torchvision'):
    raise ValueError(f'there is no form {form!r}: give torchvision behind the'
                     ' colon, or no colon.')
  config = paper.get_config()
  config.model = ConfigDict({
      'name': 'vgg',
      'num_columns': 1,
      'crossings': ('fc8',),
      'convolutions': (2, 2, 3, 3, 3),  # layers of each block (Table 1, D)
      'kernels': (64, 128, 256, 512, 512),  # maps of each block
      'neurons': (4096, 4096),  # fc6, fc7
      'stddev': 0.0,  # of initial weights; 0: Glorot and Bengio's
      'dropout': True,  # of one half, on fc6 and fc7
      'inverted_dropout': False,  # scaled in training, not at the test
      'pixel_stddevs': (),  # what colors are divided by; () divides by none
  })

  config.data.path = '~/data/imagenet2012_384'
  config.data.image_size = 384

  augment = config.augment
  augment.scale = (256, 512)  # of the shorter side (3.1)
  augment.mean_pixel = (123.68, 116.779, 103.939)  # of the training set

  optimizer = config.optimizer
  optimizer.batch_size = 256
  optimizer.learning_rate = 0.01  # and weight decay 0.0005, as in `paper.py`

  config.run.epochs = 74.0
  if form:
    torchvision.wire(config, inverted_dropout=True)
  return config
