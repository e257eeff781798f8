r"""LeNet-5 (1998), on digits that need no download or on MNIST.

    python launch.py --config=configs/history/lenet5.py --workdir=runs/lenet5

trains on 898 scans that scikit-learn ships (`pip install scikit-learn`) and
tests on 899 others, in two minutes on a CPU. On the four files of MNIST:

    python launch.py --config=configs/history/lenet5.py:mnist \
      --config.data.path=MNIST --workdir=runs/lenet5_mnist

MNIST may also be a data set that TFDS has written, and both may be
Fashion-MNIST or KMNIST.

`lenet5.py:simplified` and `lenet5.py:simplified,mnist` are the form that is
usually taught: 61,706 parameters with ReLUs, max-pooling and a softmax layer.
The printed form has 60,000 that are trained, and 850 of its output layer, whose
codes are fixed.

--task=predict needs --views=1: ten crops would have mirrored digits.

Claim: 0.95 % error on the 10,000 test images of MNIST after 20 passes, without
distortions (section III). Result: docs/history.md.

The paper steps after each image, with a rate of its own for each weight
(stochastic diagonal Levenberg-Marquardt); here it is momentum over batches.
The scans are moved by up to two pixels; those of MNIST are as they are.
"""

from ml_collections import ConfigDict

from configs import paper

FORMS = ('printed', 'simplified', 'mnist', 'simplified,mnist')
CLAIM = {
    'what': 'LeNet-5 on MNIST',
    'section': 'III of LeCun et al. (1998)',
    'against': '',
    'top1_error': 0.95,
    'top5_error': None,
    'source': 'section III.B: MNIST test, no distortions',
    'form': 'mnist',
}


def get_config(form: str = 'printed') -> ConfigDict:
  if form not in FORMS:
    raise ValueError(
        f'there is no form {form!r}: give one of {", ".join(FORMS)}.')
  simplified, mnist = 'simplified' in form, 'mnist' in form
  config = paper.get_config()
  config.model = ConfigDict({
      'name': 'lenet',
      'num_columns': 1,
      'crossings': ('fc8',),
      'kernels': (6, 16, 120),  # maps of C1, C3, C5
      'neurons': (84,),  # F6
      'simplified': simplified,
      'codes': not simplified,  # fc8 compares with a code for each class
      'pixel_scale': 200.0,  # gray levels, 0..255, are divided by this
  })

  config.data.name = 'mnist' if mnist else 'digits'
  config.data.path = '~/data/mnist' if mnist else ''
  config.data.image_size = 32 if mnist else 36

  augment = config.augment
  augment.crop = 32
  augment.random_crops = not mnist
  augment.flips = False  # a mirrored digit is another sign
  augment.jitter = 0.0

  optimizer = config.optimizer
  optimizer.batch_size = 32
  optimizer.learning_rate = 0.01 if simplified else 0.002
  optimizer.weight_decay = 0.0
  optimizer.plateau = False
  optimizer.schedule = 'linear'
  optimizer.target_factor = 1000.0
  optimizer.frozen = () if simplified else ('fc8',)

  config.run.epochs = 20.0 if mnist else 60.0
  if not mnist:  # an epoch of the scans is 28 steps
    config.run.evaluate_every = config.run.save_every = 420
    config.run.log_every = 84
  config.run.views = 1
  config.run.hold_data = True
  return config
