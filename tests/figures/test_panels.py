"""Panels of errors: their names, their gaps, and that they are drawn."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from alexnet_jax.figures import panels


def lines(training, validation):
  return [{'step': 10 * (i + 1), 'kind': kind, 'top1_error': error}
          for kind, errors in (('train', training), ('validation', validation))
          for i, error in enumerate(errors)]


@pytest.mark.parametrize('names, expected', [
    (['ablations/tanh:small', 'ablations/no_norm:small'], ['tanh', 'no_norm']),
    (['ablations/tanh:small', 'ablations/tanh:paper'],
     ['tanh:small', 'tanh:paper']),
    (['paper', 'quickstart'], ['paper', 'quickstart']),
    (['ablations/tanh:small'], ['tanh:small'])])
def test_what_all_names_share_is_left_out(names, expected):
  assert panels.short(names) == expected


def test_a_gap_is_that_of_the_end():
  seeds = [lines([.9, .5, .3], [.9, .6, .5]), lines([.9, .5, .1], [.9, .6, .7])]
  assert panels.gap(seeds) == pytest.approx(0.6 - 0.2)
  assert panels.gap([lines([.9], [.9])]) is None
  assert panels.gap([lines([], [.9, .8])]) is None


def test_the_area_between_the_curves_is_shaded():
  axes = Figure().subplots()
  panels._draw_panel(axes, [lines([.8, .2], [.9, .7])])
  area, = axes.collections
  corners = {tuple(np.round(corner, 3))
             for corner in area.get_paths()[0].vertices}
  assert corners == {(10, .8), (20, .2), (10, .9), (20, .7)}
  assert [note.get_text() for note in axes.texts] == ['gap 50']


def test_the_axes_start_at_the_tenth_below_the_smallest_error():
  high, low = [lines([.9, .68], [.9, .7])], [lines([.9, .02], [.9, .7])]
  assert panels._lowest([high]) == 0.6
  assert panels._lowest([high, low]) == 0
  assert panels._lowest([[lines([float('nan')], [])]]) == 0


def test_a_gap_of_nought_has_no_sign():
  axes = Figure().subplots()
  panels._draw_panel(axes, [lines([.8, .701], [.9, .7])])
  assert [note.get_text() for note in axes.texts] == ['gap 0']


@pytest.mark.parametrize('count', [1, 6])
def test_each_config_has_a_panel(count, tmp_path):
  out = tmp_path / 'panels.png'
  panels.draw({f'$a_{{{i}': [lines([.9, .2], [.9, .7])] * (i + 1)
               for i in range(count)}, str(out))
  with Image.open(out) as picture:
    pixels = np.asarray(picture.convert('RGB')).astype(int)
  orange = np.abs(pixels - (0xD5, 0x5E, 0x00)).sum(-1) < 60
  assert orange.sum() > 100 * count


def test_a_run_without_errors_has_an_empty_panel(tmp_path):
  panels.draw({'a': [[{'step': 1, 'kind': 'train', 'loss': 1.0}]]},
              str(tmp_path / 'empty.png'))
  assert (tmp_path / 'empty.png').exists()
