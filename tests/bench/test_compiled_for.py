"""The real programs of chips that are not there, if their compiler is here."""

import collections
import importlib.util
import json

import jax
import pytest

from alexnet_jax.bench import chips, compiled_for
from alexnet_jax.network import placement
from alexnet_jax.run import typed_config
from alexnet_jax.tasks import bench
from configs import paper

EXCHANGED = {('all-gather', False): 3, ('reduce-scatter', True): 3,
             ('all-reduce', False): 1}


BATCH, CLASSES, NUMBERS = 256, 1000, 60_965_224  # of parameters
# Of one training step with whole full layers on two v5e, as docs/scaling.md has
# it: another program of this length is not compiled here.
WHOLE_LAYERS_BYTES, WHOLE_LAYERS_RECEIVED = 3.775e9, 121.9e6


def need_compiler(chip):
  packages, _ = chips.PACKAGES[chips.parse(chip).chip.platform]
  if not any(map(importlib.util.find_spec, packages)):
    pytest.skip(f'no compiler for {chip}')


def two_columns(chip, precision, tmp_path):
  need_compiler(chip)
  out = tmp_path / 'bench.json'
  config = paper.get_config()  # the maps of a small net need no collectives
  config.precision, config.mesh.column = precision, 2
  result = bench.bench_chip(typed_config.read(config), chip, str(out))
  assert json.loads(out.read_text()) == result
  step, test = result['programs'].values()
  for program in (step, test):
    assert program['hbm_bytes'] == sum(
        sum(scope.values()) for scope in program['scopes'].values()) > 0
    assert program['temporary_bytes'] > 0 and program['argument_bytes'] > 0
    assert program['roofline']['least_seconds'] > 0
  for layer in ('conv1', 'conv2', 'fc6'):
    assert all(step['scopes'][layer].values()), layer
    assert not test['scopes'][layer]['backward']
  return step['collectives']


@pytest.mark.slow
def test_two_tpus_exchange_at_the_crossings_and_nowhere_else(tmp_path):
  found = two_columns('v5e:2x2', 'bfloat16', tmp_path)
  assert collections.Counter(
      (one['kind'], one['backward']) for one in found) == EXCHANGED


@pytest.mark.slow
def test_two_tpus_gather_activities_and_never_sum_divided_weights():
  need_compiler('v5e')
  config = paper.get_config()
  config.precision, config.optimizer.batch_size = 'bfloat16', BATCH
  config.mesh.data, config.mesh.full_layers = 2, 'model'
  [step] = compiled_for.examine(
      typed_config.read(config), chips.parse('v5e:2x2'), CLASSES, 1_281_167,
      (compiled_for.STEP,))['programs'].values()
  found = [one for one in step['collectives'] if one['received_bytes'] > 100]
  by_layer = {(one['kind'], one['layer'], one['backward']): one
              for one in found}
  # Half of the maps of conv5 and of the neurons of fc6, in two bytes each.
  conv5, fc6, fc8 = (BATCH * count // 2 * 2 for count in (9216, 4096, CLASSES))
  assert {key: one['received_bytes'] for key, one in by_layer.items()
          if key[1].startswith('fc')} == {
      ('all-gather', 'fc6', False): conv5, ('all-gather', 'fc7', False): fc6,
      ('reduce-scatter', 'fc7', True): fc6,
      ('reduce-scatter', 'fc6', True): conv5, ('all-gather', 'fc8', True): fc8}
  assert by_layer['all-gather', 'fc6', False]['asynchronous']
  # Products for fc8 are summed, and so are the gradients of convolutions. That
  # of fc8, whose rows are divided in a product and whole at rest, is gathered.
  others = sorted(one['kind'] for key, one in by_layer.items()
                  if not key[1].startswith('fc'))
  assert others == ['all-gather', 'all-reduce', 'all-reduce']
  assert len(found) == len(by_layer) == 8
  assert sum(one['received_bytes']
             for one in found) < WHOLE_LAYERS_RECEIVED / 5
  assert step['hbm_bytes'] < 0.9 * WHOLE_LAYERS_BYTES
  # A chip stores weights and velocities, and half of those of fc6 and fc7.
  assert step['argument_bytes'] < 0.7 * 2 * 4 * NUMBERS


@pytest.mark.slow
@pytest.mark.parametrize('pod', ['v5e:2x4', 'v5e:4x4', 'v5p:2x2x4', 'v6e:4x8'])
def test_each_process_of_a_real_pod_loads_a_part_of_its_own(pod, monkeypatch):
  if not importlib.util.find_spec('libtpu'):
    pytest.skip('no description of TPU pods')
  chips_of_pod = chips.devices(chips.parse(pod))
  processes = sorted({chip.process_index for chip in chips_of_pod})
  for column in (1, 2):
    mesh = placement.make_mesh(len(chips_of_pod) // column, column, 2,
                             chips_of_pod)
    for process in processes:
      monkeypatch.setattr(jax, 'process_index', lambda p=process: p)
      assert placement.process_shard(mesh) == (process, len(processes))


@pytest.mark.slow
def test_two_gpus_compute_while_they_exchange(tmp_path):
  found = two_columns('h100x2', 'tf32', tmp_path)
  assert collections.Counter(
      (one['kind'], one['backward']) for one in found) == EXCHANGED
  assert all(one['asynchronous'] for one in found)
  assert sum(one['meanwhile_instructions'] for one in found) > 0
