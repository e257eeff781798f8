"""Figure 3 as a whole: of a run, and of arrays that come from elsewhere."""

import json
import os
import shutil
import types

import cv2
import numpy as np
import pytest
import tiny

from alexnet_jax import files
from alexnet_jax.analysis import specialization
from alexnet_jax.errors import InputError
from alexnet_jax.figures import figure3 as figure3_picture
from alexnet_jax.library.opening import build
from alexnet_jax.run import journal
from alexnet_jax.tasks import export as export_task
from alexnet_jax.tasks import figure3

SIZE = 11


def stripes_and_blobs():
  """[2, 11, 11, 3, 20]: gray stripes, and blobs of red against green."""
  down, right = np.mgrid[:SIZE, :SIZE] - SIZE // 2
  angles = np.linspace(0, np.pi, 20, endpoint=False)
  across = (right[..., None] * np.sin(angles) + down[..., None]
            * np.cos(angles))
  stripes = np.cos(2 * np.pi * 0.2 * across)
  blobs = np.exp(-(down ** 2 + right ** 2) / 8)[..., None] * np.ones(20)
  colors = np.array([[1.0, 1, 1], [1, -1, 0]])
  return np.stack([pattern[:, :, None] * color[:, None] for pattern, color
                   in zip((stripes, blobs), colors, strict=True)])


@pytest.fixture(scope='module')
def known(tmp_path_factory):
  """(folder, numbers) of kernels of which everything is known."""
  folder = tmp_path_factory.mktemp('known')
  np.savez(folder / 'net.npz', **{'conv1/kernel': stripes_and_blobs()})
  return folder, figure3.figure3('', kernels=str(folder / 'net.npz'))


@pytest.fixture(scope='module')
def drawn(trained, tmp_path_factory, compile_once):
  """(folder, numbers) of a run."""
  folder = tmp_path_factory.mktemp('run')
  return folder, figure3.figure3(trained[1], out=f'{folder}/new/it.png')


def test_a_run_is_drawn_and_measured(trained, drawn):
  config, workdir, _ = trained
  folder, numbers = drawn
  assert (folder / 'new' / 'it.png').exists()
  assert numbers['source'] == f'{workdir}, step 6'
  assert [column['kernels'] for column in numbers['columns']] == [4, 4]
  assert json.loads((folder / 'new' / 'it.json').read_text()) == numbers
  kernels = tiny.state(config, workdir).params['columns']['conv1']['kernel']
  last = kernels[1, ..., 3]
  off_grey = last - last.mean(-1, keepdims=True)
  assert numbers['kernels'][-1]['colorfulness'] == pytest.approx(
      (off_grey ** 2).sum() / (last ** 2).sum(), rel=1e-4)


def test_a_run_that_has_just_begun_has_not_learned(trained, tmp_path):
  _, workdir, _ = trained
  numbers = figure3.figure3(workdir, '4', out=str(tmp_path / 'it.png'))
  assert numbers['source'].endswith('step 4')
  assert not any(held['oriented'] for held in numbers['kernels'])
  for column in numbers['columns']:
    assert column['mean_colorfulness'] == pytest.approx(2 / 3, abs=0.1)
    assert column['mean_cycles_per_pixel'] is None


def test_an_exported_run_gives_the_same_figure(
    trained, drawn, tmp_path, capsys):
  export_task.export(trained[1], out=str(tmp_path / 'weights.npz'))
  folder, numbers = drawn
  again = figure3.figure3('', kernels=str(tmp_path / 'weights.npz'))
  assert again['source'] == f'{tmp_path}/weights.npz:conv1/kernel'
  assert again['kernels'] == numbers['kernels']
  assert ((tmp_path / 'figure3.png').read_bytes()
          == (folder / 'new' / 'it.png').read_bytes())
  said = capsys.readouterr().out
  assert f'p = {again["difference"]["p_value"]:.2g}' in said
  assert 'Random kernels have a colorfulness of 0.667' in said
  for name in ('figure3.png', 'figure3.json'):
    assert str(tmp_path / name) in said


@pytest.fixture
def told(trained, tmp_path):
  """(workdir, a function that writes its command line)."""
  workdir = tmp_path / 'told'
  shutil.copytree(trained[1], workdir)

  def write(command):
    (workdir / journal.COMMAND).write_text(command)

  return str(workdir), write


def test_the_kernels_of_a_run_change_from_those_it_began_with(
    trained, told, drawn, capsys):
  workdir, write = told
  write('python launch.py --config=configs/quickstart.py\n')
  numbers = figure3.compare([workdir], ['0', '4', 'latest'])
  rows = numbers['rows']
  assert list(rows) == ['step 0', 'step 4', 'step 6']
  began = np.asarray(build(trained[0]).params['columns']['conv1']['kernel'])
  expected = specialization.measure(
      np.moveaxis(began.astype(np.float64), -1, 1))
  assert rows['step 0']['kernels'] == expected['kernels']
  assert rows['step 6']['kernels'] == drawn[1]['kernels']
  assert 'p_value_over_runs' not in numbers  # they are one run
  said = capsys.readouterr().out
  for name, row in rows.items():
    line = next(line for line in said.splitlines() if line.startswith(name))
    first, second, apart, p, _ = line.split()[2:7]
    assert [first, second] == [f'{column["mean_colorfulness"]:.3f}'
                               for column in row['columns']]
    assert float(p) == pytest.approx(row['difference']['p_value'], rel=0.05)
    assert float(apart) == pytest.approx(row['difference']['value'], abs=6e-4)
  assert f'{workdir}/figure3_rows.png' in said
  assert files.read_json(f'{workdir}/figure3_rows.json') == numbers


@pytest.mark.parametrize('command', [
    '', 'python launch.py --config=configs/quickstart.py --init_from=other'])
def test_initial_kernels_of_another_network_are_not_known(told, command):
  workdir, write = told
  write(command)
  with pytest.raises(InputError) as refused:
    figure3.figure3(workdir, '0')
  assert str(refused.value) == (
      f'{workdir} does not say that it began with new parameters, so that its'
      ' initial kernels are not known: give a later checkpoint.')


def test_a_run_among_others_may_be_at_its_first_step(told):
  workdir, write = told
  write('python launch.py --config=configs/quickstart.py\n')
  rows = figure3.compare([f'{workdir}@0', workdir])['rows']
  assert list(rows) == [f'{workdir}, step 0', f'{workdir}, step 6']
  assert rows == {f'{workdir}, {name}': row for name, row in figure3.compare(
      [workdir], ['0', '6'])['rows'].items()}
  assert os.path.exists(f'{workdir}/figure3_rows.png')


def test_several_runs_are_tested_together(
    trained, drawn, tmp_path, capsys, monkeypatch):
  _, workdir, _ = trained
  load, seeds = figure3.load, iter(range(3))

  def load_with_another_seed(run):
    network = load(run).trained
    return types.SimpleNamespace(trained=network._replace(
        settings=network.settings._replace(seed=next(seeds))))

  monkeypatch.setattr(figure3, 'load', load_with_another_seed)
  export_task.export(workdir, out=str(tmp_path / 'weights.npz'))
  numbers = figure3.compare(
      [f'{workdir}@4', workdir, str(tmp_path / 'weights.npz')],
      out=str(tmp_path / 'runs.svg'))
  names = [f'{workdir}, step 4', f'{workdir}, step 6',
           f'{tmp_path}/weights.npz, step 6']
  rows = numbers['rows']
  assert list(rows) == names
  for name in names[1:]:
    assert rows[name]['kernels'] == drawn[1]['kernels']
  together = specialization.combine_p_values(
      [row['difference']['p_value'] for row in rows.values()])
  assert numbers['p_value_over_runs'] == together
  assert (f'All 3 runs together: p = {together:.2g} by Fisher'
          in capsys.readouterr().out)
  picture = (tmp_path / 'runs.svg').read_text()
  for name, row in rows.items():
    assert f'{name}: {row["difference"]["value"]:.2f} apart, p = ' in picture


def test_checkpoints_of_one_run_are_no_independent_tests(
    trained, tmp_path, capsys):
  _, workdir, _ = trained
  numbers = figure3.compare([f'{workdir}@4', workdir],
                            out=str(tmp_path / 'one_run.svg'))
  assert 'p_value_over_runs' not in numbers
  assert 'together' not in capsys.readouterr().out


def test_runs_with_other_kernels_are_no_rows_of_one_picture(
    trained, tmp_path):
  with pytest.raises(InputError, match='differ in number or size'):
    figure3.compare([trained[1], 'tiny_imagenet_small'],
                    out=str(tmp_path / 'runs.png'))
  assert not (tmp_path / 'runs.png').exists()


def test_each_row_has_its_columns_side_by_side_and_its_own_contrast(tmp_path):
  kernels = np.moveaxis(stripes_and_blobs(), -1, 1)
  rows = {'step 0': kernels / 100, 'a $1$ run': kernels[::-1]}
  numbers = {'rows': {name: specialization.measure(one)
                      for name, one in rows.items()}}
  figure3_picture.draw_rows(rows, numbers, False, str(tmp_path / 'rows.png'))
  picture = cv2.imread(str(tmp_path / 'rows.png'))[..., ::-1]
  P, zoom = figure3_picture, 4
  down, across = (2 * (SIZE + 1) - 1) * zoom, (16 * (SIZE + 1) - 1) * zoom
  assert picture.shape == (2 * (2 * P.LABEL + down) + P.MARGIN,
                           2 * (across + P.MARGIN) + P.MARGIN, 3)
  for i, one in enumerate(rows.values()):
    shown = P.stretched(one, False)
    for k in range(2):
      top = i * (2 * P.LABEL + down) + 2 * P.LABEL
      left = P.MARGIN + k * (across + P.MARGIN)
      expected = P.mosaic(shown[k]).repeat(zoom, 0).repeat(zoom, 1)
      np.testing.assert_allclose(
          picture[top:top + down, left:left + across] / 255, expected,
          atol=1 / 254)


def test_known_kernels_have_known_numbers(known):
  _, numbers = known
  first, second = numbers['columns']
  assert first['mean_colorfulness'] == pytest.approx(0, abs=1e-9)
  assert second['mean_colorfulness'] == pytest.approx(1)
  assert (first['oriented'], second['oriented']) == (1, 0)
  assert (first['learned'], second['learned']) == (1, 1)
  assert first['mean_cycles_per_pixel'] == pytest.approx(0.2, abs=0.01)
  assert numbers['difference']['value'] == pytest.approx(1)
  assert numbers['difference']['p_value'] == 1 / 10_001
  told = numbers['kernels'][5]
  assert (told['column'], told['kernel']) == (1, 6)
  assert told['orientation_degrees'] == pytest.approx(5 * 9, abs=3)


def test_one_array_of_both_columns_gives_the_same_numbers(
    known, tmp_path, capsys):
  _, numbers = known
  stacked = np.concatenate(stripes_and_blobs(), axis=-1)
  bgr = stacked.transpose(3, 2, 0, 1)[:, ::-1].astype(np.float32)
  np.savez(tmp_path / 'net.npz', **{'features.0.weight': bgr})
  again = figure3.figure3('', kernels=f'{tmp_path}/net.npz:features.0.weight',
                          order='bgr', columns=2)
  for ours, theirs in zip(again['columns'], numbers['columns'], strict=True):
    assert ours == pytest.approx(theirs, abs=1e-5)
  assert again['difference']['p_value'] == numbers['difference']['p_value']
  assert 'The means of the columns are 1.000 apart' in capsys.readouterr().out


def picture_of(folder):
  return cv2.imread(str(folder / 'figure3.png'))[..., ::-1]


def test_each_weight_is_a_square_of_whole_pixels(known):
  folder, _ = known
  picture, zoom = picture_of(folder), 9
  rows, across = 2 * (SIZE + 1) - 1, 16 * (SIZE + 1) - 1
  P = figure3_picture
  assert picture.shape == (
      P.MARGIN + 2 * (P.LABEL + rows * zoom) + P.TITLE + 2 * P.ROW + P.AXIS,
      across * zoom + 2 * P.MARGIN, 3)
  shown = P.stretched(np.moveaxis(stripes_and_blobs(), -1, 1), False)
  for k in range(2):
    top = P.MARGIN + P.LABEL + k * (P.LABEL + rows * zoom)
    drawn = picture[top:top + rows * zoom, P.MARGIN:P.MARGIN + across * zoom]
    expected = P.mosaic(shown[k]).repeat(zoom, 0).repeat(zoom, 1)
    np.testing.assert_allclose(drawn / 255, expected, atol=1 / 254)


def test_the_dots_and_their_means_are_in_the_picture(known):
  folder, _ = known
  below = picture_of(folder)[-500:].astype(int)
  for color in ((0, 114, 178), (213, 94, 0)):
    assert (np.abs(below - color).max(-1) < 8).sum() > 500


def test_kernels_stand_in_rows_at_sixteen():
  shown = np.arange(18)[:, None, None, None] / 20 * np.ones((18, 2, 2, 3))
  picture = figure3_picture.mosaic(shown)
  assert picture.shape == (5, 47, 3)
  assert (picture[0, ::3, 0] == np.arange(16) / 20).all()
  assert (picture[3:, :2] == 16 / 20).all()
  assert (picture[3:, 3:5] == 17 / 20).all()
  assert (picture[3:, 5:] == 1).all() and (picture[2] == 1).all()


def test_the_layer_is_stretched_as_one_or_each_kernel_alone():
  kernels = np.zeros((2, 2, 3, 3, 3))
  kernels[0, 0, 1, 1] = (-1, 0, 3)
  kernels[1, 0, 1, 1] = (0, 1, 0)
  together = figure3_picture.stretched(kernels, False)
  assert (together.min(), together.max()) == (0, 1)
  np.testing.assert_array_equal(together[1, 0, 1, 1], [0.25, 0.5, 0.25])
  alone = figure3_picture.stretched(kernels, True)
  np.testing.assert_array_equal(alone[0, 0, 1, 1], [0, 0.25, 1])
  np.testing.assert_array_equal(alone[1, 0, 1, 1], [0, 1, 0])
  assert (alone[0, 1] == 0.5).all()  # nothing to stretch


@pytest.mark.parametrize('columns', [1, 4])
def test_any_number_of_columns_is_drawn(columns, tmp_path):
  draw = np.random.default_rng(0)
  np.save(tmp_path / 'some.npy', draw.normal(size=(columns, 5, 5, 3, 6)))
  numbers = figure3.figure3('', kernels=str(tmp_path / 'some.npy'),
                            out=str(tmp_path / 'some.svg'), per_kernel=True)
  drawn = (tmp_path / 'some.svg').read_text()
  for k in range(columns + 1):
    assert (f'Column {k + 1}' in drawn) == (k < columns)
  assert (numbers['difference'] is None) == (columns == 1)
  assert ('permutation test' in drawn) == (columns > 1)
  assert 'hollow' in drawn
  assert numbers['stretched'] == 'kernel'


def test_a_name_of_no_picture_is_refused_before_anything_is_opened(tmp_path):
  with pytest.raises(InputError) as refused:
    figure3.figure3(str(tmp_path / 'none'), out='kernels.jpg')
  assert str(refused.value) == (
      '--out=kernels.jpg is no picture: give a name that ends in .png, .pdf,'
      ' .svg.')


def test_a_run_without_checkpoint_is_refused(tmp_path):
  with pytest.raises(InputError, match='no checkpoint'):
    figure3.figure3(str(tmp_path / 'none'))
  assert not (tmp_path / 'none').exists()


def test_numbers_that_are_not_finite_are_refused(tmp_path):
  kernels = stripes_and_blobs()
  kernels[0, 0, 0, 0, 0] = np.nan
  np.save(tmp_path / 'broken.npy', kernels)
  with pytest.raises(InputError, match='broken.npy are not all finite numbers'):
    figure3.figure3('', kernels=str(tmp_path / 'broken.npy'))
  assert not (tmp_path / 'figure3.png').exists()
