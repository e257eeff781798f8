"""The ratio of Figure 1, from hand-written searches and single runs."""

import json
import pathlib

import pytest
import workdirs

from alexnet_jax.results import figure1_ratios
from alexnet_jax.results.figure1_ratios import SeedRatio
from alexnet_jax.results.learning_rate_search import Ratio

PATHS = {'relu': 'cifar10/figure1.py', 'tanh': 'cifar10/figure1.py:tanh'}
ERRORS = {'one_crop_top1_error': 0.5, 'one_crop_top5_error': 0.5}


def write(folder, nonlinearity, seed, reached, rate=0.01, flags=''):
  """A run whose error is 25 % after so many steps, and 20 % when it stops."""
  workdir = pathlib.Path(workdirs.write(
      folder / f'{nonlinearity}-{rate}', PATHS[nonlinearity], seed, 0.5,
      flags=f'--config.optimizer.learning_rate={rate} {flags}'))
  config = json.loads((workdir / 'config.json').read_text())
  config['model']['nonlinearity'] = nonlinearity
  config['run'] = {'until_error': 0.25}
  config['figure1'] = {'nonlinearities': ['relu', 'tanh']}
  (workdir / 'config.json').write_text(json.dumps(config))
  (workdir / 'metrics.jsonl').write_text('\n'.join(map(json.dumps, (
      {'step': reached, 'kind': 'train', 'top1_error': 0.3},
      {'step': 2 * reached, 'kind': 'train', 'top1_error': 0.2},
      {'step': 2 * reached, 'kind': 'final', **ERRORS}))))


def measured(folder):
  return figure1_ratios.read('cifar10/figure1', workdirs.read(folder))


def test_single_runs_are_paired_by_their_seeds(tmp_path):
  for seed, steps in ((0, (100, 500)), (1, (200, 1400)), (2, (100, 900))):
    for nonlinearity, reached in zip(PATHS, steps, strict=True):
      write(tmp_path, nonlinearity, seed, reached)
  write(tmp_path, 'relu', 3, 100)  # tanh has no such run
  first, *_, last = measured(tmp_path)
  assert [one.seed for one in measured(tmp_path)] == [0, 1, 2]
  assert [one.ratio for one in measured(tmp_path)] == [
      Ratio(pytest.approx(value), '=') for value in (5, 7, 9)]
  assert first.steps == {'relu': 200, 'tanh': 1000}
  assert last.data == 'tiny, 72 pixels'
  relu, tanh = first.command.split('; ')
  assert relu.startswith('python launch.py --config=configs/cifar10/figure1.py')
  assert '--config=configs/cifar10/figure1.py:tanh' in tanh
  assert figure1_ratios.as_text(measured(tmp_path)) == '7.0 +- 1.2 times'


def test_of_several_rates_only_a_search_tells_the_best(tmp_path):
  for nonlinearity in PATHS:
    write(tmp_path, nonlinearity, 0, 100)
  assert len(measured(tmp_path)) == 1
  write(tmp_path, 'tanh', 0, 100, rate=0.03)
  assert measured(tmp_path) == []


def test_runs_that_differ_in_more_are_not_compared(tmp_path):
  write(tmp_path, 'relu', 0, 100)
  write(tmp_path, 'tanh', 0, 600, flags='--config.optimizer.batch_size=32')
  assert measured(tmp_path) == []


def test_a_search_is_read_from_the_file_beside_its_runs(tmp_path):
  workdir = pathlib.Path(workdirs.write(
      tmp_path, 'cifar10/figure1.py', 0, 0.5,
      flags='--config.data.path=/data/cifar --config.run.epochs=9'))
  beside = workdir.parent / 'figure1.json'
  numbers = {'ratio': 4.5, 'ratio_sign': '>', 'seed': 2, 'nonlinearities': {
      'relu': {'steps': 200}, 'tanh': {'steps': 900}}}
  beside.write_text(json.dumps(numbers))
  ratios = measured(tmp_path)
  assert ratios == [SeedRatio(
      2, Ratio(4.5, '>'), {'relu': 200, 'tanh': 900}, 'tiny, 72 pixels',
      'python launch.py --config=configs/cifar10/figure1.py'
      ' --config.data.path=/data/cifar --task=figure1')]
  assert figure1_ratios.as_text(ratios) == 'more than 4.5 times'
  for damaged in (numbers | {'nonlinearities': 3}, [], {'ratio': 4.5}):
    beside.write_text(json.dumps(damaged))
    assert measured(tmp_path) == []


@pytest.mark.parametrize('ratios, text', [
    ([Ratio(6.04, '=')], '6.0 times'),
    ([Ratio(6.04, '='), Ratio(3.0, '>')], '6.0 times, more than 3.0 times'),
    ([Ratio(6.04, '='), Ratio(None, '=')], '6.0 times, no ratio'),
    ([Ratio(None, '=')], 'no ratio'),
])
def test_a_bound_is_no_part_of_a_mean(ratios, text):
  assert figure1_ratios.as_text(
      [SeedRatio(0, ratio, {}, '', '') for ratio in ratios]) == text
