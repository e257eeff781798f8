"""The networks that stand side by side differ in nothing but themselves."""

import pytest

from alexnet_jax.network import describe, placement
from alexnet_jax.run import typed_config
from configs.history import same_size


def test_a_step_of_each_network_costs_about_the_same():
  mesh = placement.make_mesh(1, 1, 1)
  flops = [describe.totals(describe.layer_rows(
      typed_config.read(same_size.get_config(name)).build_model(mesh, 20), 20))[
          'step_flops'] for name in same_size.NETWORKS]
  assert max(flops) / min(flops) < 1.2
  assert min(flops) > 30e6


def test_they_share_all_settings_but_weight_decay():
  def shared(name):
    config = same_size.get_config(name).to_dict()
    del config['model'], config['optimizer']['weight_decay']
    return config

  lenet, *others = map(shared, same_size.NETWORKS)
  assert others == [lenet] * 5


def test_the_plain_network_is_the_residual_one_without_shortcuts():
  residual, plain = (same_size.get_config(name).model.to_dict()
                     for name in ('resnet', 'plain'))
  assert plain == residual | {'shortcut': 'none'}


def test_an_unknown_network_is_answered_with_all_names():
  with pytest.raises(ValueError, match=r"'vgg19'.*lenet.*plain behind"):
    same_size.get_config('vgg19')
