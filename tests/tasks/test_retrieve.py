"""Retrieval: the nearest by features and by pixels, told, drawn, counted."""

import json
import os
import shutil

import cv2
import numpy as np
import program
import pytest
import tiny
from PIL import Image

from alexnet_jax.analysis import features
from alexnet_jax.analysis import retrieval_precision as precision_at
from alexnet_jax.errors import InputError
from alexnet_jax.figures import figure4_right
from alexnet_jax.run import trained as trained_network
from alexnet_jax.tasks import features as features_task
from alexnet_jax.tasks import retrieve


@pytest.fixture(scope='module')
def run(trained, tmp_path_factory):
  """The workdir of a run that has its features."""
  workdir = str(tmp_path_factory.mktemp('retrieved') / 'run')
  shutil.copytree(trained[1], workdir)
  features_task.features(workdir)
  return workdir


@pytest.fixture(scope='module')
def images(run):
  """(training images, their labels, validation images, theirs) of the run."""
  found = trained_network.open_trained(run)
  both = []
  for split in ('train', 'validation'):
    source = trained_network.open_split(found, split)
    examples = [source[i] for i in range(len(source))]
    both += [np.stack([one['image'] for one in examples]),
             np.array([one['label'] for one in examples])]
  return both


@pytest.fixture(scope='module')
def drawn(run, tmp_path_factory):
  """(figure, what retrieve said of five validation images)."""
  figure = str(tmp_path_factory.mktemp('drawn') / 'figure4.png')
  with pytest.MonkeyPatch.context() as patched:
    patched.setattr(precision_at, 'PIXEL_QUERIES', 7)
    patched.setattr(precision_at, 'PIXEL_ROWS', 20)
    return figure, retrieve.retrieve(run, figure=figure)


def vectors(workdir, split):
  held = features.open_features(os.path.join(workdir, 'features', split))
  return np.concatenate(held.vectors).astype(np.float64)


def by_comparing_with_all(query, database):
  """(distances, order) of one query to all."""
  apart = database.astype(np.float64) - query.astype(np.float64)
  distances = np.sqrt((apart**2).sum(-1))
  return distances, np.argsort(distances, kind='stable')


def number(where):
  """The index with which the name of an embedded image ends."""
  return int(where.rsplit(maxsplit=1)[-1])


def test_what_is_found_is_what_comparing_with_all_finds(run, drawn, images):
  _, told = drawn
  train, _, validation, _ = images
  assert len(told['queries']) == 5
  for query in told['queries']:
    i = number(query['image'])
    features_of_it = vectors(run, 'validation')[i], vectors(run, 'train')
    pixels_of_it = validation[i].reshape(-1), train.reshape(len(train), -1)
    for name, them in (('by_features', features_of_it),
                       ('by_pixels', pixels_of_it)):
      distances, order = by_comparing_with_all(*them)
      found = [number(one['image']) for one in query[name]]
      assert found == list(order[:6])
      assert [one['distance'] for one in query[name]] == pytest.approx(
          distances[found], rel=1e-4)
    assert query['by_features'] != query['by_pixels']


def test_labels_are_those_of_the_images(run, drawn, images):
  _, told = drawn
  _, labels, _, asked_labels = images
  names = features.open_features(f'{run}/features/train').class_names
  for query in told['queries']:
    assert query['label'] == names[asked_labels[number(query['image'])]]
    for one in query['by_features'] + query['by_pixels']:
      assert one['label'] == names[labels[number(one['image'])]]


def test_queries_are_of_different_classes_and_always_the_same(images, run):
  source = trained_network.open_split(
      trained_network.open_trained(run), 'validation')
  once, again = (retrieve.draw_queries(source, 5) for _ in range(2))
  assert once.names == again.names and len(set(once.labels)) == 5
  every = retrieve.draw_queries(source, 24)
  assert sorted(map(number, every.names)) == list(range(24))
  for name, image, label in zip(every.names, every.images, every.labels,
                                strict=True):
    assert label == images[3][number(name)]
    np.testing.assert_array_equal(image, images[2][number(name)])


def test_the_table_has_what_was_found_and_stars_the_querys_class(run, capsys):
  told = retrieve.retrieve(run, queries=3, neighbors=20)['queries']
  lines = capsys.readouterr().out.splitlines()
  assert len(lines) == 3 * 21
  for query in told:
    heading, *rest = lines[:21]
    del lines[:21]
    assert heading == f'{query["image"]}: {query["label"]}'
    for line, one in zip(rest, query['by_features'], strict=True):
      assert line.endswith(one['image']) and f'{one["distance"]:.4g}' in line
      starred = f'*{one["label"]}' in line
      assert starred == (one['label'] == query['label'])
  assert 'by_pixels' not in told[0]


def test_both_pictures_and_their_numbers_are_drawn(drawn):
  figure, told = drawn
  stem = os.path.splitext(figure)[0]
  with open(f'{stem}.json', encoding='utf-8') as file:
    held = json.load(file)
  assert held['queries'] == told['queries'] and held['step'] == 6
  for path in (figure, f'{stem}_precision.png'):
    drawn_picture = np.asarray(Image.open(path).convert('RGB'))
    assert min(drawn_picture.shape[:2]) > 600
    assert (drawn_picture == (0, 0x72, 0xB2)).all(-1).sum() > 300  # blue
    assert (drawn_picture == 255).all(-1).mean() > 0.1


def test_precision_is_that_of_counting(run, drawn, images):
  figure, _ = drawn
  with open(figure.replace('.png', '_precision.json'),
            encoding='utf-8') as file:
    numbers = json.load(file)
  train, labels, validation, asked_labels = images
  train = train.reshape(len(train), -1)
  database, asked = vectors(run, 'train'), vectors(run, 'validation')
  for name, some, them in (
      ('features', range(24), lambda i: (asked[i], database)),
      ('pixels', [0, 3, 6, 10, 13, 17, 20],
       lambda i: (validation[i].reshape(-1), train))):
    right = np.array([
        labels[by_comparing_with_all(*them(i))[1]] == asked_labels[i]
        for i in some])
    assert numbers[name]['queries'] == len(some)
    assert numbers[name]['precision'] == pytest.approx(
        [right[:, :k].mean() for k in range(1, 65)])
  chance = np.mean([(labels == label).mean() for label in asked_labels])
  assert numbers['chance'] == pytest.approx(chance)
  assert numbers['features']['precision'][-1] == pytest.approx(chance)


# --- Pictures of one's own ----------------------------------------------------


@pytest.fixture
def pictures(run, images, tmp_path):
  """Three training images as PNGs, one in a folder called like its class."""
  train, labels, _, _ = images
  name = features.open_features(f'{run}/features/train').class_names[labels[9]]
  for i, folder in ((7, '.'), (8, 'unheard-of'), (9, name)):
    (tmp_path / 'pictures' / folder).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(tmp_path / f'pictures/{folder}/{i}.png'),
                cv2.cvtColor(train[i], cv2.COLOR_RGB2BGR))
  return str(tmp_path / 'pictures')


def test_a_training_image_finds_itself_first(run, pictures):
  told = retrieve.retrieve(run, [pictures], neighbors=2)['queries']
  found = {os.path.basename(query['image']): query for query in told}
  assert set(found) == {'7.png', '8.png', '9.png'}
  for name, query in found.items():
    first, second = query['by_features']
    assert number(first['image']) == int(name[0])
    assert first['distance'] < 1e-3 * second['distance']
  assert found['7.png']['label'] is found['8.png']['label'] is None
  assert found['9.png']['label'] == found['9.png']['by_features'][0]['label']


def test_a_bad_picture_is_told_and_left_out(run, pictures, capsys):
  with open(f'{pictures}/bad.png', 'wb') as file:
    file.write(b'no picture')
  told = retrieve.retrieve(run, [pictures], neighbors=1)['queries']
  assert len(told) == 3
  assert f'{pictures}/bad.png cannot be read' in capsys.readouterr().err


def test_without_validation_features_the_rest_is_drawn(
    run, pictures, tmp_path, capsys):
  shutil.copytree(f'{run}/features/train', tmp_path / 'kept/train')
  figure = str(tmp_path / 'drawn/figure.pdf')
  told = retrieve.retrieve(run, [f'{pictures}/7.png'], neighbors=3,
                           features=str(tmp_path / 'kept'), figure=figure)
  assert len(told['queries'][0]['by_pixels']) == 3
  assert told['queries'][0]['by_pixels'][0]['distance'] == 0
  assert sorted(os.listdir(tmp_path / 'drawn')) == ['figure.json', 'figure.pdf']
  said = capsys.readouterr().err
  assert f'Without precision@k: there are no features in {tmp_path}' in said
  assert '--task=features' in said


def test_validation_features_of_another_network_count_nothing(
    run, pictures, tmp_path, capsys):
  kept = tmp_path / 'kept'
  shutil.copytree(f'{run}/features', kept)
  pretend_another_network(kept / 'validation')
  retrieve.retrieve(run, [f'{pictures}/7.png'], neighbors=1,
                    features=str(kept), figure=str(tmp_path / 'figure.png'))
  assert not os.path.exists(tmp_path / 'figure_precision.png')
  said = capsys.readouterr().err
  assert f'Without precision@k: {kept}/validation holds features' in said


def test_validation_features_of_other_images_count_nothing(
    run, pictures, tmp_path, capsys):
  kept = tmp_path / 'kept'
  shutil.copytree(f'{run}/features', kept)
  path, = (kept / 'validation').glob('labels-*')
  np.save(path, np.load(path)[::-1])
  retrieve.retrieve(run, [f'{pictures}/7.png'], neighbors=1,
                    features=str(kept), figure=str(tmp_path / 'figure.png'))
  assert not os.path.exists(tmp_path / 'figure_precision.png')
  said = capsys.readouterr().err
  assert f'Without precision@k: {kept}/validation holds features' in said
  assert 'are others' in said


def pretend_another_network(folder):
  path = folder / 'index.json'
  index = json.loads(path.read_text())
  path.write_text(json.dumps(index | {'saved': index['saved'] - 10**12}))


def test_launched_retrieval_says_the_same(run, pictures, compiled, tmp_path):
  words = tmp_path / 'words.txt'
  names = features.open_features(f'{run}/features/train').class_names
  words.write_text(''.join(f'{name}\tword of {name}, more\n' for name in names))
  given = [f'{pictures}/unheard-of/8.png', f'{pictures}/7.png']
  out = program.launch(
      ['--task=retrieve', f'--workdir={run}', '--neighbors=2',
       f'--words={words}', '--images', *given], compiled)
  lines = out.splitlines()
  assert len(lines) == 6 and [lines[0], lines[3]] == given
  assert 'word of' in lines[1] and lines[1].endswith(' picture 8')


# --- The picture --------------------------------------------------------------


def blue_and_gray(path):
  """Whether a picture has a frame of the query's class, and of another."""
  drawn_picture = np.asarray(Image.open(path).convert('RGB'))
  return tuple(
      bool((drawn_picture == color).all(-1).sum() > 300)
      for color in ((0, 0x72, 0xB2), (0xBB, 0xBB, 0xBB)))


@pytest.mark.parametrize('same, frames', [
    ((True, False), (True, True)), ((None, None), (False, False))])
def test_only_neighbors_of_a_known_class_have_frames_and_a_legend(
    same, frames, tmp_path):
  image = np.full((16, 16, 3), 255, np.uint8)
  neighbors = [figure4_right.Picture(image, 'a class', one) for one in same]
  figure4_right.draw(
      [figure4_right.QueryRow(
          figure4_right.Picture(image, 'a.jpg'),
          {'features': neighbors, 'pixels': neighbors})],
      {}, str(tmp_path / 'figure.png'))
  assert blue_and_gray(tmp_path / 'figure.png') == frames


def test_a_query_of_no_known_class_has_neighbors_without_frames(
    run, pictures, images, tmp_path):
  name = features.open_features(f'{run}/features/train').class_names[
      images[1][9]]
  for query, framed in (('7.png', False), (f'{name}/9.png', True)):
    figure = str(tmp_path / 'figure.png')
    retrieve.retrieve(run, [f'{pictures}/{query}'], neighbors=2, figure=figure)
    assert blue_and_gray(figure)[0] == framed


# --- What cannot work ---------------------------------------------------------


def refusal(*arguments, **named):
  with pytest.raises(InputError) as refused:
    retrieve.retrieve(*arguments, **named)
  assert '\n' not in str(refused.value)
  return str(refused.value)


@pytest.mark.parametrize('given, parts', [
    ({'queries': 0}, ['--queries=0', '1 or more', '--images']),
    ({'neighbors': 0}, ['--neighbors=0', '1 or more']),
    ({'neighbors': 65}, ['--neighbors=65', '64 training images']),
    ({'figure': 'a.jpeg'}, ['--figure=a.jpeg', '.png, .pdf, .svg']),
    ({'figure': '{photos}'}, ['--figure={photos}', '.png, .pdf, .svg']),
    ({'features': '{photos}'},
     ['no features in {photos}/train', '--task=features']),
    ({'data': '{photos}'}, ['64 train images', '{photos} are others',
                            '--data']),
    ({'images': ['{photos}/train/cat/bad.png']},
     ['none of the pictures could be read', '--images'])], ids=str)
def test_what_cannot_work_is_refused(run, tmp_path, given, parts):
  photos = tiny.write_photos(tmp_path / 'photos')
  (tmp_path / 'photos/train/cat/bad.png').write_bytes(b'no picture')

  def called(text):
    return text.format(photos=photos) if isinstance(text, str) else text

  given = {name: [called(one) for one in value] if isinstance(value, list)
           else called(value) for name, value in given.items()}
  said = refusal(run, **given)
  for part in parts:
    assert called(part) in said


def test_features_of_a_step_that_is_gone_are_refused(run, tmp_path):
  later = tmp_path / 'later'
  shutil.copytree(run, later)
  shutil.rmtree(later / 'checkpoints/6')
  said = refusal(str(later))
  assert 'step 6' in said and f'{later} has no such step' in said


def test_features_of_another_network_are_refused(run, tmp_path):
  anew = tmp_path / 'anew'
  shutil.copytree(run, anew)
  pretend_another_network(anew / 'features/train')
  said = refusal(str(anew))
  assert f'{anew}/features/train holds features' in said
  assert 'of one network' in said
