r"""Ablations: each is one change to the same network.

    python launch.py --config=configs/ablations.py:no_norm \
      --config.data.path=RECORDS
    python launch.py --config=configs/ablations.py:no_norm,small \
      --config.data.path=RECORDS

The name after the colon is a key of the table below. The name after the comma
is the form of the network that is changed: `authors_2012`, the default, is the
network of the program's ablations; `paper` is the printed network; `small` is a
narrow version of the program's network, trained for 12 epochs on 64-pixel
patches of 12,500 images, so that a CPU can run all ablations; `overfit` is the
same network on 5,000 images for 120 epochs, because what sections 4 and 5 do
against overfitting can only be seen in a network that could overfit. FEW has
the first 20 classes of Tiny ImageNet, of whose 500 images each every second is
used:

    for split in train val; do
      mkdir -p FEW/$split
      for class in $(ls TINY/train | head -20); do
        ln -s $PWD/TINY/$split/$class FEW/$split/
      done
    done
    python launch.py --config=configs/ablations.py:no_dropout,overfit \
      --config.data.path=FEW

`converged` is the same network on 12,500 images of 50 classes for 40 epochs,
until its rate has dropped twice and its error falls no further, because a
network that has barely begun to learn has no use for more layers. FIFTY has the
first 50 classes, made by the same lines with `head -50`.

Claim: each row has a separate claim, as a difference from the errors of
`baseline`. Results: docs/results.md.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from configs import authors_2012, paper

Fields = Mapping[str, Any]  # 'model.dropout': False
NOT_GIVEN = 'nowhere given'
VALIDATION = 'ILSVRC-2012 validation, ten crops'
MIDDLE_LAYERS = 'section 7: about 2 %'


class Ablation(NamedTuple):
  """A change, and the errors that the paper or its program reports for it."""

  fields: Fields | Callable[[ConfigDict], Fields]  # or of the baseline's model
  what: str
  section: str  # of the paper
  source: str
  # Percentage points more than the baseline; of the baseline itself, percent.
  top1_error: float | None = None  # None: no number is given
  top5_error: float | None = None


def _one_column(model: ConfigDict) -> dict[str, Any]:
  """conv5 and the fully connected layers keep their size (footnote 2)."""
  *kernels, conv5 = model.kernels
  return {'model.num_columns': 1, 'model.kernels': (*kernels, 2 * conv5),
          'model.neurons': tuple(2 * neurons for neurons in model.neurons)}


def _one_column_same_size(model: ConfigDict) -> Fields:
  """As many parameters as the two columns have (footnote 2).

  One column reads all maps below, so conv1 to conv4 have three quarters of the
  kernels of both columns: 60,911,688 parameters in the paper's net, which has
  60,965,224.
  """
  *kernels, conv5 = model.kernels
  return _one_column(model) | {'model.kernels': (
      *(3 * kernel // 2 for kernel in kernels), 2 * conv5)}


def _four_columns(model: ConfigDict) -> Fields:
  r"""The widths of the program's four-GPU network #129.

  Over all four columns, conv3 and conv4 have twice as many kernels as with two
  columns, conv1 a third more, and the other layers the same number. There are
  62,423,528 parameters. In #129 the columns talk in pairs: `paired_columns`. On
  four devices:

      JAX_NUM_CPU_DEVICES=4 python launch.py --config.mesh.column=4 \
        --config=configs/ablations.py:four_columns,small \
        --config.data.path=RECORDS
  """
  conv1, conv2, conv3, conv4, conv5 = model.kernels
  return {
      'model.num_columns': 4,
      'model.kernels': (conv1 * 2 // 3, conv2 // 2, conv3, conv4, conv5 // 2),
      'model.neurons': tuple(neurons // 2 for neurons in model.neurons)}


def _never_talk(model: ConfigDict) -> Fields:
  """A wider conv2 and fc6 keep the number of parameters."""
  conv1, conv2, *kernels = model.kernels
  fc6, fc7 = model.neurons
  return {'model.crossings': ('fc8',),
          'model.kernels': (conv1, conv2 * 5 // 4, *kernels),
          'model.neurons': (2 * fc6, fc7)}


def _paired_columns(model: ConfigDict) -> Fields:
  """conv3 reads the columns of its own pair, as in the four-GPU nets #116-#130.

  61,538,792 parameters in the paper's net. With its blurred second input, #129
  has 19,200 more.
  """
  return {
      **_four_columns(model),
      'model.partners': ((0, 1), (0, 1), (2, 3), (2, 3)),
      'model.partner_layers': ('conv3',),
      'model.crossings': ('fc6', 'fc7', 'fc8')}


ABLATIONS = {
    'baseline': Ablation(
        {}, 'the net of all ablations', '6', f'#145, {VALIDATION}',
        40.66, 18.21),

    # "much slower": six times on CIFAR-10 (cifar10/figure1.py).
    'tanh': Ablation(
        {'model.nonlinearity': 'tanh'}, 'tanh in place of ReLU', '3.1',
        NOT_GIVEN),

    # Jarrett et al. have |tanh| with contrast normalization; here it stands
    # alone, as sigmoid and a ReLU with a slope below zero do.
    'abs_tanh': Ablation(
        {'model.nonlinearity': 'abs_tanh'}, '|tanh| in place of ReLU', '3.1',
        NOT_GIVEN),
    'sigmoid': Ablation(
        {'model.nonlinearity': 'sigmoid'}, 'sigmoid in place of ReLU', '3.1',
        NOT_GIVEN),
    'leaky_relu': Ablation(
        {'model.nonlinearity': 'leaky_relu'}, 'leaky ReLU in place of ReLU',
        '3.1', NOT_GIVEN),

    # 39.17 / 18.23 against 37.47 / 17.00.
    'one_column': Ablation(
        _one_column, 'one column, half the kernels', '3.2',
        '#145-half, ILSVRC-2010 test, ten crops', 1.7, 1.23),
    'one_column_same_size': Ablation(
        _one_column_same_size, 'one column, as many parameters', '3.2',
        NOT_GIVEN),
    # "overfitting" (#120); "hardly (if at all) better than 2-gpu net" (#130).
    'four_columns': Ablation(
        _four_columns, 'four columns', '3.2',
        'nowhere given; #129 was lost at epoch 22'),
    'paired_columns': Ablation(
        _paired_columns, 'four columns, of which pairs talk in conv3', '3.2',
        'nowhere given; #129 was lost at epoch 22'),
    # 41.83 / 19.33; not in the paper.
    'never_talk': Ablation(
        _never_talk, 'columns that never talk', '3.2', f'#150, {VALIDATION}',
        1.17, 1.12),
    # The pattern is "a problem for cross-validation".
    'cross_at_fc6': Ablation(
        {'model.crossings': ('fc6', 'fc7', 'fc8')},
        'columns that talk from fc6 on', '3.2', NOT_GIVEN),
    'cross_everywhere': Ablation(  # the net without groups
        {'model.crossings': (
            'conv2', 'conv3', 'conv4', 'conv5', 'fc6', 'fc7', 'fc8')},
        'columns that talk everywhere', '3.2', NOT_GIVEN),

    # 42.03 / 19.36. The second norm of layer 2 goes as well.
    'no_norm': Ablation(
        {'model.response_norm': False}, 'no response normalization', '3.3',
        f'#148, {VALIDATION}', 1.37, 1.15),
    # Three years later: both norms give way to one of the batch.
    'batch_norm': Ablation(
        {'model.norm': 'batch'}, 'batch normalization in place of the norm',
        '3.3', NOT_GIVEN),
    # 41.06 / 18.51. Windows of 2 x 2; less padding keeps the pooled sizes.
    'non_overlapping': Ablation(
        {'model.overlapping_pooling': False}, 'pooling without overlap', '3.4',
        f'#147, {VALIDATION}', 0.39, 0.3),

    # "substantial overfitting" without crops and reflections.
    'no_crops': Ablation(  # the central patch alone
        {'augment.random_crops': False}, 'no random crops', '4.1', NOT_GIVEN),
    'no_flips': Ablation(
        {'augment.flips': False}, 'no reflections', '4.1', NOT_GIVEN),
    'no_crops_no_flips': Ablation(
        {'augment.random_crops': False, 'augment.flips': False},
        'no crops, no reflections', '4.1', NOT_GIVEN),
    # "reduces the top-1 error rate by over 1%".
    'no_jitter': Ablation(
        {'augment.jitter': 0.0}, 'no color jitter', '4.1',
        'section 4.1: over 1 %', 1.0),
    'no_crops_no_flips_no_jitter': Ablation(
        {'augment.random_crops': False, 'augment.flips': False,
         'augment.jitter': 0.0},
        'no augmentation', '4.1', NOT_GIVEN),
    # "substantial overfitting", and half the iterations to converge.
    'no_dropout': Ablation(
        {'model.dropout': False}, 'no dropout', '4.2', NOT_GIVEN),

    # "reduces the model's training error", not only the validation error.
    'no_weight_decay': Ablation(
        {'optimizer.weight_decay': 0.0}, 'no weight decay', '5', NOT_GIVEN),
    # Biases of 1 accelerate "the early stages of learning".
    'no_biases': Ablation(
        {'model.biases': (0.0,) * 8}, 'biases that start at 0', '5',
        NOT_GIVEN),

    # "removing any of the middle layers results in a loss of about 2%". The
    # pooling of conv2 and conv5 stays, over the layer below.
    'without_conv2': Ablation(
        {'model.without': ('conv2',)}, 'without conv2', '7', MIDDLE_LAYERS,
        2.0),
    'without_conv3': Ablation(  # conv4 reads both columns in its place
        {'model.without': ('conv3',),
         'model.crossings': ('conv4', 'fc6', 'fc7', 'fc8')},
        'without conv3', '7', MIDDLE_LAYERS, 2.0),
    'without_conv4': Ablation(
        {'model.without': ('conv4',)}, 'without conv4', '7', MIDDLE_LAYERS,
        2.0),
    'without_conv5': Ablation(
        {'model.without': ('conv5',)}, 'without conv5', '7', MIDDLE_LAYERS,
        2.0),
}


def _small() -> ConfigDict:
  config = authors_2012.get_config()
  model, augment, optimizer = config.model, config.augment, config.optimizer
  model.kernels = (16, 32, 48, 48, 32)
  model.neurons = (256, 256)
  # A narrow layer sums fewer inputs, so each weight starts larger.
  model.stddevs = (0.02, 0.05, 0.06, 0.06, 0.06, 0.05, 0.06, 0.05)
  model.biases = (0.0, 0.1, 0.0, 0.1, 0.1, 0.1, 0.1, 0.0)

  config.data.image_size = 72
  config.data.train_examples = 12_500
  augment.crop = 64
  augment.jitter_until = 10

  optimizer.batch_size = 64
  optimizer.drops = ((8, 0.1), (11, 0.01))  # the program's, 7.6 times faster
  optimizer.bias_drops = ((8, 0.1),)
  optimizer.layer_drops = ()

  config.run.epochs = 12.0
  config.run.evaluate_every = 780  # four epochs
  config.run.stall_steps = 1000
  return config


def _overfit() -> ConfigDict:
  config = _small()
  config.data.name = 'folder'
  config.data.train_examples = 5_000
  config.augment.jitter_until = 100
  config.optimizer.drops = ((80, 0.1), (108, 0.01))
  config.optimizer.bias_drops = ((80, 0.1),)
  config.run.epochs = 120.0
  config.run.hold_data = True
  config.run.evaluate_every = 390  # five epochs
  config.run.save_every = 1560
  config.run.log_every = 39  # half an epoch
  return config


def _converged() -> ConfigDict:
  config = _small()
  config.data.name = 'folder'
  config.augment.jitter_until = 33
  config.optimizer.drops = ((27, 0.1), (36, 0.01))
  config.optimizer.bias_drops = ((27, 0.1),)
  config.run.epochs = 40.0
  config.run.hold_data = True
  config.run.log_every = 195  # an epoch
  config.run.save_every = 1950
  return config


FORMS = {'authors_2012': authors_2012.get_config, 'paper': paper.get_config,
         'small': _small, 'overfit': _overfit, 'converged': _converged}


def get_config(name_and_form: str = 'baseline') -> ConfigDict:
  name, _, form = name_and_form.partition(',')
  form = form or 'authors_2012'
  if name not in ABLATIONS:
    raise ValueError(f'there is no ablation {name!r}: give one of'
                     f' {", ".join(ABLATIONS)} behind the colon.')
  if form not in FORMS:
    raise ValueError(f'an ablation has no form {form!r}: give one of'
                     f' {", ".join(FORMS)} behind the comma.')
  config = FORMS[form]()
  fields = ABLATIONS[name].fields
  config.update_from_flattened_dict(
      fields(config.model) if callable(fields) else fields)
  return config
