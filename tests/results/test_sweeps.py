"""Combinations of values of fields, from the text of --sweep."""

import os

import pytest

from alexnet_jax.command_line import config_flag
from alexnet_jax.errors import InputError
from alexnet_jax.results import sweeps
from configs import ablations, quickstart

PATH = 'configs/quickstart.py'


def combinations(*texts):
  return sweeps.combinations(texts, quickstart.get_config().lock(), PATH)


def test_the_combinations_are_the_product_with_values_of_the_fields_types():
  assert combinations() == [{}]
  assert combinations('optimizer.learning_rate=0.003,1') == [
      {'optimizer.learning_rate': 0.003}, {'optimizer.learning_rate': 1.0}]
  assert combinations('model.dropout=True,False', 'run.steps=5,6') == [
      {'model.dropout': dropout, 'run.steps': steps}
      for dropout in (True, False) for steps in (5, 6)]
  assert combinations('model.nonlinearity=relu, tanh') == [
      {'model.nonlinearity': 'relu'}, {'model.nonlinearity': 'tanh'}]


def test_commas_inside_brackets_are_of_the_value():
  assert combinations('model.neurons=(64,64),(128,128)') == [
      {'model.neurons': (64, 64)}, {'model.neurons': (128, 128)}]
  assert combinations('optimizer.drops=((8,0.1),(9,0.01)),()') == [
      {'optimizer.drops': ((8, 0.1), (9, 0.01))}, {'optimizer.drops': ()}]


@pytest.mark.parametrize('texts, parts', [
    (['optimizer.learning_rte=1'],
     [PATH, "no field 'optimizer.learning_rte'", 'optimizer.learning_rate']),
    (['optimizer.learning_rate=a'],
     ['optimizer.learning_rate=a', 'wrong type', '0.01']),
    (['optimizer.learning_rate=1,,2'], ['wrong type']),
    (['model.neurons=(64,64'], ['wrong type']),
    (['optimizer=1'], ['whole section', 'config.optimizer.']),
    (['optimizer.learning_rate=0.01,1e-2'], ['0.01', 'each value once']),
    (['run.steps=1', 'run.steps=2'], ['run.steps twice', 'at once']),
    (['run.steps'], ['--sweep=run.steps is', '0.003,0.01']),
    (['run.steps='], ['--sweep=run.steps= is', '0.003,0.01']),
    (['=1'], ['--sweep==1 is']),
    (['a b=1'], ['no field']),
    (['--x=1'], ["no field '--x'"]),
])
def test_what_cannot_be_swept_is_refused_in_one_sentence(texts, parts):
  with pytest.raises(InputError) as error:
    combinations(*texts)
  assert '\n' not in str(error.value)
  for part in parts:
    assert part in str(error.value)


@pytest.mark.parametrize('field, part', [
    ('seed', '--seeds=0,1'), ('data.train_examples', 'one --task=compare')])
def test_what_all_runs_share_is_not_swept(field, part):
  with pytest.raises(InputError) as error:
    sweeps.variants([(PATH, quickstart.get_config())], [f'{field}=1,2'],
                    ('train_examples',))
  assert f'--sweep={field}:' in str(error.value) and part in str(error.value)


def test_every_config_has_every_combination_and_a_folder_of_its_own():
  table = 'configs/ablations.py'
  configs = [(f'{table}:{row},small', ablations.get_config(f'{row},small'))
             for row in ('baseline', 'no_norm')]
  made = sweeps.variants(configs, ['optimizer.momentum=0.5,0.9'], ())
  assert [variant.folder for variant in made] == [
      os.path.join(f'ablations/{row}-small', f'optimizer.momentum={value}')
      for row in ('baseline', 'no_norm') for value in (0.5, 0.9)]
  assert [variant.config.optimizer.momentum for variant in made] == [
      0.5, 0.9, 0.5, 0.9]
  assert [variant.config.model.response_norm for variant in made] == [
      True, True, False, False]
  assert made[3].label == f'{table}:no_norm,small with optimizer.momentum=0.9'
  assert configs[0][1].optimizer.momentum == 0.9  # is not changed itself


@pytest.mark.parametrize('value', [
    '../../etc', '/', '..', 'a/b', '猫', 'x' * 500, "('a', 'b')", '\x1b[0m',
    os.fsdecode(b'\xff')])
def test_the_name_of_any_value_is_one_safe_folder(value):
  made = sweeps.name({'data.path': value})
  assert made == sweeps.name({'data.path': value})
  assert made != sweeps.name({'data.path': value + 'x'})
  assert os.path.basename(made) == made and len(made) < 120
  assert made.isascii() and made.isprintable() and ' ' not in made


def test_a_value_is_read_as_the_command_line_reads_it():
  assert config_flag.read_field(
      'model.crossings', 'fc8', quickstart.get_config(), PATH) == ('fc8',)
