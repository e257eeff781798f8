"""--init_from and --task=export: a network goes on to learn other pictures."""

import importlib
import json
import os
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from alexnet_jax.errors import InputError
from alexnet_jax.learning.augment import PixelStats
from alexnet_jax.learning.learning_rate import learning_rates
from alexnet_jax.network import describe, placement
from alexnet_jax.run import (
  experiment,
  fine_tune,
  journal,
  training,
  typed_config,
  weights,
)
from alexnet_jax.run import trained as opened
from alexnet_jax.tasks import export as export_task

CONVS = ('conv1', 'conv2', 'conv3', 'conv4', 'conv5')
BELOW = (*CONVS, 'fc6', 'fc7')


def config_of(name, *form):
  """configs/<name>.py as its get_config gives it."""
  return importlib.import_module(f'configs.{name}').get_config(*form)


def model_of(config, classes):
  """The network and its parameters' shapes, of any size."""
  model = typed_config.read(config).build_model(
      placement.make_mesh(1, 1, config.model.num_columns), classes)
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  return model, weights.to_layers(model, shapes)


# --- Runs ---------------------------------------------------------------------


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
  """A folder of two classes."""
  return tiny.write_photos(tmp_path_factory.mktemp('photos') / 'photos')


@pytest.fixture(scope='module')
def tune(trained, photos, tmp_path_factory):
  """f(fields) -> (workdir, {layer: {kernel, bias}}) after a step of tuning."""

  def run(fields, **arguments):
    config = config_of('fine_tune', 'quickstart').lock()
    narrow = {name: value for name, value in tiny.FIELDS.items()
              if name.startswith('model.')}
    config.update_from_flattened_dict(narrow | {
        'data.path': photos, 'optimizer.batch_size': 4, 'run.steps': 1,
        'run.log_every': 1, 'run.views': 1} | fields)
    arguments = {'init_from': trained[1],
                 'workdir': str(tmp_path_factory.mktemp('tuned'))} | arguments
    training.train(typed_config.read(config), **arguments)
    return arguments['workdir'], layers_in(arguments['workdir'])

  return run


@pytest.fixture(scope='module')
def began(tune):
  """The parameters that a run begins with: it has frozen them all."""
  return tune({'optimizer.frozen': (*BELOW, 'fc8')})


def layers_in(workdir):
  found = opened.open_trained(workdir)
  return jax.device_get(weights.to_layers(found.model, found.params))


def assert_same(ours, theirs, names):
  for name in names:
    for kind in ('kernel', 'bias'):
      assert ours[name][kind].tobytes() == theirs[name][kind].tobytes(), name


def moved(after, before, name):
  """How a layer's kernel has moved."""
  return after[name]['kernel'] - before[name]['kernel']


def test_all_but_the_softmax_layer_is_taken_to_the_last_bit(trained, began):
  given, (_, ours) = layers_in(trained[1]), began
  assert_same(ours, given, BELOW)
  assert ours['fc8']['kernel'].shape == (32, 2)
  assert 0 < ours['fc8']['kernel'].std() < 1
  assert not np.isin(ours['fc8']['kernel'], given['fc8']['kernel']).any()


@pytest.mark.slow
def test_on_two_devices_it_is_the_same_and_the_run_says_so(
    trained, tune, began, capsys):
  _, ours = tune({'optimizer.frozen': (*BELOW, 'fc8'), 'mesh.column': 2})
  assert_same(ours, began[1], (*BELOW, 'fc8'))
  assert (f'Took conv1 to fc7 from {trained[1]}, step 6; fc8 is new'
          ' (12 classes there, 2 here).') in capsys.readouterr().err


@pytest.mark.slow
def test_layers_learn_at_their_own_rates_and_frozen_ones_stay(tune, began):
  _, before = began
  _, plain = tune({'optimizer.layer_rates': ()})
  _, ours = tune({'optimizer.layer_rates': (('conv3', 0.1), ('fc8', 10.0)),
                  'optimizer.frozen': ('conv1', 'fc6')})
  assert_same(ours, before, ('conv1', 'fc6'))
  times = {'conv2': 1, 'conv3': 0.1, 'conv4': 1, 'conv5': 1, 'fc7': 1,
           'fc8': 10}
  for name, factor in times.items():
    expected = factor * moved(plain, before, name)
    largest = np.abs(expected).max()
    assert largest > 0
    np.testing.assert_allclose(moved(ours, before, name), expected, rtol=0,
                               atol=1e-3 * largest + 1e-7, err_msg=name)


def test_a_run_that_has_begun_goes_on_from_its_own(began, tune, capsys):
  workdir, before = began
  _, after = tune({'optimizer.frozen': (*BELOW, 'fc8'), 'run.steps': 2},
                  workdir=workdir, init_from='/nowhere')
  assert_same(after, before, (*BELOW, 'fc8'))
  assert 'Going on from step 1 of 2.' in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_that_goes_on_still_says_where_it_began(tune, trained):
  fields = {'optimizer.frozen': (*BELOW, 'fc8')}
  command = 'python launch.py --config=configs/fine_tune.py'
  workdir, _ = tune(fields, command=f'{command} --init_from={trained[1]}')
  longer = fields | {'run.steps': 2}
  tune(longer, workdir=workdir, init_from='', command=command)
  stored = journal.read_command(workdir)
  assert stored == f'{command} --init_from={trained[1]}\n'
  with pytest.raises(InputError, match='--init_from=/other: the run in'
                     f' --workdir={workdir} began with the parameters of'):
    tune(longer, workdir=workdir, command=f'{command} --init_from=/other')
  assert journal.read_command(workdir) == stored


# --- Where a start comes from -------------------------------------------------


@pytest.fixture(scope='module')
def exported(trained, tmp_path_factory):
  """An .npz of the trained network."""
  return export_to(trained, tmp_path_factory, 'weights.npz')


def export_to(trained, tmp_path_factory, name):
  out = str(tmp_path_factory.mktemp('exported') / name)
  assert export_task.export(trained[1], 'latest', out) == out
  return out


@pytest.fixture(scope='module')
def begin():
  """f(init_from, class names) -> (layers, sentence) of a tiny network."""
  config = tiny.config()
  built = experiment.build(typed_config.read(config), 12, 64)
  fresh = built.new_state(PixelStats(
      jnp.zeros((72, 72, 3)), jnp.eye(3), jnp.ones(3))).params

  def start(init_from, class_names):
    params, sentence = fine_tune.start_from(
        init_from, built.model, fresh, class_names)
    return weights.to_layers(built.model, jax.device_get(params)), sentence

  return start


def test_a_run_that_was_stopped_is_said_to_have_not_ended(
    trained, begin, tmp_path):
  workdir = shutil.copytree(trained[1], tmp_path / 'stopped')
  path = workdir / journal.METRICS
  path.write_text(''.join(path.read_text().splitlines(True)[:-1]))
  _, sentence = begin(str(workdir), ('a', 'b'))
  assert sentence.startswith(
      f'Took conv1 to fc7 from {workdir}, step 6 of a run that has not ended;')


@pytest.mark.parametrize('name', ['weights.npz', 'weights.safetensors'])
def test_a_file_is_as_good_a_start_as_the_workdir(
    name, trained, begin, tmp_path_factory):
  found = opened.open_trained(trained[1])
  exported = export_to(trained, tmp_path_factory, name)
  ours, sentence = begin(exported, found.class_names)
  assert sentence == f'Took conv1 to fc8 from {exported}.'
  assert_same(ours, weights.to_layers(found.model, jax.device_get(
      found.params)), (*BELOW, 'fc8'))


def test_the_same_number_of_other_classes_is_not_the_same_classes(
    exported, begin):
  _, sentence = begin(exported, tuple('abcdefghijkl'))
  assert sentence.endswith('fc8 is new (its classes are different).')


def test_a_network_of_another_form_is_refused(exported, begin, tmp_path):
  held = weights.load(exported)
  other = held.layers | {'conv1': {
      'kernel': np.zeros((2, 11, 11, 3, 5)), 'bias': np.zeros((2, 5))}}
  path = str(tmp_path / 'other.npz')
  weights.save(path, held._replace(layers=other))
  with pytest.raises(InputError) as error:
    begin(path, held.class_names)
  for part in (f'--init_from={path} fits no layer', 'conv1/kernel is'
               ' (2, 11, 11, 3, 5) there, (2, 11, 11, 3, 4) here',
               'config.model'):
    assert part in str(error.value)


# --- The form that fits -------------------------------------------------------


@pytest.mark.parametrize('given', [
    'quickstart', 'cifar10/figure1', 'tiny_imagenet_small',
    'ablations:no_norm,small'])
def test_a_network_has_the_form_of_its_config(given):
  name, colon, argument = given.partition(':')
  config = config_of(name.replace('/', '.'), *([argument] if colon else []))
  stored = json.loads(json.dumps(config.to_dict()))
  found = fine_tune.fitting_form(
      stored, f'python launch.py --config=configs/{name}.py{colon}{argument}')
  assert found == given
  assert config_of('fine_tune', found).model == config.model


def test_the_form_is_found_without_the_command():
  stored = config_of('quickstart').to_dict()
  for command in ('', 'python launch.py', "python 'launch", 'x --config=/a.py'):
    assert fine_tune.fitting_form(stored, command) == 'quickstart'


@pytest.mark.parametrize('changed', [
    {'model': {}}, {'augment': {}}, {'data': None}, {}, 'all'], ids=str)
def test_what_has_the_form_of_no_config_has_none(changed):
  stored = config_of('quickstart').to_dict()
  stored = {} if changed == 'all' else stored | changed
  if not changed:
    stored['model']['neurons'] = (7, 7)
  assert fine_tune.fitting_form(
      stored, 'python launch.py --config=configs/quickstart.py') == ''


@pytest.fixture
def quickstart_weights(exported, tmp_path):
  """f(layers) -> a file with the card of the quickstart."""

  def write(layers):
    held = weights.load(exported)
    path = str(tmp_path / 'quickstart.npz')
    weights.save(path, held._replace(
        layers=held.layers | layers,
        card={'config': config_of('quickstart').to_dict()}))
    return path

  return write


def test_if_nothing_fits_the_message_names_the_form_that_does(
    begin, quickstart_weights):
  path = quickstart_weights({'conv1': {
      'kernel': np.zeros((2, 11, 11, 3, 5)), 'bias': np.zeros((2, 5))}})
  with pytest.raises(InputError, match='there, .* here.: give --config=configs/'
                     'fine_tune.py:quickstart, which has its form, or other'):
    begin(path, ('a', 'b'))


def test_if_some_layers_fit_the_run_names_the_form_of_all(
    begin, quickstart_weights):
  path = quickstart_weights({'conv3': {
      'kernel': np.zeros((2, 3, 3, 8, 7)), 'bias': np.zeros((2, 7))}})
  _, said = begin(path, ('a', 'b'))
  assert said.startswith(f'Took conv1 to conv2 from {path}; conv3 to fc8 are')
  assert said.endswith(
      'With --config=configs/fine_tune.py:quickstart all layers below fc8 fit.')


def test_a_start_that_is_not_there_is_refused(begin):
  with pytest.raises(
    InputError,
    match='--init_from=/nowhere does not exist: give'
    ' the workdir of a run, or a file that --task=export',
  ):
    begin('/nowhere', ('a', 'b'))


def test_an_export_says_what_it_is(trained, exported, capsys):
  out = export_task.export(trained[1])
  said = capsys.readouterr().out
  here, there = weights.load(out), weights.load(exported)
  os.remove(out)
  assert out == os.path.join(trained[1], 'weights.npz')
  count = sum(leaf.size for held in here.layers.values()
              for leaf in held.values())
  assert f'{out}: {count:,} parameters and 12 classes of' in said
  assert f'--init_from={out}' in said
  assert_same(here.layers, there.layers, (*BELOW, 'fc8'))
  assert (
    here.input_stats.mean.shape == (72, 72, 3)
    and here.input_stats.mean.std() > 1
  )
  assert here.class_names == there.class_names


def test_a_folder_is_no_file_to_export_to(trained, tmp_path):
  with pytest.raises(InputError, match=f'--out={tmp_path} is a folder: give the'
                     f' name of a file in it, such as {tmp_path}/weights.npz'):
    export_task.export(trained[1], 'latest', str(tmp_path))


# --- The authors' way, and the reader's ---------------------------------------


@pytest.mark.parametrize('config, classes, parameters, neurons', [
    (('six_conv',), 1000, 61_555_304, 668_488),
    (('six_conv_many_classes', 'fall2009'), 10_184, 99_182_152, 677_672),
    (('six_conv_many_classes',), 21_843, 110_605_267, 691_379),
    (('fine_tune_2011',), 1000, 61_555_304, 668_488)])
def test_the_six_convolutions_have_the_sizes_of_net_146(
    config, classes, parameters, neurons):
  model, _ = model_of(config_of(*config), classes)
  rows = describe.layer_rows(model, classes)
  assert sum(row.parameters for row in rows) == parameters
  assert sum(row.neurons for row in rows) == neurons


def test_each_network_of_the_chain_takes_from_the_last_what_fits():
  _, first = model_of(config_of('authors_2012'), 1000)
  _, second = model_of(config_of('six_conv_many_classes', 'fall2009'), 10_184)
  _, third = model_of(config_of('six_conv_many_classes'), 21_843)
  _, last = model_of(config_of('fine_tune_2011'), 1000)
  convs = [*CONVS, 'conv6']
  assert weights.match(second, first, False).taken == list(CONVS)
  assert weights.match(third, second, False).taken == [*convs, 'fc6', 'fc7']
  fitted = weights.match(last, third, False)
  assert fitted.taken == [*convs, 'fc6', 'fc7'] and fitted.new == ['fc8']


def rates_in(config, layers, epoch):
  """{layer: (rate of the kernel, rate of the bias)}."""
  o = typed_config.read(config).optimizer
  rates = learning_rates(
      o.rates, weights.from_layers(layers), o.learning_rate, jnp.int32(epoch),
      jnp.float32(0))
  rates = rates['columns'] | {'fc8': rates['fc8']}
  return {name: tuple(round(float(held[kind]), 8) for kind in
                      ('kernel', 'bias')) for name, held in rates.items()}


def test_fine_tuning_goes_as_the_log_of_2012_has_it():
  config = config_of('fine_tune_2011')
  _, layers = model_of(config, 1000)
  logged = {  # epoch: conv1, its bias, the softmax layer, all others
      1: (1e-4, 0.02, 0.01, 1e-3), 5: (1e-5, 0.02, 0.01, 1e-3),
      7: (0, 0, 0.01, 1e-3), 9: (0, 0, 1e-3, 1e-3), 22: (0, 0, 1e-4, 1e-4),
      42: (0, 0, 1e-5, 1e-5)}
  for epoch, (conv1, bias, softmax, others) in logged.items():
    rates = rates_in(config, layers, epoch)
    assert rates.pop('conv1') == (conv1, bias)
    assert rates.pop('fc8') == (softmax, 0.02)
    assert set(rates.values()) == {(others, 0.02)}
    if epoch > 1:
      assert rates_in(config, layers, epoch - 1) != rates_in(
          config, layers, epoch)


def test_narrow_networks_of_other_classes_start_all_but_the_softmax_layer():
  _, first = model_of(config_of('six_conv', 'converged'), 50)
  _, last = model_of(config_of('fine_tune_2011', 'overfit'), 20)
  fitted = weights.match(last, first, False)
  assert fitted.taken == [*CONVS, 'conv6', 'fc6', 'fc7']
  assert fitted.new == ['fc8']


def test_a_sixth_convolution_is_all_that_a_narrow_network_gets():
  six = config_of('six_conv', 'overfit')
  five = config_of('ablations', 'baseline,overfit')
  assert six.model.kernels == (16, 32, 48, 48, 32, 32)
  assert len(six.model.stddevs) == len(six.model.biases) == 9
  six.model = five.model
  assert six == five


def test_narrow_fine_tuning_has_the_times_of_2012_as_shares_of_a_training():
  program, narrow = (config_of('fine_tune_2011', form)
                     for form in ('authors_2012', 'overfit'))
  _, layers = model_of(narrow, 20)
  assert program.run.epochs == 54 and narrow.run.epochs == 71  # 54 / 91 * 120
  assert (program.augment.jitter_until, narrow.augment.jitter_until) == (38, 50)
  for epoch in (1, 5, 7, 9, 22, 42):
    later = round(epoch / 91 * 120)
    assert rates_in(narrow, layers, later) == rates_in(program, layers, epoch)
    if epoch > 1:
      assert rates_in(narrow, layers, later - 1) == rates_in(
          program, layers, epoch - 1)


def test_what_is_new_learns_faster_at_first_on_many_classes():
  config = config_of('six_conv_many_classes')
  _, layers = model_of(config, 100)
  early, late = (rates_in(config, layers, epoch) for epoch in (5, 6))
  faster = {name for name, rate in early.items() if rate == (0.01, 0.02)}
  assert faster == {'fc6', 'fc7', 'bottleneck', 'fc8'}
  assert set(late.values()) == {(0.001, 0.02)}


@pytest.mark.parametrize('base', ['quickstart', 'ablations:baseline,small'])
def test_a_network_is_tuned_in_the_form_it_was_trained_in(base):
  name, _, form = base.partition(':')
  theirs = config_of(name.replace('/', '.'), *([form] if form else []))
  ours = config_of('fine_tune', base)
  assert ours.model.to_dict() == theirs.model.to_dict()
  assert ours.augment.crop == theirs.augment.crop
  assert ours.data.image_size == theirs.data.image_size


def test_a_form_that_is_none_is_refused():
  with pytest.raises(ValueError, match="'quickstrat'.* give quickstart behind"):
    config_of('fine_tune', 'quickstrat')
  with pytest.raises(ValueError, match="'fall2010'.* fall2011 or fall2009"):
    config_of('six_conv_many_classes', 'fall2010')
  with pytest.raises(ValueError, match="'large': give one of authors_2012, .*"
                     r'overfit, converged behind the colon\.$'):
    config_of('fine_tune_2011', 'large')


def test_a_run_starts_from_a_network_of_the_package():
  model, shapes = model_of(config_of('tiny_imagenet_small'), 5)
  params = jax.device_put(
      jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype),
                   weights.from_layers(shapes)),
      jax.sharding.NamedSharding(
          placement.make_mesh(1, 1, 2), jax.sharding.PartitionSpec()))
  started, origin = fine_tune.start_from(
      'tiny_imagenet_small', model, params, tuple('abcde'))
  assert 'Took conv1 to fc7 from' in origin and 'fc8 is new' in origin
  kernel = np.asarray(started['columns']['conv1']['kernel'])
  assert kernel.dtype == np.float32 and kernel.std() > 0.01


@pytest.mark.parametrize('form', ['small', 'converged'])
def test_a_form_that_is_too_short_for_its_drops_is_refused(form):
  with pytest.raises(ValueError, match=f'no form {form!r}: give authors_2012'):
    config_of('fine_tune_2011', form)
