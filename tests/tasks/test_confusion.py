"""--task=evaluate --confusion: the same errors, and files to look at."""

import csv
import json
import os

import numpy as np
import pytest
from absl import flags
from PIL import Image

from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.data import images
from alexnet_jax.errors import InputError
from alexnet_jax.figures import confusion as pictures
from alexnet_jax.run import typed_config
from alexnet_jax.tasks import evaluate

TABLES = ('confusion.csv', 'per_class.csv', 'summary.json')
BLUE, VERMILION = (0, 0x72, 0xB2), (0xD5, 0x5E, 0)


def colors(path):
  """The pixels of a picture, [H, W, 3]."""
  return np.asarray(Image.open(path).convert('RGB')).astype(int)


def near(pixels, color):
  """Number of pixels of a color, also in a JPEG."""
  return int((np.abs(pixels - color).max(-1) < 40).sum())


def read(folder):
  with open(folder / 'summary.json', encoding='utf-8') as file:
    return json.load(file)


def matrix(folder):
  with open(folder / 'confusion.csv', encoding='utf-8') as file:
    _, *rows = csv.reader(file)
  return np.array([row[1:] for row in rows], int)


def invoke(config, workdir, *arguments):
  """Runs the task with flags, as launch.py does."""
  values = flags.FlagValues()
  evaluate.define_flags(values)
  values(['launch.py', *arguments])
  evaluate.run(Invocation('evaluate', config, str(workdir), '', values, ()))


@pytest.fixture(scope='module')
def looked_at(trained, tmp_path_factory):
  """The folder of the small run: 12 classes, 24 images, ten crops."""
  folder = tmp_path_factory.mktemp('looked')
  words = folder / 'words.txt'
  names = typed_config.read(trained[0]).open_split('validation').class_names
  words.write_text(f'{names[0]}\tthe first class, of all')
  invoke(*trained[:2], '--confusion', f'--out={folder}/at/confusion',
         f'--words={words}')
  return folder / 'at/confusion'


def test_all_files_are_there_and_agree(looked_at, trained):
  assert sorted(os.listdir(looked_at)) == sorted((*TABLES, *pictures.FILES))
  held, errors, counts = read(looked_at), trained[2], matrix(looked_at)
  assert (held['images'], held['step'], held['crops']) == (24, 6, 10)
  assert held['top1_error'] == pytest.approx(errors['ten_crop_top1_error'])
  assert counts.shape == (12, 12) and counts.sum() == 24
  assert 1 - counts.trace() / 24 == pytest.approx(held['top1_error'])
  for one in held['worst']:
    assert one['true'] != one['predicted']
    assert one['probability'] > one['true_probability']
  assert len(held['worst']) == 24 - counts.trace()
  assert len(held['uncertain']) == 24


def test_the_pictures_show_right_and_wrong_answers(looked_at):
  counts = matrix(looked_at)
  assert 0 < counts.trace() < 24
  for name in ('worst.jpg', 'uncertain.jpg'):
    pixels = colors(looked_at / name)
    assert pixels.shape[1] == 1440  # six images and their text
    assert near(pixels, VERMILION) > 200
    assert pixels.std() > 30
  for name in ('confusion.png', 'calibration.png'):
    pixels = colors(looked_at / name)
    assert min(pixels.shape[:2]) > 700
    assert (pixels == 255).all(-1).mean() > 0.3
  assert near(colors(looked_at / 'calibration.png'), BLUE) > 1000


def test_the_cells_have_the_colors_of_right_and_wrong(tmp_path):
  cells = pictures.confusion.Block(
      np.arange(2), np.array([[4, 0, 0], [3, 1, 0]]))
  pictures.draw(cells, 2, ('a', 'b'), f'{tmp_path}/a.png')
  pixels = colors(tmp_path / 'a.png')
  cell = (pictures.CELL * pictures.style.SCREEN)**2
  assert near(pixels, BLUE) > 0.5 * cell
  assert near(pixels, VERMILION) < 0.1 * cell
  wrong = cells._replace(counts=cells.counts[:, [1, 0, 2]])
  pictures.draw(wrong, 2, ('a', 'b'), f'{tmp_path}/b.png')
  assert near(colors(tmp_path / 'b.png'), VERMILION) > 0.5 * cell


# --- The task -----------------------------------------------------------------


def test_its_errors_are_those_of_the_final_test(trained, looked_at):
  head, *rows = csv.reader((looked_at / 'per_class.csv').open(encoding='utf-8'))
  assert rows[0][head.index('words')] == 'the first class'
  wrong = sum(float(row[head.index('errors')]) for row in rows)
  assert wrong / 24 == pytest.approx(trained[2]['ten_crop_top1_error'])
  assert read(looked_at)['loss'] == pytest.approx(
      trained[2]['ten_crop_loss'], rel=1e-5)
  assert not os.path.exists(f'{trained[1]}/confusion')


def test_a_class_may_have_no_pictures_and_a_picture_be_damaged(
    trained, tmp_path, capsys):
  config, workdir, _ = trained
  source = typed_config.read(config).open_split('validation')
  absent, *others = source.class_names
  for i in range(len(source)):
    example = source[i]
    name = source.class_names[example['label']]
    if name != absent:
      folder = tmp_path / 'photos' / name
      folder.mkdir(parents=True, exist_ok=True)
      (folder / f'{i}.png').write_bytes(images.encode_png(example['image']))
  (tmp_path / 'photos' / others[0] / 'bad.png').write_bytes(b'no picture')
  errors = evaluate.evaluate(config, workdir, 'latest', f'{tmp_path}/photos',
                             confusion=f'{tmp_path}/out')
  out, err = capsys.readouterr()
  last = json.loads(out.splitlines()[-1])
  assert last == {'step': 6, 'images': 22, **errors}
  assert 'Left out, as it is damaged' in err
  assert f'{tmp_path}/out shows what is mixed up: ' in err
  held = read(tmp_path / 'out')
  assert held['classes_without_images'] == [absent]
  assert held['top5_error'] == errors['ten_crop_top5_error']
  counts = matrix(tmp_path / 'out')
  assert counts[0].sum() == 0 and counts.sum() == 22


@pytest.mark.parametrize('arguments, parts', [
    (['--out={0}/out'], ['--out and --words are for --confusion: add it']),
    (['--words={0}/words.txt'], ['--out and --words are for --confusion']),
    (['--confusion', '--out={0}/file'],
     ['--out={0}/file cannot be made, {0}/file is a file: give a folder']),
    (['--confusion', '--out={0}/file/below/it'], ['{0}/file is a file']),
    (['--confusion', '--checkpoint=latest', '--checkpoint=best'],
     ['--confusion looks at one network: give --checkpoint=latest']),
    (['--confusion', '--predictions={0}/kept'], ['leave out --weights, ']),
    (['--confusion', '--against=best'], ['--against and --predictions'])],
    ids=str)
def test_what_cannot_work_is_refused(trained, tmp_path, arguments, parts):
  (tmp_path / 'file').touch()
  with pytest.raises(InputError) as error:
    invoke(*trained[:2], *(one.format(tmp_path) for one in arguments))
  for part in parts:
    assert part.format(tmp_path) in str(error.value)
  assert '\n' not in str(error.value)
  assert os.listdir(tmp_path) == ['file']
