"""The claims of the configs, and the names of configs."""

import importlib
import re
import shlex

import pytest
from absl import flags

from alexnet_jax import config_files
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment
from alexnet_jax.results import claims, claims_of_no_config

CLAIM = {'what': 'no norm', 'section': '3.3', 'against': '', 'source': '#148',
         'top1_error': 1.37, 'top5_error': 1.15}


@pytest.mark.parametrize('path, parts', [
    ('configs/paper.py', ('paper', '')),
    ('configs/logged_run.py:145-2010', ('logged_run', '145-2010')),
    ('./configs/ablations.py:no_norm,small', ('ablations/no_norm', 'small')),
    ('configs/ablations.py:no_norm', ('ablations/no_norm', '')),
    ('configs/ablations.py', ('ablations/baseline', '')),
    ('configs/ablations/no_norm.py:small', ('ablations/no_norm', 'small')),
    ('/home/configs/alexnet/configs/cifar10/relu.py', ('cifar10/relu', '')),
    ('../mine.py:2', ('mine', '2')),
])
def test_a_config_is_named_by_its_place_in_configs(path, parts):
  assert claims.name_and_form(path) == parts


@pytest.mark.parametrize('old, new', [
    ('configs/ablations/no_norm.py', 'configs/ablations.py:no_norm'),
    ('./configs/ablations/tanh.py:small', './configs/ablations.py:tanh,small'),
    ('configs/cifar10/figure1.py:tanh', 'configs/cifar10/figure1.py:tanh'),
    ('../my_ablations/tanh.py', '../my_ablations/tanh.py'),
])
def test_the_path_of_an_old_ablation_is_rewritten(old, new):
  assert claims.current_path(old) == new


def test_claims_are_in_the_order_of_the_paper_and_those_of_others_last(
    tmp_path):
  (tmp_path / 'cifar10').mkdir()
  for name, section in (('e', '4 of He (2015)'), ('cifar10/b', '10'),
                        ('cifar10/a', '3.3'), ('c', '3.10'), ('d', '3.3')):
    (tmp_path / f'{name}.py').write_text(
        f'CLAIM = {CLAIM | {"section": section}}')
  (tmp_path / 'without_a_claim.py').write_text('')
  assert [(claim.config, claim.section)
          for claim in claims.read(str(tmp_path))] == [
              ('cifar10/a', '3.3'), ('d', '3.3'), ('c', '3.10'),
              ('cifar10/b', '10'), ('e', '4 of He (2015)')]


def test_a_config_may_have_several_claims_and_one_of_a_form(tmp_path):
  of_form = CLAIM | {'form': '145-2010', 'crops': 'one'}
  (tmp_path / 'a.py').write_text(
      f'CLAIM = {CLAIM}\nCLAIMS = ({of_form}, {of_form})')
  every = claims.read(str(tmp_path))
  assert sorted((claim.path, claim.crops) for claim in every) == [
      ('configs/a.py', ''), *[('configs/a.py:145-2010', 'one')] * 2]


def test_a_claim_with_other_fields_is_refused(tmp_path):
  (tmp_path / 'a.py').write_text(f'CLAIM = {CLAIM | {"top_1": 3}}')
  with pytest.raises(InputError, match=(
      r'a\.py has the fields what, .*top_1: give it what, section, against,'
      ' top1_error, top5_error, source, and perhaps ratio, form')):
    claims.read(str(tmp_path))


def test_every_claim_of_ours_is_of_a_config_and_complete():
  every = claims.read()
  assert {'paper', 'cifar10/figure1', 'ablations/no_norm'} <= {
      claim.config for claim in every}
  for claim in every:
    config = config_files.load(claim.path)
    assert 'model' in config
    assert claims.name_and_form(claim.path) == (claim.config, claim.form)
    assert claim.what and claim.section and claim.source
    assert not claim.against or claim.against in {
        other.config for other in every}
    assert not claim.crops or claim.crops in augment.CROPS.values()
    for number in (claim.top1_error, claim.top5_error):
      assert number is None or 0 < number < 100


def test_every_error_of_tables_1_and_2_and_of_fall_2009_is_a_claim():
  errors = {(claim.top1_error, claim.top5_error)
            for claim in (*claims.read(), *claims_of_no_config.CLAIMS)
            if claim.section == '6'}
  assert errors >= {
      (47.1, 28.2), (45.7, 25.7), (37.5, 17.0), (39.0, 18.3),  # Table 1
      (None, 26.2), (40.7, 18.2), (38.1, 16.4), (38.99, 16.62), (36.7, 15.4),
      (78.1, 60.9), (67.4, 40.9)}
  assert [re.findall(r'--checkpoint=runs/(\w+)', claim.command)
          for claim in claims_of_no_config.CLAIMS
          if '--task=evaluate' in claim.command] == [
              ['five'] * 5, ['146'] * 2 + ['five'] * 5]


def test_the_iterations_that_dropout_costs_are_a_claim():
  claim, = [claim for claim in claims_of_no_config.CLAIMS
            if claim.section == '4.2']
  assert claim.ratio == 2 and '--reaches' in claim.command


def test_the_commands_of_claims_have_tasks_flags_and_configs_that_exist():
  commands = {command
              for claim in (*claims.read(), *claims_of_no_config.CLAIMS)
              for command in claim.command.split('; ') if command}
  assert len(commands) == 6
  for command in commands:
    given = dict(word[2:].split('=', 1)
                 for word in shlex.split(command)[2:])
    if 'config' in given:
      config_files.load(given['config'])
    task = importlib.import_module(
        f'alexnet_jax.tasks.{given.pop("task", "train")}')
    values = flags.FlagValues()
    task.define_flags(values)
    assert set(given) <= {*values, 'config', 'config.data.path', 'workdir'}
