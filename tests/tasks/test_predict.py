"""--task=predict, from pictures in a folder to labels, lines and a figure."""

import json
import os
import sys

import cv2
import numpy as np
import program
import pytest
from PIL import Image, ImageColor

from alexnet_jax.analysis import class_words as words
from alexnet_jax.data import images
from alexnet_jax.errors import InputError
from alexnet_jax.figures import figure4_left, style
from alexnet_jax.library import network as library_network
from alexnet_jax.results import predictions
from alexnet_jax.run import typed_config
from alexnet_jax.run.trained import open_trained
from alexnet_jax.tasks import predict


@pytest.fixture(scope='module')
def found(trained):
  return open_trained(trained[1])


@pytest.fixture(scope='module')
def source(trained):
  return typed_config.read(trained[0]).open_split('validation')


@pytest.fixture(scope='module')
def photos(source, tmp_path_factory):
  """The validation images as files 00.png ... in folders of their classes."""
  folder = tmp_path_factory.mktemp('photos')
  paths = []
  for i in range(len(source)):
    own = folder / source.class_names[source[i]['label']]
    own.mkdir(exist_ok=True)
    paths.append(str(own / f'{i:02}.png'))
    with open(paths[-1], 'wb') as file:
      file.write(images.encode_png(source[i]['image']))
  return paths


def lines_of(capsys):
  """(answers, what stood on standard error)."""
  out, err = capsys.readouterr()
  return [json.loads(line) for line in out.splitlines()], err


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
  """So that most tests compile the same and have more batches than one."""
  monkeypatch.setattr(library_network, 'BATCH', 2)


@pytest.mark.parametrize('views, batch', [(10, 16), (1, 2)])
def test_pictures_are_predicted_as_the_images_of_a_test(
    views, batch, found, source, photos, monkeypatch, capsys):
  monkeypatch.setattr(library_network, 'BATCH', batch)  # of 24 pictures
  predict.predict(found.workdir, 'latest', photos, views, as_json=True)
  said, err = lines_of(capsys)
  expected, labels = predictions.predict(found, source, views, 16)
  assert [one['image'] for one in said] == photos
  for one, probabilities, label in zip(said, expected, labels, strict=True):
    five = np.argsort(-probabilities)[:5]
    np.testing.assert_allclose(
        one['probabilities'], probabilities[five], rtol=0, atol=2e-6)
    at = [found.class_names.index(name) for name in one['labels']]
    np.testing.assert_allclose(
        probabilities[at], probabilities[five], rtol=0, atol=2e-6)
    assert one['true'] == found.class_names[label]
  top1 = np.mean([one['true'] != one['labels'][0] for one in said])
  top5 = np.mean([one['true'] not in one['labels'] for one in said])
  assert (f'24 pictures whose folder names their class (*): top-1 error'
          f' {top1:.2%}, top-5 error {top5:.2%}.') in err


def test_a_bad_picture_is_told_in_its_place_and_stops_nothing(
    found, photos, tmp_path, capsys):
  bad = tmp_path / 'bad.jpg'
  bad.write_bytes(b'no picture at all')
  predict.predict(found.workdir, 'latest', [photos[0], str(bad), photos[1]],
                  views=1, as_json=True)
  said, err = lines_of(capsys)
  sentence = (f'{bad} cannot be read as a picture (its format is unknown);'
              ' replace it with an intact JPEG or PNG, or remove it.')
  assert [one['image'] for one in said] == [photos[0], str(bad), photos[1]]
  assert said[1] == {'image': str(bad), 'error': sentence}
  assert len(said[2]['labels']) == 5
  assert sentence in err and '1 of 3 pictures could not be read.' in err

  predict.predict(found.workdir, 'latest', [str(bad), photos[1]], views=1)
  out, err = capsys.readouterr()
  assert len(out.splitlines()) == 1 and out.startswith(photos[1])
  assert sentence in err


def test_only_bad_pictures_are_refused(found, tmp_path):
  for name in ('bad.jpg', 'worse.jpg'):
    (tmp_path / name).write_bytes(b'no picture at all')
  with pytest.raises(InputError, match='none of the pictures could be read:'):
    predict.predict(found.workdir, 'latest', [str(tmp_path)], views=1)


def test_a_row_stars_the_true_label():
  answer = predict.Answer('a/b.jpg', (2, 0), (0.75, 0.0625), 0)
  names = ('goldfish', 'American alligator of the swamps', 'bullfrog')
  assert predict.table_row(answer, names, 10) == (
      'a/b.jpg     bullfrog              75.0%'
      ' *goldfish               6.2%')
  assert predict.table_row(
      predict.Answer('c.jpg', (1,), (1.0,)), names, 5) == (
          'c.jpg  American alligator…  100.0%')


def test_a_path_that_is_no_text_can_be_printed():
  answer = predict.Answer(os.fsdecode(b'caf\xe9.jpg'), (0,), (1.0,))
  assert predict.table_row(answer, ('cat',), 0).startswith('caf\\xe9.jpg ')
  assert json.loads(predict.record_line(answer, ('cat',)))['labels'] == ['cat']


def test_few_classes_make_few_labels(found, photos, monkeypatch):
  network = library_network.Network(found)
  monkeypatch.setattr(network, 'probabilities', lambda *_: iter(
      [np.array([0.25, 0.5, 0.25], np.float32)]))
  assert next(iter(predict.answers(
      network, photos[:1], 10, found.class_names)))[1:3] == (
          (1, 0, 2), (0.5, 0.25, 0.25))


def test_folders_may_be_called_by_a_word_that_no_other_class_has():
  known = words.classes_of_folders(
      ('n01', 'n02', 'n03'), ('crane', 'goldfish', 'crane'))
  assert known == {'n01': 0, 'n02': 1, 'n03': 2, 'goldfish': 1}


def test_the_figure_shows_the_first_eight(found, photos, tmp_path, capsys):
  path = str(tmp_path / 'new/figure4.png')
  bad = tmp_path / 'bad.jpg'
  bad.write_bytes(b'')
  predict.predict(found.workdir, 'latest', [str(bad), *photos[:9]], views=1,
                  figure=path, as_json=True)
  said, err = lines_of(capsys)
  with open(tmp_path / 'new/figure4.json', encoding='utf-8') as file:
    numbers = json.load(file)
  assert numbers == {'workdir': found.workdir, 'step': 6, 'views': 1,
                     'pictures': said[1:9]}
  assert f'The first 8 of 10 are drawn in {path}.' in err
  drawn = np.asarray(Image.open(path).convert('RGB'))
  assert drawn.shape == (round(300 * 2 * figure4_left.HEIGHT),
                         round(300 * 4 * figure4_left.WIDTH), 3)
  for row in np.array_split(drawn, 2):
    for panel in np.array_split(row, 4, axis=1):
      assert panel.std() > 20


def ink(path, color):
  """How many pixels of a picture have that color."""
  drawn = np.asarray(Image.open(path).convert('RGB'))
  return (drawn == ImageColor.getrgb(color)).all(-1).sum()


@pytest.mark.parametrize('right', [0, 3, None])
def test_the_true_label_has_the_red_bar(right, tmp_path):
  path = str(tmp_path / 'one.png')
  shares = (0.5, 0.2, 0.1, 0.1, 0.05)
  figure4_left.draw([figure4_left.Panel(
      np.full((64, 64, 3), 128, np.uint8), 'a $tricky_name$.jpg', False,
      ['one', 'two $', 'three', 'four' * 9, 'five'], shares, right)], {}, path)
  red, blue = ink(path, style.VERMILION), ink(path, style.BLUE)
  whole = red + blue
  expected = 0 if right is None else shares[right] / sum(shares)
  assert whole > 1000 and red / whole == pytest.approx(expected, abs=0.03)


@pytest.mark.parametrize('given, sentence', [
    ({'images': []}, '--task=predict needs pictures: add --images FILE, or a'
     ' folder of them.'),
    ({'views': 5}, '--views=5 is no test of 2012: give one of 1, 9, 10.'),
    ({'figure': 'out.bmp'}, '--figure=out.bmp is no picture: give a name that'
     ' ends in .png, .pdf, .svg.'),
    ({'images': ['nowhere']}, "there is no picture and no folder 'nowhere'"),
    ({'words': 'nowhere'}, "--words: 'nowhere' cannot be read")])
def test_what_cannot_work_is_refused(given, sentence, found, photos):
  arguments = {'images': photos[:1]} | given
  with pytest.raises(InputError) as error:
    predict.predict(found.workdir, 'latest', **arguments)
  assert str(error.value).startswith(sentence)


def test_a_reader_that_leaves_is_no_failure(found, photos, monkeypatch):
  reader, writer = os.pipe()
  os.close(reader)
  with open(writer, 'w', encoding='utf-8') as nobody:
    monkeypatch.setattr(sys, 'stdout', nobody)
    predict.predict(found.workdir, 'latest', photos[:2], views=1)
    nobody.write('left over')  # what Python does when a program ends


@pytest.mark.slow
def test_the_program_predicts_files_and_folders(
    found, photos, compiled, tmp_path):
  folder = tmp_path / 'album' / 'deep'
  folder.mkdir(parents=True)
  cv2.imwrite(str(folder / 'wide.jpg'), np.full((50, 90, 3), 90, np.uint8))
  (folder / 'bad.png').write_bytes(b'\x89PNG')
  (tmp_path / 'words.txt').write_text(
      f'{found.class_names[0]}\tfirst one, and more\n')
  code, out, err = program.finish(program.start(
      ['--task=predict', f'--workdir={found.workdir}', '--json',
       f'--words={tmp_path}/words.txt', f'--figure={tmp_path}/f.png',
       '--images', photos[0], str(tmp_path / 'album')], compiled))
  assert code == 0, err
  said = [json.loads(line) for line in out.splitlines()]
  assert [one['image'] for one in said] == [
      photos[0], f'{folder}/bad.png', f'{folder}/wide.jpg']
  names = {'first one', *found.class_names[1:]}
  assert set(said[0]['labels']) <= names and said[0]['true'] in names
  assert 'true' not in said[2] and 'error' in said[1]
  assert 'Traceback' not in err and 'bad.png cannot be read' in err
  assert os.path.getsize(tmp_path / 'f.png') > 10_000


def test_any_folder_around_a_picture_names_its_class(tmp_path):
  numbers = words.classes_of_folders(('cat', 'caf\u00e9'), ('cat', 'caf\u00e9'))
  given = [str(tmp_path / 'cat')]
  for path, true in (
      ('cat/1.jpg', 0), ('cat/deep/er/1.jpg', 0), ('cat/cafe\u0301/1.jpg', 1),
      ('cat/caf\u00e9/x/1.jpg', 1)):
    assert words.class_of_picture(
        str(tmp_path / path), numbers, given) == true, path
  below = str(tmp_path / 'cat/photos')
  assert words.class_of_picture(f'{below}/1.jpg', numbers, [below]) is None
  # Without a folder that was given, only the innermost one counts.
  assert words.class_of_picture(f'{below}/1.jpg', numbers) is None
  assert words.class_of_picture(str(tmp_path / 'cat/1.jpg'), numbers) == 0


def test_the_errors_over_nested_class_folders_are_told(
    found, source, tmp_path, capsys):
  for i in range(6):
    folder = tmp_path / source.class_names[source[i]['label']] / 'day' / str(i)
    folder.mkdir(parents=True)
    (folder / 'x.png').write_bytes(images.encode_png(source[i]['image']))
  (tmp_path / 'notes.txt').write_text('')
  predict.predict(found.workdir, 'latest', [str(tmp_path)], 1, as_json=True)
  said, err = lines_of(capsys)
  top1 = np.mean([one['true'] != one['labels'][0] for one in said])
  assert (f'6 pictures whose folder names their class (*): top-1 error'
          f' {top1:.2%}') in err
  assert f'Passed over in {tmp_path}, as they are no pictures: 1 .txt.' in err
