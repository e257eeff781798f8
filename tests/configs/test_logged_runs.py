"""The learning rates of every logged run, against the program's notes."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest

from alexnet_jax.learning.learning_rate import Rates, learning_rates
from configs import logged_run

LAYERS = ('conv1', 'conv2', 'conv3', 'fc6', 'fc8')
MOST_EPOCHS = 120

# From the notes: the last epochs at 0.01, 0.001, 0.0001, 0.00001 and frozen.
# run: (conv1, conv2, later layers, last epochs of 0.02 and 0.002 for biases,
#       first epoch without color jitter)
MANUAL = {
    '145': ((24, 50, 66, 71, 91), (24, 50, 78, 91), (24, 50, 78, 91),
            (91,), 67),
    '145-2010': ((22, 50, 67, 71, 93), (22, 50, 77, 93), (22, 50, 77, 93),
                 (22, 93), 68),
    '145-half': ((19, 47, 65, 71, 96), (19, 47, 78, 96), (19, 47, 78, 96),
                 (96,), 66),
    '147': ((22, 50, 78, 78, 90), (22, 50, 78, 90), (22, 50, 78, 90),
            (22, 90), 0),
    '148': ((21, 43, 68, 72, 97), (21, 43, 85, 97), (21, 43, 85, 97),
            (97,), 69),
    '150': ((24, 48, 65, 71, 92), (24, 48, 78, 92), (24, 48, 78, 92),
            (92,), 66),
    '120-2012': ((21, 48, 65, 72, 95), (21, 48, 65, 72, 95), (21, 48, 80, 95),
                 (95,), 66),
    'run4': ((22, 49, 66, 73, 95), (22, 49, 66, 73, 95), (22, 49, 81, 95),
             (22, 95), 67),
    '137-2010': ((24, 48, 80, 84, 103), (24, 48, 80, 84, 103),
                 (24, 48, 84, 103), (24, 103), 81),
    '137': ((25, 49, 74, 74, 99), (25, 49, 74, 74, 99), (25, 49, 83, 99),
            (25, 99), 75),
    '106': ((22, 45, 60, 71, 93), (22, 45, 60, 71, 93), (22, 45, 78, 93),
            (22, 93), 61),
    '112': ((21, 45, 65, 70, 90), (21, 45, 65, 70, 90), (21, 45, 78, 90),
            (21, 90), 66),
    '118': ((22, 45, 64, 74, 98), (22, 45, 64, 74, 98), (22, 45, 83, 98),
            (22, 98), 65),
    '120': ((25, 46, 65, 71, 106), (25, 46, 65, 71, 106), (25, 46, 81, 106),
            (106,), 66),
    '131': ((21, 45, 65, 74, 100), (21, 45, 65, 74, 100), (21, 45, 80, 100),
            (21, 100), 66),
    '135': ((19, 46, 65, 74, 96), (19, 46, 65, 74, 96), (19, 46, 80, 96),
            (19, 96), 66),
}
# run: {epoch: (conv1, conv2, fc8)}, number of epochs, biases, first epoch
# without color jitter. Epoch 1 of 145-continued is epoch 91 of 145.
CONTINUED = {
    '145-continued': (
        {1: (0, 1e-3, 1e-3), 16: (0, 1e-3, 1e-3), 17: (0, 1e-4, 1e-4),
         33: (0, 1e-4, 1e-4), 34: (0, 1e-5, 1e-5), 45: (0, 1e-5, 1e-5)},
        45, 0.02, 34),
    '146-2012-2011': (
        {1: (1e-4, 1e-3, 1e-2), 4: (1e-4, 1e-3, 1e-2), 5: (1e-5, 1e-3, 1e-2),
         7: (0, 1e-3, 1e-2), 8: (0, 1e-3, 1e-2), 9: (0, 1e-3, 1e-3),
         21: (0, 1e-3, 1e-3), 22: (0, 1e-4, 1e-4), 41: (0, 1e-4, 1e-4),
         42: (0, 1e-5, 1e-5), 54: (0, 1e-5, 1e-5)},
        54, 0.02, 38),
    '146-2012-2009': (
        {1: (1e-4, 1e-3, 1e-3), 2: (1e-4, 1e-3, 1e-3), 3: (1e-5, 1e-3, 1e-3),
         4: (0, 1e-3, 1e-3), 21: (0, 1e-3, 1e-3), 22: (0, 1e-4, 1e-4),
         42: (0, 1e-5, 1e-5), 52: (0, 1e-5, 1e-5)},
        52, 0.02, 38),
}
# run: the rates of kernels at the start, the middle and the end, those of
# biases at the start and the end, number of epochs, the first epochs without
# color jitter and with conv1 frozen.
# The middle of a schedule with an even number of levels lies in the lower half.
AUTOMATIC = {
    '155': (0.02, 0.00031623, 5e-6, 0.04, 1e-5, 95, 61, 74),
    '156': (0.02, 0.00044721, 1e-5, 0.04, 2e-5, 95, 61, 72),
    '157': (0.04, 0.00044721, 5e-6, 0.08, 1e-5, 95, 62, 73),
    '158': (0.04, 0.00028284, 2e-6, 0.08, 4e-6, 95, 63, 77),
    '160': (0.02, 0.0015874, 1e-5, 0.04, 2e-5, 95, 61, 0),
    '162': (0.01, 0.00031623, 1e-5, 0.02, 2e-5, 95, 61, 0),
    '163': (0.01, 0.001, 1e-5, 0.02, 2e-5, 95, 61, 73),
    '165': (0.01, 0.00125992, 2e-5, 0.02, 2e-3, 95, 63, 78),
    '169': (0.01, 0.00125992, 2e-5, 0.02, 2e-3, 95, 60, 73),
    '169-80': (0.01, 0.00125992, 2e-5, 0.02, 2e-3, 80, 53, 74),
    '170': (0.01, 0.00158740, 4e-5, 0.02, 2e-3, 95, 68, 74),
    '170-256-double': (0.02, 0.00317480, 8e-5, 0.04, 4e-3, 95, 61, 73),
    '171': (0.01, 0.00044721, 2e-5, 0.02, 2e-3, 95, 60, 72),
    '174': (0.01, 0.00354954, 2e-5, 0.02, 2e-3, 95, 62, 74),
    '175': (0.01, 0.002, 8e-5, 0.02, 2e-3, 95, 60, 75),
}


@functools.cache
def rates_of(run, progress):
  """{layer: {'kernel': [E], 'bias': [E]}}, the rates in epochs 1 to E."""
  fields = logged_run.get_config(run).optimizer
  params = {layer: {'kernel': 0, 'bias': 0} for layer in LAYERS}
  rates = learning_rates(
      Rates(**{name: fields[name] for name in Rates._fields}), params,
      fields.learning_rate, jnp.arange(1, MOST_EPOCHS + 1), progress)
  return {layer: {kind: np.broadcast_to(rate, MOST_EPOCHS)
                  for kind, rate in kinds.items()}
          for layer, kinds in rates.items()}


def kernels(run, layer, epoch, progress=0.0):
  return rates_of(run, progress)[layer]['kernel'][epoch - 1]


def biases(run, layer, epoch, progress=0.0):
  return rates_of(run, progress)[layer]['bias'][epoch - 1]


def approx(value):
  return pytest.approx(value, rel=1e-4)


def ends_of_stretches(last_epochs, rates):
  """(epoch, rate) of the first and the last epoch at each rate."""
  firsts = (1, *(last + 1 for last in last_epochs))
  for first, last, rate in zip(firsts, last_epochs, rates, strict=False):
    if first <= last:
      yield from ((first, rate), (last, rate))


def test_every_run_is_compared_with_the_notes():
  assert set(logged_run.RUNS) == {*MANUAL, *CONTINUED, *AUTOMATIC}


@pytest.mark.parametrize('run', MANUAL)
def test_manual_rates_fall_in_the_noted_epochs(run):
  conv1, conv2, later, _, _ = MANUAL[run]
  rates = (1e-2, 1e-3, 1e-4, 1e-5, 0.0)
  for layer, last_epochs in zip(
      LAYERS, (conv1, conv2, later, later, later), strict=True):
    for epoch, rate in ends_of_stretches(last_epochs, rates):
      assert kernels(run, layer, epoch) == approx(rate), (layer, epoch)
  assert later[-1] == logged_run.get_config(run).run.epochs


@pytest.mark.parametrize('run', MANUAL)
def test_biases_freeze_with_their_kernels_and_fall_at_most_once(run):
  conv1, conv2, _, last_epochs, _ = MANUAL[run]
  rates = (0.02, 0.002)
  for epoch, rate in ends_of_stretches(last_epochs, rates):
    for layer in ('conv3', 'fc6', 'fc8'):
      assert biases(run, layer, epoch) == approx(rate), (layer, epoch)
  for layer, stretches in (('conv1', conv1), ('conv2', conv2)):
    learning = stretches[3]  # a fifth stretch is frozen
    assert biases(run, layer, learning) == approx(rates[len(last_epochs) - 1])
    assert len(stretches) == 4 or biases(run, layer, learning + 1) == 0


@pytest.mark.parametrize('run', CONTINUED)
def test_runs_that_continue_others_start_lower(run):
  rows, epochs, bias, _ = CONTINUED[run]
  for epoch, rates in rows.items():
    for layer, rate in zip(('conv1', 'conv2', 'fc8'), rates, strict=True):
      assert kernels(run, layer, epoch) == approx(rate), (layer, epoch)
    for layer in ('conv2', 'fc8'):
      assert biases(run, layer, epoch) == approx(bias), (layer, epoch)
  assert biases(run, 'conv1', epochs) == 0
  assert logged_run.get_config(run).run.epochs == epochs


@pytest.mark.parametrize('run', AUTOMATIC)
def test_automatic_rates_go_from_the_first_to_the_last(run):
  first, middle, last, bias, last_bias, epochs, _, frozen = AUTOMATIC[run]
  assert kernels(run, 'fc8', 1, 0.0) == approx(first)
  assert kernels(run, 'fc8', 1 + epochs // 2, 0.5) == approx(middle)
  assert kernels(run, 'fc8', epochs, 1.0) == approx(last)
  assert biases(run, 'fc8', 1, 0.0) == approx(bias)
  assert biases(run, 'fc8', epochs, 1.0) == approx(last_bias)
  assert logged_run.get_config(run).run.epochs == epochs
  if frozen:
    assert kernels(run, 'conv1', frozen - 1, 0.5) == approx(middle)
    assert kernels(run, 'conv1', frozen, 0.5) == 0
    assert biases(run, 'conv1', frozen, 0.5) == 0
  else:
    assert kernels(run, 'conv1', epochs, 1.0) == approx(last)


@pytest.mark.parametrize('run, rates', [
    ('160', {24: 0.04, 25: 0.00317480, 48: 0.00317480, 49: 0.00025198,
             71: 0.00025198, 72: 2e-5}),  # after 23.75, 47.5 and 71.25 epochs
    ('170', {48: 0.02, 49: 0.002}),  # after 47.5
    ('155', {1: 0.04, 48: 0.00063246, 95: 1e-5}),
])
def test_biases_change_at_the_nearest_whole_epoch(run, rates):
  for epoch, rate in rates.items():
    assert biases(run, 'fc6', epoch) == approx(rate), epoch


def test_color_jitter_ends_in_the_noted_epoch():
  noted = {**{run: row[4] for run, row in MANUAL.items()},
           **{run: row[3] for run, row in CONTINUED.items()},
           **{run: row[6] for run, row in AUTOMATIC.items()}}
  assert {run: logged_run.get_config(run).augment.jitter_until
          for run in logged_run.RUNS} == noted


def test_two_runs_decay_their_fully_connected_layers_twice_as_much():
  decays = {run: dict(logged_run.get_config(run).optimizer.layer_decays)
            for run in logged_run.RUNS}
  twice = dict.fromkeys(('fc6', 'fc7', 'fc8'), 0.001)
  assert {run: decay for run, decay in decays.items() if decay} == {
      '163': twice, '165': twice}


def test_one_run_has_larger_batches():
  assert [run for run in logged_run.RUNS
          if logged_run.get_config(run).optimizer.batch_size != 128] == [
              '170-256-double']
  config = logged_run.get_config('170-256-double')
  assert config.optimizer.batch_size == 256


@pytest.mark.parametrize('run, fields', [
    ('145-half', {'num_columns': 1, 'kernels': (48, 128, 192, 192, 256)}),
    ('147', {'overlapping_pooling': False}),
    ('148', {'response_norm': False}),
    ('150', {'crossings': ('fc8',), 'kernels': (48, 160, 192, 192, 128),
             'neurons': (4096, 2048)}),
    ('146-2012-2011', {'kernels': (48, 128, 192, 192, 128, 128)}),
    ('146-2012-2009', {'kernels': (48, 128, 192, 192, 128, 128)}),
    ('135', {'kernels': (48, 128, 192, 192, 128)}),
    ('170', {'kernels': (48, 128, 192, 192, 128)}),
])
def test_a_run_has_its_own_network_where_that_is_known(run, fields):
  model = logged_run.get_config(run).model
  assert model.name == 'alexnet_2012'
  for name, value in fields.items():
    assert model[name] == value


def test_without_a_name_it_is_145():
  assert logged_run.get_config() == logged_run.get_config('145')


def test_an_unknown_run_is_answered_with_all_names():
  with pytest.raises(ValueError, match=r"'144'.*145-2010.*174.* the colon\.$"):
    logged_run.get_config('144')
