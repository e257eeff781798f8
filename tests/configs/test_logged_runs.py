"""The rates of every logged run, against the program's notes."""

import functools

import jax
import pytest

from alexnet_jax.learning import optimizer
from configs import logged_run

LAYERS = ('conv1', 'conv2', 'conv3', 'fc6', 'fc8')

# Last epochs at 0.01, 0.001, 0.0001, 0.00001 and at rest, from the notes.
# run: (conv1, conv2, all above, last epochs of 0.02 and 0.002 for biases,
#       first epoch without color noise)
BY_HAND = {
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
# run: {epoch: (conv1, conv2, fc8)}, epochs in all, biases, first epoch without
# color noise. 145-continued counts its epochs from 145's 91.
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
# biases, epochs in all, first epochs without color noise and of frozen conv1.
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
def rates_of(run):
  """f(epoch, progress) -> {layer: {kernel, bias}}, compiled once a run."""
  o = logged_run.get_config(run).optimizer
  params = {layer: {'kernel': 0, 'bias': 0} for layer in LAYERS}
  return jax.jit(lambda epoch, progress: optimizer.rates(
      params, o.learning_rate, epoch, progress, schedule=o.schedule,
      target_factor=o.target_factor, schedule_levels=o.schedule_levels,
      drops=o.drops, bias_rate=o.bias_rate, bias_drops=o.bias_drops,
      layer_drops=o.layer_drops, layer_rates=o.layer_rates, frozen=o.frozen))


def kernels(run, epoch, progress=0.0):
  rates = rates_of(run)(epoch, progress)
  return {layer: rates[layer]['kernel'] for layer in LAYERS}


def biases(run, epoch, progress=0.0):
  rates = rates_of(run)(epoch, progress)
  return {layer: rates[layer]['bias'] for layer in LAYERS}


def approx(value):
  return pytest.approx(value, rel=1e-4)


def stretches(last_epochs, rates):
  """(epoch, rate) of the first and last epoch of every stretch."""
  firsts = (1, *(last + 1 for last in last_epochs))
  for first, last, rate in zip(firsts, last_epochs, rates, strict=False):
    if first <= last:
      yield from ((first, rate), (last, rate))


def test_every_run_is_held_against_the_notes():
  assert set(logged_run.RUNS) == {*BY_HAND, *CONTINUED, *AUTOMATIC}


@pytest.mark.parametrize('run', BY_HAND)
def test_rates_fall_by_hand_in_the_noted_epochs(run):
  conv1, conv2, above, _, _ = BY_HAND[run]
  rates = (1e-2, 1e-3, 1e-4, 1e-5)
  for layer, last_epochs in zip(
      LAYERS, (conv1, conv2, above, above, above), strict=True):
    for epoch, rate in stretches(last_epochs, (*rates, 0.0)):
      assert kernels(run, epoch)[layer] == approx(rate), (layer, epoch)


@pytest.mark.parametrize('run', BY_HAND)
def test_biases_rest_with_their_kernels_and_fall_once_or_never(run):
  conv1, conv2, above, falls, _ = BY_HAND[run]
  for epoch, rate in stretches(falls, (0.02, 0.002)):
    found = biases(run, epoch)
    assert found['fc6'] == found['fc8'] == found['conv3'] == approx(rate)
  for layer, last_epochs in (('conv1', conv1), ('conv2', conv2)):
    alive = last_epochs[3]  # where there is a fifth stretch, at rest
    last_rate = (0.02, 0.002)[len(falls) - 1]
    assert biases(run, alive)[layer] == approx(last_rate)
    assert len(last_epochs) == 4 or biases(run, alive + 1)[layer] == 0
  assert above[-1] == logged_run.get_config(run).run.epochs


@pytest.mark.parametrize('run', CONTINUED)
def test_runs_that_go_on_from_others_start_lower(run):
  rows, epochs, bias, _ = CONTINUED[run]
  for epoch, (conv1, conv2, fc8) in rows.items():
    found = kernels(run, epoch)
    assert (found['conv1'], found['conv2'], found['fc8']) == (
        approx(conv1), approx(conv2), approx(fc8)), epoch
    assert biases(run, epoch)['fc8'] == biases(run, epoch)['conv2'] == (
        approx(bias))
  assert biases(run, epochs)['conv1'] == 0
  assert logged_run.get_config(run).run.epochs == epochs


@pytest.mark.parametrize('run', AUTOMATIC)
def test_automatic_rates_go_from_the_first_to_the_last(run):
  first, middle, last, bias, last_bias, epochs, _, frozen = AUTOMATIC[run]
  assert kernels(run, 1, 0.0)['fc8'] == approx(first)
  assert kernels(run, 1 + epochs // 2, 0.5)['fc8'] == approx(middle)
  assert kernels(run, epochs, 1.0)['fc8'] == approx(last)
  assert biases(run, 1, 0.0)['fc8'] == approx(bias)
  assert biases(run, epochs, 1.0)['fc8'] == approx(last_bias)
  assert logged_run.get_config(run).run.epochs == epochs
  if frozen:
    assert kernels(run, frozen - 1, 0.5)['conv1'] == approx(middle)
    assert kernels(run, frozen, 0.5)['conv1'] == 0
    assert biases(run, frozen, 0.5)['conv1'] == 0
  else:
    assert kernels(run, epochs, 1.0)['conv1'] == approx(last)


@pytest.mark.parametrize('run, ends', [
    ('160', {24: 0.04, 25: 0.00317480, 48: 0.00317480, 49: 0.00025198,
             71: 0.00025198, 72: 2e-5}),  # after 23.75, 47.5 and 71.25 epochs
    ('170', {48: 0.02, 49: 0.002}),  # after 47.5
    ('155', {1: 0.04, 48: 0.00063246, 95: 1e-5}),
])
def test_biases_step_at_the_nearest_whole_epoch(run, ends):
  for epoch, rate in ends.items():
    assert biases(run, epoch)['fc6'] == approx(rate), epoch


@pytest.mark.parametrize('run', logged_run.RUNS)
def test_color_noise_ends_in_the_noted_epoch(run):
  noted = {**{name: row[4] for name, row in BY_HAND.items()},
           **{name: row[3] for name, row in CONTINUED.items()},
           **{name: row[6] for name, row in AUTOMATIC.items()}}
  assert logged_run.get_config(run).augment.jitter_until == noted[run]


def test_two_runs_decay_their_full_layers_twice_as_much():
  for run in logged_run.RUNS:
    decays = dict(logged_run.get_config(run).optimizer.layer_decays)
    assert decays == ({'fc6': 0.001, 'fc7': 0.001, 'fc8': 0.001}
                      if run in ('163', '165') else {})


def test_only_one_run_has_larger_batches():
  for run in logged_run.RUNS:
    batch = logged_run.get_config(run).optimizer.batch_size
    assert batch == (256 if run == '170-256-double' else 128)


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
def test_a_run_has_its_own_net_where_it_is_known(run, fields):
  model = logged_run.get_config(run).model
  assert model.name == 'alexnet_2012'
  for name, value in fields.items():
    assert model[name] == value


def test_without_a_name_it_is_145():
  assert logged_run.get_config() == logged_run.get_config('145')


def test_an_unknown_run_is_answered_with_all_names():
  with pytest.raises(ValueError) as error:
    logged_run.get_config('144')
  for part in ("'144'", '145-2010', '174', 'behind the colon'):
    assert part in str(error.value)
  assert len(str(error.value).splitlines()) == 1
