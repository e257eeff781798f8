r"""GoogLeNet, which won ILSVRC-2014: nine inception modules.

    python launch.py --config=configs/history/googlenet.py \
      --config.data.path=RECORDS --workdir=runs/googlenet

Claim: 10.07 % top-5 error on the 2012 validation images with one network and
one crop, 9.15 % with ten (Table 3 of the paper). Not run here.

The paper gives a momentum of 0.9 and a rate that decreases by 4 % every eight
epochs. The rate itself, the batch, the weight decay and the initial weights are
of Caffe's `bvlc_googlenet`, and so is the length of 60 epochs. The paper's
patches cover 8 % to 100 % of an image with sides of 3:4 to 4:3, its colors are
distorted as by Howard (2013), and it averages weights over time; here patches
and colors are those of AlexNet, and the last weights are tested.

Without side classifiers: --config.model.side_classifiers=False.

`googlenet.py:torchvision` is torchvision's form, for its weights
(docs/weights.md): batch normalization, 3x3 kernels in the third branch, and
windows of 2x2 after module 4e.
"""

from ml_collections import ConfigDict

from configs import paper
from configs.published import torchvision

CLAIM = {
    'what': 'GoogLeNet',
    'section': '7 of Szegedy et al. (2014)',
    'against': '',
    'top1_error': None,
    'top5_error': 9.15,
    'source': 'Table 3, 1 model: ILSVRC-2012 validation, ten crops',
}


def get_config(form: str = '') -> ConfigDict:
  if form not in ('', 'torchvision'):
    raise ValueError(f'there is no form {form!r}: give torchvision behind the'
                     ' colon, or no colon.')
  config = paper.get_config()
  config.model = ConfigDict({
      'name': 'googlenet',
      'num_columns': 1,
      'crossings': ('fc8',),
      'width': 1.0,  # factor of all numbers of maps
      'norm': 'response',  # of conv1 and conv2; or 'batch' of all, or 'none'
      'large_kernel': 5,  # of the third branch of a module
      'dropout_rate': 0.4,  # before the softmax layer
      'side_classifiers': True,  # on modules 4a and 4d, in training
      'side_weight': 0.3,  # of the loss of each
      'bias': 0.2,  # initial
      'norm_epsilon': 1e-5,  # added to the variance
      'last_pooling': 3,  # side of the windows after module 4e
      'pixel_stddevs': (),  # what colors are divided by; () divides by none
  })
  if form:
    torchvision.wire(
        config, norm='batch', norm_epsilon=1e-3, large_kernel=3,
        last_pooling=2, dropout_rate=0.2,
        # Its published weights were trained on pixels of -1 to 1.
        pixel_stddevs=(127.5,) * 3)
    config.augment.mean_pixel = (127.5,) * 3

  optimizer = config.optimizer
  optimizer.batch_size = 32
  optimizer.learning_rate = 0.01
  optimizer.bias_rate = 2.0
  optimizer.weight_decay = 0.0002
  optimizer.plateau = False
  optimizer.drops = tuple((1 + 8 * i, 0.96**i) for i in range(1, 8))
  optimizer.bias_drops = optimizer.drops
  config.run.epochs = 60.0
  return config
