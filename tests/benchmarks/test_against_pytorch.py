"""Turns, tables and the program as a person starts it; needs no PyTorch."""

import importlib.util
import json
import os

import pytest

from alexnet_jax.bench.process import ProcessRow
from benchmarks import against_pytorch, table
from benchmarks.problem import Ours, Peer, Problem

PROBLEM = Problem('train', 12, True, False)


class Timed:
  """A contender whose turns are over."""

  def __init__(self, seconds, failed=''):
    self.seconds = seconds
    self.failed = failed
    self.compile_seconds = 1.5
    self.description = {'peak_bytes': 2**30}


def test_ratios_are_made_within_each_round():
  found = table.as_numbers(PROBLEM, {
      'ours': Timed([1.0, 2.0, 4.0]), 'slow': Timed([2.0, 2.5, 16.0]),
      'fast': Timed([1.0, 2.0, 6.0]), 'bf16': Timed([0.1, 0.1, 0.1]),
  }, {'ours': Ours(), 'slow': Peer(), 'fast': Peer(norm='hand'),
      'bf16': Peer(arithmetic='bfloat16')})
  slow = found['contenders']['slow']
  assert slow['against_ours'] == {
      'median': 0.5, 'least': 0.25, 'most': 0.8}
  assert slow['images_per_second'] == {
      'median': 4.8, 'least': 0.75, 'most': 6.0}
  own, best = found['ours_over'].values()
  assert (own['contender'], own['median']) == ('slow', 2.0)
  # Half the digits are not 32 bits.
  assert (best['contender'], best['most']) == ('fast', 1.5)


def test_a_contender_that_does_not_work_says_why_in_its_row():
  found = table.as_numbers(
      PROBLEM, {'ours': Timed([1.0]), 'broken': Timed([], 'no compiler')},
      {'ours': Ours(), 'broken': Peer()})
  text = table.as_text(found)
  assert 'broken does not work: no compiler' in text
  assert '12.0' in text and found['ours_over'] == {}


def test_a_child_that_cannot_work_is_passed_over():
  settings = dict(os.environ) | {'JAX_PLATFORMS': 'cpu',
                                 'JAX_NUM_CPU_DEVICES': '1'}
  given = {'problem': PROBLEM._asdict(), 'cores': 1,
           'variant': Ours(columns_on=2)._asdict()}
  child = ProcessRow('benchmarks.in_jax', given, settings)
  child.begin()
  child.wait_until_built()
  child.turn()
  child.close()
  assert 'config.mesh.column=2 needs 2 devices' in child.failed
  assert child.seconds == [] and child.description == {}


def test_a_child_that_dies_is_passed_over():
  child = ProcessRow('benchmarks.no_such_module', {}, dict(os.environ))
  child.begin()
  child.wait_until_built()
  child.turn()
  child.close()
  assert child.failed == 'the process ended with 1'


def test_the_program_writes_what_it_prints(tmp_path, capsys):
  out = tmp_path / 'results.json'
  peer = ['pytorch'] if importlib.util.find_spec('torch') else []
  against_pytorch.main([
      '--small', '--batch', '16', '--rounds', '2', '--modes', 'ten_crop',
      '--contenders', 'ours', *peer, '--out', str(out)])
  printed = capsys.readouterr().out
  assert str(out) in printed
  results = json.loads(out.read_text())
  [mode] = results['modes']
  assert (mode['mode'], mode['batch']) == ('ten_crop', 2)
  assert list(mode['contenders']) == ['ours', *peer]
  for row in mode['contenders'].values():
    assert len(row['seconds']) == 2 and row['peak_bytes'] > 2**20
    assert f'{row["images_per_second"]["median"]:.1f}' in printed
  assert mode['contenders']['ours']['against_ours']['most'] == 1
  assert set(results['versions']) >= {'jax', 'jaxlib'}


@pytest.mark.parametrize('arguments, parts', [
    (['--rounds', '0'], ['--rounds 0 measures nothing', 'give 1']),
    (['--steps', '0'], ['--steps 0 measures nothing', 'give 1']),
    (['--batch', '128', '0'], ['--batch 0 has no image', 'give 1']),
    (['--contenders', 'pytorch'], ['leaves out ours', 'add it']),
    (['--contenders', 'pytorhc'], ["'pytorhc'", 'pytorch-last']),
    (['--modes', 'learn'], ["'learn'", 'ten_crop']),
    (['--out', '/no/such/folder/r.json'], ['/no/such/folder', 'exists']),
], ids=str)
def test_what_cannot_work_is_refused_in_one_sentence(arguments, parts, capsys):
  with pytest.raises(SystemExit) as stopped:
    against_pytorch.main(arguments)
  assert stopped.value.code == 2
  said = capsys.readouterr().err
  for part in parts:
    assert part in said
