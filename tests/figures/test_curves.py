"""Curves have the values of the logs, and are drawn whatever these hold."""

import math

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from alexnet_jax.figures import curves


def lines(losses, kind='train', every=10):
  return [{'step': every * (i + 1), 'kind': kind, 'loss': loss,
           'top1_error': loss / 4} for i, loss in enumerate(losses)]


def test_seeds_share_the_steps_that_all_have():
  steps, values = curves.values(
      [lines([3, 2, 1]) + lines([9], 'validation'), lines([4, 4])],
      'train', 'loss')
  assert steps.tolist() == [10, 20]
  assert values.tolist() == [[3, 2], [4, 4]]
  assert curves.values([lines([1])], 'validation', 'loss')[0].size == 0


def test_it_is_drawn_for_one_run_many_runs_and_broken_ones(tmp_path):
  pictures = []
  for name, runs in {
      'one': {'a': [lines([3, 2, 1]) + lines([3, 2], 'validation', 15)]},
      'many': {'$a$_{': [lines([3, 2]), lines([4, 1])], 'b\n': [lines([2, 1])]},
      'diverged': {'a': [lines([3, math.nan])]},
      'empty': {'a': [[]]}}.items():
    out = str(tmp_path / f'{name}.png')
    curves.draw(runs, out)
    with Image.open(out) as picture:
      pictures.append(np.asarray(picture.convert('RGB')))
  colored = [int((np.ptp(picture, axis=-1) > 100).sum())
             for picture in pictures]
  assert min(colored[:2]) > 100
  assert colored[3] == 0


def test_the_norm_of_the_gradient_is_drawn_where_it_was_logged(tmp_path):
  clipped = [line | {'gradient_norm': 7.0 * line['loss']}
             for line in lines([3, 2, 1])]
  widths = []
  for name, run in {'clipped': clipped, 'not': lines([3, 2, 1])}.items():
    out = str(tmp_path / f'{name}.png')
    curves.draw({'a': [run]}, out)
    with Image.open(out) as picture:
      widths.append(picture.width)
  assert widths[0] > 1.4 * widths[1]
  drawn = curves.series({'a': [clipped], 'b': [lines([1])]})
  assert drawn['a']['train']['gradient_norm']['values'] == [[21, 14, 7]]
  assert drawn['b']['train']['gradient_norm'] == {'steps': [], 'values': [[]]}


@pytest.mark.parametrize('losses, field, scale', [
    ([7, 1e-3], 'loss', 'linear'), ([3, 1e27, 2], 'loss', 'log'),
    ([3, math.inf, math.nan], 'loss', 'linear'),
    ([3, 2], 'gradient_norm', 'log'), ([4, 2], 'top1_error', 'linear')])
def test_what_explodes_has_a_logarithmic_axis(losses, field, scale):
  axes = Figure().subplots()
  run = [line | {'gradient_norm': line['loss']} for line in lines(losses)]
  curves._draw_quantity(axes, {'a': [run]}, field)
  curves._set_scale(axes, field)
  assert axes.get_yscale() == scale
