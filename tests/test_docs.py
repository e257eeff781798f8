"""The examples of the documentation run as they are printed."""

import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import program
import pytest
from PIL import Image

from alexnet_jax.tasks import export

ROOT = pathlib.Path(__file__).parent.parent


def examples(page):
  """The Python blocks of a page."""
  text = (ROOT / page).read_text('utf-8')
  return re.findall(r'^```python\n(.*?)^```$', text, re.DOTALL | re.MULTILINE)


@pytest.fixture(scope='module')
def folder(trained, tmp_path_factory):
  """Where the examples run: a trained network, a config and photographs."""
  folder = tmp_path_factory.mktemp('examples')
  (folder / 'runs').mkdir()
  for name in ('quickstart', 'mine'):
    (folder / 'runs' / name).symlink_to(trained[1])
  (folder / 'configs').symlink_to(ROOT / 'configs')
  (folder / 'photos').mkdir()
  pixels = np.random.default_rng(0).integers(0, 256, (80, 90, 3))
  for name in ('photos/a.jpg', 'photos/b.png', 'a.jpg', 'b.jpg'):
    Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
  for name in ('stablehlo', 'onnx'):
    export.export(trained[1], out=str(folder / f'network.{name}'))
  return folder


def run(code, folder, compiled, path=''):
  environment = program.environment(compiled) | {'PYTHONPATH': path}
  done = subprocess.run([sys.executable, '-c', code], cwd=folder, text=True,
                        capture_output=True, env=environment)
  assert (done.returncode, done.stderr) == (0, '')
  return done.stdout


def test_the_library_page_and_the_readme(folder, compiled):
  readme = (ROOT / 'README.md').read_text('utf-8').partition('## As a library')
  lines = re.findall(r'^    (.*)$', readme[2].partition('\n## ')[0],
                     re.MULTILINE)
  assert 3 < len(lines) <= 10
  code = '\n'.join([*examples('docs/library.md'), *lines])
  out = run(code, folder, compiled, str(ROOT))
  assert 'alexnet' in out and '%' in out


def test_jax_alone_runs_the_exported_program(folder, compiled):
  reader, in_onnxruntime = examples('docs/export.md')
  assert len(reader.strip().splitlines()) <= 15
  alone = '\nimport sys\nassert "alexnet_jax" not in sys.modules\n'
  out = run(reader + alone + in_onnxruntime, folder, compiled)
  assert len(out.splitlines()) == 2


def test_every_page_is_in_the_list_of_pages():
  listed = (ROOT / 'docs/README.md').read_text('utf-8')
  for page in os.listdir(ROOT / 'docs'):
    assert not page.endswith('.md') or page == 'README.md' or (
        f'[{page}]({page})' in listed), page
