r"""The learning rates of the runs in the notes of the 2012 program, by name.

    python launch.py --config=configs/logged_run.py:145-2010 \
      --config.data.path=RECORDS

The default is #145. The runs whose names end in 2010, 145-half, 106, 112,
118 and 120 use ILSVRC-2010, all others ILSVRC-2012: give records of that year.
Those of 2010, whose test images have public labels, are made by

    python launch.py --config=configs/logged_run.py:145-2010 --task=prepare \
      --config.data.name=imagenet2010 --config.data.path=ARCHIVES \
      --workdir=RECORDS

From 145 on, each run has the network of its notes. The older networks, with
another order of normalization and pooling or a blurred second input, are
replaced by that of #145.

Three runs continue another one and need --init_from=WORKDIR: `145-continued`
continues 145 (its first epoch is epoch 91 of 145), `146-2012-2011` and
`146-2012-2009` continue the two networks of `six_conv_many_classes.py`.

Claim: the comment on each row is the program's top-1 / top-5 error in percent
with ten crops, or one crop where it says so, on the test images of 2010 or the
validation images of 2012.

The notes are incomplete in these points:

* Biases. A file of the program has the last rates only. Where it ends at 0.002
  for biases, they are taken to have fallen from 0.02 with the first drop, as in
  the scripted run. In 145-half only those of conv2 ended so; here none do.
* 145-half ended at 0.00001, and it is not noted when its layers but conv1 fell
  to that: here as in 145. Its file has conv1 at 0.00001 too; the notes freeze
  conv1, as here.
* 147 has no note on the color jitter: here it never ends.
* In 146-2012-2011 fc8 learns at 0.01 from the first step on, not after 300
  files.
* 155 to 163 have one schedule for kernels and biases; in later runs the biases
  end at a tenth, after half of the run. Here biases change at whole epochs.
* Automatic schedules need a length: 95 epochs, as in the note of 169.
* 160 froze conv1 at an epoch that is not noted: here never.
* 175 went from a factor of 125 to 250 at epoch 91; here it stays at 125.

Left out are 166, 167, 177 and 178 because of their networks; 170 with blended
images or half-precision traffic; 172, which has another kind of jump; and 153,
154, 161 and 180, which have no result.
"""

from typing import NamedTuple

from ml_collections import ConfigDict

from configs import ablations, fine_tune_2011

_TABLE_1 = ('python launch.py --config=configs/logged_run.py:145-2010'
            ' --config.data.path=RECORDS --workdir=RUN; python launch.py'
            ' --task=evaluate --split=test --workdir=RUN')
CLAIMS = (
    {'what': 'the network on ILSVRC-2010', 'section': '6', 'form': '145-2010',
     'against': '', 'top1_error': 37.5, 'top5_error': 17.0, 'crops': 'ten',
     'source': 'Table 1, CNN: test images, ten crops; the log: 37.47 / 17.00',
     'command': _TABLE_1},
    {'what': 'the same without averaging ten crops', 'section': '6',
     'form': '145-2010', 'against': '', 'top1_error': 39.0, 'top5_error': 18.3,
     'crops': 'one', 'source': 'footnote 5; the log: 39.02 / 18.30',
     'command': _TABLE_1},
)
NETWORKS = {'145-half': 'one_column', '147': 'non_overlapping',
            '148': 'no_norm', '150': 'never_talk'}  # of ablations.py
ONE, TWO = ('conv1',), ('conv1', 'conv2')


class Manual(NamedTuple):
  """The first epoch of each lower rate, in the order of the notes; 0: never."""

  second: int  # 0.01 -> 0.001
  third: int  # -> 0.0001
  first_layers_fourth: int  # -> 0.00001; the color jitter ends here too
  first_layers_frozen: int
  fourth: int  # of all other layers, -> 0.00001
  last_epoch: int
  first_layers: tuple[str, ...]
  last_bias_rate: float  # biases start at 0.02


MANUAL = {
    '145': Manual(25, 51, 67, 72, 79, 91, ONE, 0.02),  # 40.66 / 18.21
    '145-2010': Manual(23, 51, 68, 72, 78, 93, ONE, 0.002),  # 37.47 / 17.00
    '145-half': Manual(20, 48, 66, 72, 79, 96, ONE, 0.02),  # 39.17 / 18.23
    '147': Manual(23, 51, 0, 79, 79, 90, ONE, 0.002),  # 41.06 / 18.51
    '148': Manual(22, 44, 69, 73, 86, 97, ONE, 0.02),  # 42.03 / 19.36
    '150': Manual(25, 49, 66, 72, 79, 92, ONE, 0.02),  # 41.83 / 19.33
    '120-2012': Manual(22, 49, 66, 73, 81, 95, TWO, 0.02),  # 41.04 / 18.71
    'run4': Manual(23, 50, 67, 74, 82, 95, TWO, 0.002),  # scripted, no result
    '137-2010': Manual(25, 49, 81, 85, 85, 103, TWO, 0.002),  # 37.62 / 17.12
    '137': Manual(26, 50, 75, 75, 84, 99, TWO, 0.002),  # 40.78 / 18.34
    '106': Manual(23, 46, 61, 72, 79, 93, TWO, 0.002),  # 37.06 / 16.67
    '112': Manual(22, 46, 66, 71, 79, 90, TWO, 0.002),  # 37.24 / 16.82
    '118': Manual(23, 46, 65, 75, 84, 98, TWO, 0.002),  # 37.83 / 17.36
    '120': Manual(26, 47, 66, 72, 82, 106, TWO, 0.02),  # 37.85 / 17.24
    '131': Manual(22, 46, 66, 75, 81, 100, TWO, 0.002),  # 40.93 / 18.57
    '135': Manual(20, 47, 66, 75, 81, 96, TWO, 0.002),  # 41.07 / 18.42
}


class Automatic(NamedTuple):
  """A schedule of the program, and the two epochs chosen by hand."""

  schedule: str  # of alexnet_jax/learning/schedules.py
  first_rate: float  # of kernels; biases start at twice as much
  target_factor: float  # the first rate over the last
  levels: int  # 0 for a smooth schedule
  jitter_until: int  # first epoch without color jitter
  conv1_frozen: int  # first epoch with conv1 frozen; 0: never


AUTOMATIC = {
    '155': Automatic('exp', 0.02, 4000, 0, 61, 74),  # 40.74 / 18.52
    '156': Automatic('exp', 0.02, 2000, 0, 61, 72),  # 40.76 / 18.35
    '157': Automatic('exp', 0.04, 8000, 0, 62, 73),  # 41.11 / 18.70
    '158': Automatic('exp', 0.04, 20000, 0, 63, 77),  # 41.03 / 18.54
    '160': Automatic('dexp', 0.02, 2000, 4, 61, 0),  # 41.37 / 19.04
    '162': Automatic('dexp', 0.01, 1000, 3, 61, 0),  # 43.85 / 20.79, 1 crop
    '163': Automatic('dexp', 0.01, 1000, 4, 61, 73),  # 42.91 / 19.91, 1 crop
    '165': Automatic('dexp', 0.01, 500, 4, 63, 78),  # 40.98 / 18.39
    '169': Automatic('dexp', 0.01, 500, 4, 60, 73),  # 40.60 / 18.11
    '169-80': Automatic('dexp', 0.01, 500, 4, 53, 74),  # 42.98 / 20.02, 1 crop
    '170': Automatic('dexp', 0.01, 250, 4, 68, 74),  # 40.53 / 18.05
    '170-256-double': Automatic(  # 42.27 / 19.66, 1 crop, after 84 epochs
        'dexp', 0.02, 250, 4, 61, 73),
    '171': Automatic('dexp', 0.01, 500, 5, 60, 72),  # 40.42 / 18.14
    '174': Automatic('jdexp', 0.01, 500, 4, 62, 74),  # 40.44 / 18.04
    '175': Automatic('dexp', 0.01, 125, 4, 60, 75),  # 42.52 / 19.49, 1 crop
}
# Kernels and biases have one schedule.
ONE_SCHEDULE = ('155', '156', '157', '158', '160', '162', '163')
# The fully connected layers have twice the weight decay.
TWICE_THE_DECAY = ('163', '165')
CONTINUED = ('145-continued',  # 40.25 / 17.99
             '146-2012-2011',  # 38.99 / 16.62
             '146-2012-2009')  # 39.10 / 16.88
RUNS = (*MANUAL, *CONTINUED, *AUTOMATIC)


def get_config(run: str = '145') -> ConfigDict:
  if run not in RUNS:
    raise ValueError(f'the notes have no run {run!r}: give one of'
                     f' {", ".join(RUNS)} behind the colon.')
  if run.startswith('146'):
    return _fine_tuned(run)
  config = ablations.get_config(NETWORKS.get(run, 'baseline'))
  if run in MANUAL:
    _set_manual_rates(config, MANUAL[run])
  elif run in AUTOMATIC:
    _set_automatic_rates(config, run, AUTOMATIC[run])
  else:
    _continue_145(config)
  return config


def _fine_tuned(run):
  config = fine_tune_2011.get_config()
  if run == '146-2012-2009':
    # Unlike in 146-2012-2011, fc8 learned at the rate of the other layers.
    config.optimizer.layer_drops = (
        ('conv1', 1, 0.1), ('conv1', 3, 0.01), ('conv1', 4, 0.0))
    config.run.epochs = 52.0
  return config


def _set_manual_rates(config, rates):
  config.augment.jitter_until = rates.first_layers_fourth
  optimizer = config.optimizer
  optimizer.drops = (
      (rates.second, 0.1), (rates.third, 0.01), (rates.fourth, 0.001))
  optimizer.bias_drops = (
      ((rates.second, 0.1),) if rates.last_bias_rate < 0.02 else ())
  steps = ((rates.first_layers_fourth, 0.001), (rates.first_layers_frozen, 0.0))
  optimizer.layer_drops = tuple(
      (layer, epoch, factor) for layer in rates.first_layers
      for epoch, factor in steps if epoch)
  config.run.epochs = float(rates.last_epoch)


def _set_automatic_rates(config, run, rates):
  config.augment.jitter_until = rates.jitter_until
  epochs = 80 if run == '169-80' else 95
  optimizer = config.optimizer
  optimizer.learning_rate = rates.first_rate
  optimizer.schedule = rates.schedule
  optimizer.target_factor = float(rates.target_factor)
  optimizer.schedule_levels = rates.levels or 4
  optimizer.drops = ()
  optimizer.bias_drops = (
      _equal_drops(rates.target_factor, rates.levels or epochs, epochs)
      if run in ONE_SCHEDULE else _equal_drops(10, 2, epochs))
  optimizer.layer_drops = (
      (('conv1', rates.conv1_frozen, 0.0),) if rates.conv1_frozen else ())
  if run in TWICE_THE_DECAY:
    optimizer.layer_decays = (('fc6', 0.001), ('fc7', 0.001), ('fc8', 0.001))
  if run == '170-256-double':
    optimizer.batch_size = 256
  config.run.epochs = float(epochs)


def _equal_drops(factor, levels, epochs):
  """Drops from 1 to 1/factor in equal levels, at the nearest whole epochs."""
  return tuple((1 + round(level * epochs / levels),
                factor ** (-level / (levels - 1)))
               for level in range(1, levels))


def _continue_145(config):
  # At 0.001 and with jitter again, up to epoch 135; epoch 91 is the first here.
  config.augment.jitter_until = 124 - 90
  optimizer = config.optimizer
  optimizer.learning_rate = 0.001
  optimizer.drops = ((107 - 90, 0.1), (124 - 90, 0.01))
  optimizer.bias_rate = 20.0  # 0.02 as before
  optimizer.bias_drops = ()
  optimizer.layer_drops = ()
  optimizer.frozen = ('conv1',)
  config.run.epochs = 135.0 - 90
