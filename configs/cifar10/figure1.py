"""Figure 1 (3.1): ReLU against tanh in the time to 25 % training error.

    python launch.py --config=configs/cifar10/figure1.py --task=figure1 \
      --config.data.path=CIFAR10 --out=runs/figure1/figure1.png

Claim: ReLU is six times faster on CIFAR-10, with "a particular four-layer
convolutional network", rates "chosen independently" to make training as fast
as possible and no regularization "of any kind". Result: docs/results.md.

The paper does not say which network. This is the program's 19pct without its
weight decay: three convolutions and a softmax layer, which are four learned
layers as the paper counts them. `figure1_local.py` is the other candidate.

The learning rate is found by successive halving. Each of `learning_rates` is
trained for the epochs of the first round. Those with the lowest training error
continue to the epochs of the next round. After the last round, the remaining
rate continues until the target error. A training error is a mean over
`log_every` steps, each measured before the update of its step.

`figure1.py:tanh` is the network with tanh, for a single run.
"""

from ml_collections import ConfigDict

from configs.cifar10 import net_19pct

CLAIM = {
    'what': 'ReLU reaches 25 % training error six times faster than tanh',
    'section': '3.1',
    'against': '',
    'top1_error': None,
    'top5_error': None,
    'ratio': 6,
    'source': 'Figure 1',
}


def get_config(nonlinearity: str = 'relu') -> ConfigDict:
  config = net_19pct.get_config()
  config.model.nonlinearity = nonlinearity

  config.data.validation_examples = 1000  # the figure needs none
  optimizer, run = config.optimizer, config.run
  optimizer.layer_decays = ()
  optimizer.drops = ()  # a constant rate
  optimizer.bias_drops = ()

  run.until_error = 0.25
  run.epochs = 60.0  # at most, for a run that does not reach the goal
  run.log_every = 98  # four times an epoch
  run.evaluate_every = 1_000_000  # at the end only
  run.keep = 1

  config.figure1 = ConfigDict({
      'nonlinearities': ('relu', 'tanh'),
      'learning_rates': (0.001, 0.003, 0.01, 0.03, 0.1),
      'rounds': ((1.0, 2), (12.0, 1)),  # (epochs, rates that remain)
  })
  return config
