"""Every field of every config has a range, and what is outside is refused."""

import glob
import math
import os

import program
import pytest
import tiny

from alexnet_jax import config_files
from alexnet_jax.config_files import fields
from alexnet_jax.errors import InputError
from alexnet_jax.run import config_fields, experiment, memory, typed_config
from alexnet_jax.run.ranges import (
  Choice,
  Each,
  Integer,
  Real,
  Rows,
  Switch,
  Text,
)
from configs import ablations, codes, logged_run

FILES = sorted(
    os.path.relpath(path, program.ROOT) for path in glob.glob(
        os.path.join(program.ROOT, 'configs', '**', '*.py'), recursive=True))
CONFIGS = [
    *FILES, 'configs/six_conv_many_classes.py:fall2009',
    'configs/six_conv.py:overfit', 'configs/fine_tune_2011.py:overfit',
    'configs/history/lenet5.py:simplified,mnist',
    'configs/fine_tune.py:quickstart', 'configs/cifar10/figure1.py:tanh',
    *(f'configs/ablations.py:{name}{form}' for name in ablations.ABLATIONS
      for form in ('', ',small', ',paper')),
    *(f'configs/logged_run.py:{run}' for run in logged_run.RUNS)]
# One config of each network, of a search and of codes: all fields there are.
OF_EACH_KIND = ('configs/authors_2012.py', 'configs/cifar10/net_18pct.py',
                'configs/cifar10/figure1_local.py', 'configs/codes.py',
                'configs/published/caffe_alexnet.py',
                'configs/history/lenet5.py', 'configs/history/vgg16.py',
                'configs/history/resnet.py', 'configs/history/googlenet.py')
ABSURD = (math.nan, math.inf, -math.inf, -1, 10**30, -10**30, '', None, [])


def load(path):
  path, colon, form = path.partition(':')
  return config_files.load(os.path.join(program.ROOT, path) + colon + form)


def with_field(config, field, value):
  """The config with any value in a field, even of another type."""
  changed = config.copy_and_resolve_references()
  with changed.unlocked(), changed.ignore_type():
    *sections, name = field.split('.')
    section = changed
    for one in sections:
      section = section[one]
    section[name] = value
  return changed


def refusal(config):
  """The sentence that refuses a config; '' if it is let through."""
  try:
    config_fields.check(config)
  except InputError as error:
    return str(error)
  return ''


@pytest.mark.parametrize('path', CONFIGS)
def test_every_field_of_every_config_has_a_range_and_is_in_it(path):
  config = load(path)
  assert {field for field, _ in fields(config)} <= set(config_fields.FIELDS)
  assert not refusal(config)


def test_every_range_is_of_a_field():
  known = {field for path in OF_EACH_KIND
           for field, _ in fields(load(path))}
  other = set(config_fields.FIELDS) - known
  assert other <= {'data.labels', 'data.check'}


def outside(valid):
  """Values that are not in a range, of the same form and of other forms."""
  match valid:
    case Integer(least, most, multiple):
      return [least - multiple, most + multiple, 2**64, least + 0.5, str(least),
              True]
    case Real(least, most, above, below):
      return [least - 1, most * 2 + 1, str(least),
              *[least] * above, *[most] * below]
    case Choice(values):
      return [f'{values[0]}x', str(values[0]) + '\x1b', 2**64, True]
    case Switch():
      return [0, 1, 'False']
    case Text():
      return [1, True, ('a',)]
    case Each(element, example):
      return [example[0], str(example), (example,),
              *((*example, wrong) for wrong in outside(element)),
              *((*example, wrong) for wrong in ABSURD
                if not element.contains(wrong))]
    case Rows(elements, example):
      wrongs = [(i, wrong) for i, element in enumerate(elements)
                for wrong in (*outside(element), math.nan, math.inf, -1)]
      return [example, str(example), (example[:-1],),
              ((*example, 1),),
              *(((*example[:i], wrong, *example[i + 1:]),)
                for i, wrong in wrongs)]
  raise AssertionError(valid)


@pytest.mark.parametrize('path', OF_EACH_KIND)
def test_what_is_outside_is_refused_by_the_name_of_the_field(path):
  config = load(path)
  for field, _ in fields(config):
    valid = config_fields.FIELDS[field]
    for wrong in outside(valid):
      sentence = refusal(with_field(config, field, wrong))
      assert sentence.startswith(f'config.{field}='), (field, wrong, sentence)
      assert sentence.endswith(f': give {valid.text}.')
      assert len(sentence) < 450 and '\n' not in sentence


@pytest.mark.slow
@pytest.mark.parametrize('path', OF_EACH_KIND)
def test_no_field_takes_nan_infinity_or_nothing(path):
  config = load(path)
  for field, _ in fields(config):
    for wrong in ABSURD:
      taken = not refusal(with_field(config, field, wrong))
      valid = config_fields.FIELDS[field]
      if wrong == '':
        assert taken == (isinstance(valid, Text)
                         or field == 'optimizer.class_weights')
      elif wrong == []:
        assert taken == (isinstance(valid, Each | Rows)
                         and not getattr(valid, 'distinct', False))
      else:
        assert not taken, (field, wrong)


@pytest.mark.parametrize('field, value', [
    ('optimizer.drops', ((5, 0.1), (3, 0.01))),
    ('optimizer.drops', ((0, 0.1),)),
    ('optimizer.layer_drops', (('conv1', 5, 0.1), ('conv1', 3, 0.01))),
    ('optimizer.layer_rates', (('fc8', 1.0), ('fc8', 2.0))),
    ('optimizer.layer_decays', (('fc8', -1.0),)),
])
def test_rows_that_contradict_each_other_are_refused(field, value):
  assert f'config.{field}=' in refusal(tiny.config({field: value}))


def test_layers_have_drops_of_their_own():
  assert not refusal(tiny.config({'optimizer.layer_drops': (
      ('conv1', 5, 0.1), ('fc8', 3, 0.1), ('conv1', 7, 0.0))}))


def test_a_long_value_is_not_repeated_in_full():
  assert len(refusal(tiny.config({'model.biases': (1e9,) * 10_000}))) < 400


def test_the_ends_of_the_ranges_of_the_network_and_patches_build():
  # Where several fields belong together, their own sentences say so.
  built, sentences = 0, []
  for path in ('configs/authors_2012.py', 'configs/cifar10/net_18pct.py',
               'configs/cifar10/conv_local_11pct.py'):
    config = load(path)
    for field, _ in fields(config):
      valid = config_fields.FIELDS[field]
      if not isinstance(valid, Integer | Real) or not field.startswith(
          ('model', 'data.image_size', 'augment.crop')):
        continue
      for end in (valid.least, valid.most):
        if isinstance(valid, Real):
          end = math.nextafter(end, (valid.least + valid.most) / 2)
        changed = with_field(config, field, end)
        try:
          experiment.build(typed_config.read(changed), 10, 1_281_167)
          built += 1
        except InputError as error:
          sentences.append(str(error))
  assert all('config.' in sentence for sentence in sentences)
  assert built > len(sentences) > 0


# --- What does not fit --------------------------------------------------------


@pytest.mark.parametrize('fields, parts', [
    ({'run.epochs': 1e6, 'run.steps': 0, 'optimizer.batch_size': 1},
     ['config.run.epochs=1000000.0', 'steps at most']),
    ({'model.neurons': (2**20, 2**20), 'model.num_columns': 2},
     ['config.model', '4,398,', 'parameters', 'GB', 'neurons']),
    ({'model.kernels': (2**20,) * 5}, ['parameters', 'config.model.kernels']),
    ({'optimizer.batch_size': 2**20, 'data.image_size': 4096},
     ['config.optimizer.batch_size=1048576', '4096 x 4096 pixels', 'smaller']),
    ({'run.hold_data': True}, ['config.run.hold_data=True', '10,000,000',
                               'config.run.hold_data=False']),
])
def test_what_cannot_fit_is_refused_before_it_is_allocated(
    fields, parts, monkeypatch):
  monkeypatch.setattr(memory.machine, 'memory', lambda: 16e9)
  with pytest.raises(InputError) as error:
    memory.check(experiment.build(
        typed_config.read(tiny.config(fields)), 12, 10_000_000), 10_000_000)
  for part in parts:
    assert part in str(error.value)


def test_the_papers_network_fits_into_two_gigabytes(monkeypatch):
  monkeypatch.setattr(memory.machine, 'memory', lambda: 2e9)
  built = experiment.build(
      typed_config.read(load('configs/paper.py')), 1000, 1_281_167)
  memory.check(built, 1_281_167)
  assert memory.count_parameters(built) == 60_965_224


def test_divided_full_layers_need_less_memory(monkeypatch):
  monkeypatch.setattr(memory.machine, 'memory', lambda: 2e9)  # of 4 devices
  config = load('configs/paper.py')
  config.mesh.data = 4

  def check():
    memory.check(experiment.build(
        typed_config.read(config), 1000, 1_281_167), 1_281_167)

  with pytest.raises(InputError, match='60,965,224 parameters'):
    check()
  config.mesh.full_layers = 'model'
  check()


def test_codes_have_the_same_ranges():
  assert 'config.seed=-1' in refusal(with_field(
      codes.get_config().lock(), 'seed', -1))


@pytest.mark.parametrize('field', [
    'augment.crop', 'optimizer.learning_rate', 'seed', 'model.name', 'run'])
def test_a_config_without_a_field_is_refused(field):
  config = load('configs/quickstart.py').unlock()
  section, _, name = field.rpartition('.')
  del (config[section] if section else config)[name]
  with pytest.raises(InputError, match=f'not complete: add config.{field}'):
    typed_config.read(config)


@pytest.mark.parametrize('field, near', [
    ('optimizer.weigth_decay', 'optimizer.weight_decay'),
    ('run.epocs', 'run.epochs'), ('sed', 'seed')])
def test_a_field_that_is_none_is_refused(field, near):
  config = load('configs/quickstart.py').unlock()
  section, _, name = field.rpartition('.')
  (config[section] if section else config)[name] = 1
  with pytest.raises(InputError) as error:
    typed_config.read(config)
  assert f'config.{field} is not a field' in str(error.value)
  assert f'did you mean config.{near}?' in str(error.value)
