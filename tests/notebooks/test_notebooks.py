"""The notebooks run from top to bottom, and show what they are said to."""

import json
import os
import pathlib

import nbformat
import pytest

from notebooks import execute

ROOT = pathlib.Path(execute.ROOT)
NAMES = ('quickstart.ipynb', 'two_columns.ipynb')
STEPS = 4
MOST_BYTES = 400_000  # of all notebooks with their pictures


@pytest.fixture
def folder(tmp_path, compiled, monkeypatch):
  """The repository, without the runs that are in it."""
  for name in ('alexnet_jax', 'configs', 'docs', 'launch.py', 'notebooks'):
    (tmp_path / name).symlink_to(ROOT / name)
  for name, value in {
      'JAX_PLATFORMS': 'cpu', 'JAX_COMPILATION_CACHE_DIR': compiled,
      'JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS': '0',
      'JAX_DISABLE_MOST_OPTIMIZATIONS': '1',
      'NOTEBOOK_STEPS': str(STEPS)}.items():
    monkeypatch.setenv(name, value)
  monkeypatch.delenv('COLAB_RELEASE_TAG', raising=False)
  return tmp_path


def outputs_of(notebook):
  """(code of the cell, its printed text, the kinds of all its outputs)."""
  for cell in notebook.cells:
    if cell.cell_type == 'code':
      text = ''.join(output.text for output in cell.outputs
                     if output.output_type == 'stream')
      assert not [output for output in cell.outputs
                  if output.get('name') == 'stderr'], cell.source
      kinds = {'picture' if kind.startswith('image/') else kind
               for output in cell.outputs for kind in output.get('data', {})}
      yield cell.source, text, kinds


def having(outputs, part):
  """The text and the kinds of output of the one cell that has a part."""
  (_, text, kinds), = [cell for cell in outputs if part in cell[0]]
  return text, kinds


@pytest.mark.slow
def test_the_quickstart_trains_draws_labels_and_fine_tunes(folder):
  shown = list(outputs_of(execute.execute(
      str(ROOT / 'notebooks/quickstart.ipynb'), str(folder))))
  for config in ('configs/quickstart.py', 'configs/fine_tune.py'):
    text, kinds = having(shown, config)
    assert f'step {STEPS}: validation loss' in text
    assert 'Final validation error' in text
    assert execute.WIDGET in kinds  # the progress bar
  assert 'not Colab' in shown[0][1]
  for part in ('metrics.jsonl', '--task=figure3', 'net.predict', 'net.features',
               'mine.predict', 'figure3.mosaic'):
    assert 'picture' in having(shown, part)[1], part
  runs = folder / 'runs'
  lines = (runs / 'quickstart/metrics.jsonl').read_text().splitlines()
  assert json.loads(lines[-1])['step'] == STEPS
  config = json.loads((runs / 'mine/config.json').read_text())
  assert config['data']['path'].endswith('runs/photos')
  assert len(list((runs / 'photos').rglob('*.jpg'))) == 200


@pytest.mark.slow
def test_two_columns_lists_what_two_devices_exchange(folder):
  shown = list(outputs_of(execute.execute(
      str(ROOT / 'notebooks/two_columns.ipynb'), str(folder / 'notebooks'))))
  assert 'column 2: cpu:1' in having(shown, 'make_mesh')[0]
  assert '60,965,224 parameters, 30,483,112 on each device' in having(
      shown, 'shard_shape')[0]
  collectives = having(shown, 'def collectives_of')[0]
  for layer in ('conv3', 'fc6', 'fc7'):
    for direction in ('forward', 'backward'):
      assert any(line.split()[:2] == [layer, direction]
                 for line in collectives.splitlines()), (layer, direction)
  for line in having(shown, 'exchanged_bytes(found')[0].splitlines()[1:-1]:
    _, shapes, program, _ = line.split()
    assert shapes == program
  assert 'losses on two devices' in having(shown, 'def train')[0]
  for part in ('def draw(', "'conv2', 'conv4', 'fc7'"):
    assert 'picture' in having(shown, part)[1]
  assert 'text/html' in having(shown, 'visualize_array_sharding(')[1]


@pytest.mark.parametrize('name', NAMES)
def test_the_stored_notebook_was_run_from_top_to_bottom(name):
  path = ROOT / 'notebooks' / name
  notebook = nbformat.read(path, as_version=4)
  nbformat.validate(notebook)
  code = [cell for cell in notebook.cells if cell.cell_type == 'code']
  assert [cell.execution_count for cell in code] == list(
      range(1, len(code) + 1))
  assert any('picture' in kinds for _, _, kinds in outputs_of(notebook))
  text = path.read_text('utf-8')
  for trace in ('/work', '/tmp', '/root', '/home', 'Traceback',
                '"output_type": "error"', execute.WIDGET):
    assert trace not in text, trace


def test_the_stored_notebooks_are_small():
  assert sorted(map(os.path.basename, execute.NOTEBOOKS)) == sorted(NAMES)
  assert sum(map(os.path.getsize, execute.NOTEBOOKS)) < MOST_BYTES


def test_all_addresses_are_those_of_pyproject():
  for path in (*execute.NOTEBOOKS, ROOT / 'README.md'):
    text = pathlib.Path(path).read_text('utf-8')
    assert text == execute.with_addresses(text), (
        'run `python notebooks/execute.py --addresses`')
  readme = (ROOT / 'README.md').read_text('utf-8')
  for name in NAMES:
    text = (ROOT / 'notebooks' / name).read_text('utf-8')
    assert execute.badge(name) in text and execute.badge(name) in readme
    assert f'git clone --quiet --depth 1 {execute.repository()} ' in text


def test_a_new_address_reaches_badges_and_clones(monkeypatch):
  monkeypatch.setattr(
      execute, 'repository', lambda: 'https://github.com/some-one/net')
  text = (f'{execute.badge("a.ipynb")}\n'
          '"!git clone -q https://github.com/some-one/net here\\n"')
  old = text.replace('some-one/net', 'other/old')
  assert old != text and execute.with_addresses(old) == text
