"""Names of class folders are shown, drawn and written, never obeyed."""

import io
import json
import os
import sys

import numpy as np
import pytest
import tiny

from alexnet_jax.command_line import parsing
from alexnet_jax.errors import printable
from alexnet_jax.figures import figure4_left, figure4_right
from alexnet_jax.run import training, typed_config, weights
from alexnet_jax.tasks import evaluate, export, features, predict, retrieve

CLASSES = ('esc\x1b[2J', 'pipe|tick`', 'new\nline', '<script>', '$x$ \\frac{',
           '猫😀\u202e', os.fsdecode(b'caf\xff'))


@pytest.fixture(scope='module')
def trained_on_odd_names(tmp_path_factory):
  """The workdir of a short run and its pictures, both with odd names."""
  folder = tmp_path_factory.mktemp('odd')
  photos = tiny.write_photos(folder / 'photos', CLASSES, train=3, val=1)
  workdir = str(folder / 'run\x1b[31m|$x$')
  training.train(typed_config.read(tiny.config({
      'data.name': 'folder', 'data.path': photos, 'data.train_examples': 0,
      'data.validation_examples': 0, 'run.steps': 1, 'run.views': 1,
      'optimizer.batch_size': 8})), workdir)
  return workdir, photos


@pytest.fixture
def shown(capfd):
  """Returns f() -> what was printed, without what a terminal would obey."""
  def read():
    out, err = capfd.readouterr()
    said = [line for line in (out + err).split('\n')
            if not line.startswith('WARNING:absl')]  # launch.py hides these
    assert list(map(printable, said)) == said
    return out
  return read


def test_predictions_have_one_line_a_picture(trained_on_odd_names, shown):
  workdir, photos = trained_on_odd_names
  predict.predict(workdir, 'latest', [f'{photos}/val'], views=1)
  lines = shown().splitlines()
  assert len(lines) == len(CLASSES)
  assert any(r'esc\x1b[2J' in line for line in lines)
  assert any(r'new\x0aline' in line for line in lines)


def test_json_has_the_names_as_they_are(trained_on_odd_names, capfd):
  workdir, photos = trained_on_odd_names
  predict.predict(workdir, 'latest', [f'{photos}/val'], views=1, as_json=True)
  lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
  assert {line['true'] for line in lines} == set(CLASSES)
  assert all(os.path.exists(line['image']) for line in lines)


@pytest.mark.slow
@pytest.mark.parametrize('ending', ['png', 'pdf', 'svg'])
def test_pictures_of_odd_names_are_drawn(ending, tmp_path, recwarn):
  picture, file = np.zeros((32, 32, 3), np.uint8), f'{tmp_path}/\x1b.{ending}'
  figure4_left.draw(
      [figure4_left.Panel(picture, title=name, known=True, labels=CLASSES[:5],
                          probabilities=(0.2,) * 5, right=0)
       for name in (*CLASSES, 'nul\0')], {}, file)
  neighbors = [figure4_right.Picture(picture, name, True) for name in CLASSES]
  figure4_right.draw(
      [figure4_right.QueryRow(
          neighbors[0], dict.fromkeys(('$x$', 'pixels'), neighbors))], {},
      file)
  assert os.path.getsize(file) > 1000
  assert not [one for one in recwarn if 'Glyph' in str(one.message)]


def test_the_other_tasks_show_them_as_well(
    trained_on_odd_names, shown, tmp_path):
  workdir, _ = trained_on_odd_names
  config = tiny.config({'data.name': 'folder', 'run.views': 1})
  config.update_from_flattened_dict({
      'data.path': trained_on_odd_names[1], 'data.validation_examples': 0,
      'data.train_examples': 0, 'optimizer.batch_size': 8})
  evaluate.evaluate(config, workdir, 'latest', confusion=f'{tmp_path}/\x1b')
  assert r'run\x1b[31m|$x$, step 1' in shown()
  assert len(os.listdir(f'{tmp_path}/\x1b')) == 7
  export.export(workdir, out=str(tmp_path / 'w\x1b.safetensors'))
  assert r'w\x1b.' in shown()
  assert weights.load(str(tmp_path / 'w\x1b.safetensors')
                      ).class_names == tuple(sorted(CLASSES))
  features.features(workdir)
  retrieve.retrieve(workdir, queries=7)
  assert r'esc\x1b[2J' in shown()


def test_a_terminal_that_cannot_show_a_letter_gets_its_number(monkeypatch):
  monkeypatch.setattr(
      'sys.stdout', io.TextIOWrapper(io.BytesIO(), encoding='ascii'))
  parsing.print_anything()
  print('Löwe, 猫')
  sys.stdout.flush()
  assert sys.stdout.buffer.getvalue() == b'L\\xf6we, \\u732b\n'
