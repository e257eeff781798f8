"""The claims of the configs, and the names of configs."""

import pytest

from alexnet_jax import command_line
from alexnet_jax.errors import InputError
from alexnet_jax.results import claims

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


def test_claims_are_in_the_order_of_the_paper(tmp_path):
  (tmp_path / 'cifar10').mkdir()
  for name, section in (('cifar10/b', '10'), ('cifar10/a', '3.3'),
                        ('c', '3.10'), ('d', '3.3')):
    (tmp_path / f'{name}.py').write_text(
        f'CLAIM = {CLAIM | {"section": section}}')
  (tmp_path / 'without_a_claim.py').write_text('')
  assert [(claim.config, claim.section)
          for claim in claims.read(str(tmp_path))] == [
              ('cifar10/a', '3.3'), ('d', '3.3'), ('c', '3.10'),
              ('cifar10/b', '10')]


def test_a_claim_with_other_fields_is_refused(tmp_path):
  (tmp_path / 'a.py').write_text(f'CLAIM = {CLAIM | {"top_1": 3}}')
  with pytest.raises(InputError, match=(
      r'a\.py has the fields what, .*top_1: give it what, section')):
    claims.read(str(tmp_path))


def test_every_claim_of_ours_is_of_a_config_and_complete():
  every = claims.read()
  assert {'paper', 'cifar10/figure1', 'ablations/no_norm'} <= {
      claim.config for claim in every}
  for claim in every:
    config = command_line.load_config(claim.path, {}, 'config')
    assert 'model' in config
    assert claims.name_and_form(claim.path) == (claim.config, '')
    assert claim.what and claim.section and claim.source
    assert not claim.against or claim.against in {
        other.config for other in every}
    for number in (claim.top1_error, claim.top5_error):
      assert number is None or 0 < number < 100
