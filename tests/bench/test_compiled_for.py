"""The real programs of chips that are not there, if their compiler is here."""

import collections
import importlib.util
import json

import jax
import pytest

from alexnet_jax.bench import chips
from alexnet_jax.network import columns
from alexnet_jax.run import experiment
from alexnet_jax.tasks import bench
from configs import paper

EXCHANGED = {('all-gather', False): 3, ('reduce-scatter', True): 3,
             ('all-reduce', False): 1}


def compiled_for(chip, precision, tmp_path):
  packages, _ = chips.PACKAGES[chips.parse(chip).chip.platform]
  if not any(map(importlib.util.find_spec, packages)):
    pytest.skip(f'no compiler for {chip}')
  out = tmp_path / 'bench.json'
  config = paper.get_config()  # the maps of a small net need no collectives
  config.precision, config.mesh.column = precision, 2
  result = bench.bench_chip(experiment.read(config), chip, str(out))
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
  found = compiled_for('v5e:2x2', 'bfloat16', tmp_path)
  assert collections.Counter(
      (one['kind'], one['backward']) for one in found) == EXCHANGED


@pytest.mark.slow
@pytest.mark.parametrize('pod', ['v5e:2x4', 'v5e:4x4', 'v5p:2x2x4', 'v6e:4x8'])
def test_each_process_of_a_real_pod_loads_a_part_of_its_own(pod, monkeypatch):
  if not importlib.util.find_spec('libtpu'):
    pytest.skip('no description of TPU pods')
  chips_of_pod = chips.devices(chips.parse(pod))
  processes = sorted({chip.process_index for chip in chips_of_pod})
  for column in (1, 2):
    mesh = columns.make_mesh(len(chips_of_pod) // column, column, 2,
                             chips_of_pod)
    for process in processes:
      monkeypatch.setattr(jax, 'process_index', lambda p=process: p)
      assert columns.process_shard(mesh) == (process, len(processes))


@pytest.mark.slow
def test_two_gpus_compute_while_they_exchange(tmp_path):
  found = compiled_for('h100x2', 'tf32', tmp_path)
  assert collections.Counter(
      (one['kind'], one['backward']) for one in found) == EXCHANGED
  assert all(one['asynchronous'] for one in found)
  assert sum(one['meanwhile_instructions'] for one in found) > 0
