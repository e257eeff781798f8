"""The learning rates of each run in the notes of the 2012 program, by its name.

    python launch.py --config=configs/logged_run.py:145-2010 \
      --config.data.path=RECORDS

Without a name it is #145. A name that ends in 2010 was trained on ILSVRC-2010,
like 145-half, 106, 112, 118 and 120; all others on ILSVRC-2012: give records of
that year. The net is the run's own from 145 on; the older ones, with another
order of norm and pooling or a blurred second input, stand here with #145's.

Three go on from another run, with --init_from=WORKDIR: `145-continued` from 145
(its first epoch is 145's epoch 91), `146-2012-2011` and `146-2012-2009` from
nets pre-trained as in `six_conv.py` and `six_conv_many_classes.py`.

Claim: at the end of each row stands the program's error in percent, top-1 /
top-5, with ten patches, on the test images of 2010 or the validation images of
2012; with one patch where it says so. Measured: not run on ImageNet.

Where the notes are silent:

* Biases. A file holds the last rates only. Where it ends at 0.002 for biases,
  they are taken to have fallen from 0.02 with the first drop, as in the
  scripted run. In 145-half those of conv2 alone ended so; here none.
* 145-half ended at 0.00001; when the rest fell to that is not noted: here as in
  145. Its file has conv1 at 0.00001 too; the notes, and here, freeze it.
* 147 notes nothing about the colour noise: here it stays.
* In 146-2012-2011 fc8 learns at 0.01 from the first step on, not after 300
  files.
* 155 to 163 have one schedule for kernels and biases; later ones end their
  biases at a tenth after half of the run. Here biases step at whole epochs.
* Automatic schedules need a length: 95 epochs, as in the note of 169.
* 160 froze conv1, at an epoch that is not noted: here never.
* 175 went from a factor of 125 to 250 at epoch 91; here it stays at 125.

Left out: 166, 167, 177 and 178, for their nets; 170 with blended images or
half-precision traffic; 172, for another kind of jump; 153, 154, 161 and 180,
which have no result.
"""

from typing import NamedTuple

from ml_collections import ConfigDict

from configs import authors_2012, fine_tune_2011
from configs.ablations import never_talk, no_norm, non_overlapping, one_column

NETS = {'145-half': one_column, '147': non_overlapping, '148': no_norm,
        '150': never_talk}
ONE, TWO = ('conv1',), ('conv1', 'conv2')


class ByHand(NamedTuple):
  """The first epochs of lower rates, in the order of the notes; 0 is never."""

  thousandth: int  # 0.01 -> 0.001
  next: int  # -> 0.0001
  slowed: int  # the first layers -> 0.00001, and no colour noise any more
  frozen: int  # the first layers
  last: int  # the others -> 0.00001
  stopped: int
  first_layers: tuple[str, ...]
  bias_end: float  # the biases' last rate; they begin at 0.02


BY_HAND = {
    '145': ByHand(25, 51, 67, 72, 79, 91, ONE, 0.02),  # 40.66 / 18.21
    '145-2010': ByHand(23, 51, 68, 72, 78, 93, ONE, 0.002),  # 37.47 / 17.00
    '145-half': ByHand(20, 48, 66, 72, 79, 96, ONE, 0.02),  # 39.17 / 18.23
    '147': ByHand(23, 51, 0, 79, 79, 90, ONE, 0.002),  # 41.06 / 18.51
    '148': ByHand(22, 44, 69, 73, 86, 97, ONE, 0.02),  # 42.03 / 19.36
    '150': ByHand(25, 49, 66, 72, 79, 92, ONE, 0.02),  # 41.83 / 19.33
    '120-2012': ByHand(22, 49, 66, 73, 81, 95, TWO, 0.02),  # 41.04 / 18.71
    'run4': ByHand(23, 50, 67, 74, 82, 95, TWO, 0.002),  # scripted, no result
    '137-2010': ByHand(25, 49, 81, 85, 85, 103, TWO, 0.002),  # 37.62 / 17.12
    '137': ByHand(26, 50, 75, 75, 84, 99, TWO, 0.002),  # 40.78 / 18.34
    '106': ByHand(23, 46, 61, 72, 79, 93, TWO, 0.002),  # 37.06 / 16.67
    '112': ByHand(22, 46, 66, 71, 79, 90, TWO, 0.002),  # 37.24 / 16.82
    '118': ByHand(23, 46, 65, 75, 84, 98, TWO, 0.002),  # 37.83 / 17.36
    '120': ByHand(26, 47, 66, 72, 82, 106, TWO, 0.02),  # 37.85 / 17.24
    '131': ByHand(22, 46, 66, 75, 81, 100, TWO, 0.002),  # 40.93 / 18.57
    '135': ByHand(20, 47, 66, 75, 81, 96, TWO, 0.002),  # 41.07 / 18.42
}


class Automatic(NamedTuple):
  """A schedule of the program's, and the two things still done by hand."""

  schedule: str  # of alexnet_jax/schedules.py
  rate: float  # the first one; biases begin at twice as much
  factor: float  # the last rate is so many times smaller
  levels: int  # 0 for a smooth schedule
  no_noise: int  # first epoch without colour noise
  frozen: int  # first epoch with conv1 frozen; 0 is never


AUTOMATIC = {
    '155': Automatic('exp', 0.02, 4000, 0, 61, 74),  # 40.74 / 18.52
    '156': Automatic('exp', 0.02, 2000, 0, 61, 72),  # 40.76 / 18.35
    '157': Automatic('exp', 0.04, 8000, 0, 62, 73),  # 41.11 / 18.70
    '158': Automatic('exp', 0.04, 20000, 0, 63, 77),  # 41.03 / 18.54
    '160': Automatic('dexp', 0.02, 2000, 4, 61, 0),  # 41.37 / 19.04
    '162': Automatic('dexp', 0.01, 1000, 3, 61, 0),  # 43.85 / 20.79, 1 patch
    '163': Automatic('dexp', 0.01, 1000, 4, 61, 73),  # 42.91 / 19.91, 1 patch
    '165': Automatic('dexp', 0.01, 500, 4, 63, 78),  # 40.98 / 18.39
    '169': Automatic('dexp', 0.01, 500, 4, 60, 73),  # 40.60 / 18.11
    '169-80': Automatic('dexp', 0.01, 500, 4, 53, 74),  # 42.98 / 20.02, 1 patch
    '170': Automatic('dexp', 0.01, 250, 4, 68, 74),  # 40.53 / 18.05
    '170-256-double':  # 42.27 / 19.66, 1 patch, after 84 epochs
        Automatic('dexp', 0.02, 250, 4, 61, 73),
    '171': Automatic('dexp', 0.01, 500, 5, 60, 72),  # 40.42 / 18.14
    '174': Automatic('jdexp', 0.01, 500, 4, 62, 74),  # 40.44 / 18.04
    '175': Automatic('dexp', 0.01, 125, 4, 60, 75),  # 42.52 / 19.49, 1 patch
}
ONE_SCHEDULE = ('155', '156', '157', '158', '160', '162', '163')
TWICE_THE_DECAY = ('163', '165')  # in the full layers
CONTINUED = ('145-continued',  # 40.25 / 17.99
             '146-2012-2011',  # 38.99 / 16.62
             '146-2012-2009')  # 39.10 / 16.88
RUNS = (*BY_HAND, *CONTINUED, *AUTOMATIC)


def get_config(run: str = '145') -> ConfigDict:
  if run not in RUNS:
    raise ValueError(f'the notes have no run {run!r}: give one of'
                     f' {", ".join(RUNS)} behind the colon.')
  config = NETS.get(run, authors_2012).get_config()
  if run in BY_HAND:
    _by_hand(config, BY_HAND[run])
  elif run in AUTOMATIC:
    _automatic(config, run, AUTOMATIC[run])
  elif run == '145-continued':
    _continued(config)
  else:
    config = fine_tune_2011.get_config()
    if run == '146-2012-2009':
      _pre_trained_on_2009(config)
  return config


def _by_hand(config, row):
  config.augment.jitter_until = row.slowed
  optimizer = config.optimizer
  optimizer.drops = (
      (row.thousandth, 0.1), (row.next, 0.01), (row.last, 0.001))
  falls = row.bias_end < 0.02
  optimizer.bias_drops = ((row.thousandth, 0.1),) if falls else ()
  slowed = ((row.slowed, 0.001),) if row.slowed else ()
  optimizer.layer_drops = tuple(
      (layer, epoch, factor) for layer in row.first_layers
      for epoch, factor in (*slowed, (row.frozen, 0.0)))
  config.run.epochs = float(row.stopped)


def _automatic(config, run, row):
  config.augment.jitter_until = row.no_noise
  epochs = 80 if run == '169-80' else 95
  optimizer = config.optimizer
  optimizer.learning_rate = row.rate
  optimizer.schedule = row.schedule
  optimizer.target_factor = float(row.factor)
  optimizer.schedule_levels = row.levels or 4
  optimizer.drops = ()
  if run in ONE_SCHEDULE:
    optimizer.bias_drops = _steps(row.factor, row.levels or epochs, epochs)
  else:
    optimizer.bias_drops = _steps(10, 2, epochs)
  optimizer.layer_drops = (('conv1', row.frozen, 0.0),) if row.frozen else ()
  if run in TWICE_THE_DECAY:
    optimizer.layer_decays = (('fc6', 0.001), ('fc7', 0.001), ('fc8', 0.001))
  if run == '170-256-double':
    optimizer.batch_size = 256
  config.run.epochs = float(epochs)


def _steps(factor, levels, epochs):
  """Drops from 1 to 1/factor in so many levels, at the nearest whole epochs."""
  return tuple((1 + round(level * epochs / levels),
                factor ** (-level / (levels - 1)))
               for level in range(1, levels))


def _continued(config):
  # From 0.001 again, with noise again, to epoch 135; here 91 is the first.
  config.augment.jitter_until = 124 - 90
  optimizer = config.optimizer
  optimizer.learning_rate = 0.001
  optimizer.drops = ((107 - 90, 0.1), (124 - 90, 0.01))
  optimizer.bias_rate = 20.0  # 0.02 as before
  optimizer.bias_drops = ()
  optimizer.layer_drops = ()
  optimizer.frozen = ('conv1',)
  config.run.epochs = 135.0 - 90


def _pre_trained_on_2009(config):
  # As 146-2012-2011, but for fc8, whose rate was that of the rest.
  config.optimizer.layer_drops = (
      ('conv1', 1, 0.1), ('conv1', 3, 0.01), ('conv1', 4, 0.0))
  config.run.epochs = 52.0
