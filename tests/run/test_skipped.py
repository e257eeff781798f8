"""Runs on folders with damaged pictures: nothing lost, all said."""

import json
import os
import shutil

import pytest
import tiny

from alexnet_jax.data.prepare import prepare
from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError
from alexnet_jax.run import skipped, stored_config, training, typed_config


@pytest.fixture
def photos(tmp_path):
  """20 training and 8 validation pictures; of the former 16 fill a batch."""
  return tiny.write_photos(tmp_path / 'photos')


def damage(photos, *names):
  for name in names:
    with open(os.path.join(photos, name), 'r+b') as file:
      file.truncate(os.path.getsize(file.fileno()) // 2)


def tear(photos, name):
  """Damages the middle of a picture, which its header does not show."""
  with open(os.path.join(photos, name), 'r+b') as file:
    file.seek(os.path.getsize(file.fileno()) // 2)
    file.write(b'torn')


def settings(photos, steps=2, **fields):
  return typed_config.read(tiny.config({
      'data.name': 'folder', 'data.path': photos, 'run.steps': steps,
      'data.train_examples': 0, 'data.validation_examples': 0,
      'optimizer.batch_size': 4, 'run.evaluate_every': 2, 'run.save_every': 2,
      'run.views': 1,
      **{name.replace('__', '.'): value for name, value in fields.items()}}))


def train(workdir, *arguments, **fields):
  return training.train(settings(*arguments, **fields), str(workdir))


@pytest.mark.slow
def test_a_run_goes_on_while_pictures_get_damaged_and_are_removed(
    photos, tmp_path, capsys):
  run = tmp_path / 'run'
  damage(photos, 'train/cat/7.png', 'val/dog/1.png')
  train(run, photos)
  said = capsys.readouterr().err
  assert f'1 picture listed in {run}/skipped.txt, {photos}/train/cat/7' in said
  assert f'{photos}/val/dog/1.png (' in said
  lines = (run / 'skipped.txt').read_text().splitlines()
  assert [line.split('\t')[::2] for line in lines] == [
      [f'{photos}/train/cat/7.png', 'train'],
      [f'{photos}/val/dog/1.png', 'validation']]

  for name in ('train/cat/7.png', 'val/dog/1.png'):  # as the program says
    os.remove(os.path.join(photos, name))
  train(run, photos, 4)
  assert 'Going on from step 2' in capsys.readouterr().err

  damage(photos, 'train/dog/3.png')  # one that the network was trained on
  train(run, photos, 6)
  said = capsys.readouterr().err
  assert 'Going on from step 4' in said and 'dog/3.png' in said
  assert len((run / 'skipped.txt').read_text().splitlines()) == 3

  tiny.write_photos(tmp_path / 'new')
  shutil.copy(tmp_path / 'new/train/dog/3.png', f'{photos}/train/dog/3.png')
  moved = str(tmp_path / 'moved')
  shutil.move(photos, moved)
  train(run, moved, 8)  # mended and moved: still left out
  said = capsys.readouterr().err
  assert 'Going on from step 6' in said and 'Left out as before: 1' in said


@pytest.mark.slow
def test_a_picture_that_is_damaged_in_the_middle_stops_the_run_once(
    photos, tmp_path, capsys):
  run = tmp_path / 'run'
  train(run, photos)
  tear(photos, 'train/dog/3.png')
  with pytest.raises(InputError) as error:
    train(run, photos, 8)
  said = str(error.value)
  assert said.startswith(f'{photos}/train/dog/3.png cannot be read')
  assert '--config.data.check=full' in said and '\n' not in said
  assert 'same command goes on without it' in said
  assert tiny.steps(run)[0] == 2
  capsys.readouterr()
  train(run, photos, 8)
  assert 'Going on from step' in capsys.readouterr().err
  os.remove(f'{photos}/train/dog/3.png')
  train(run, photos, 10)
  assert 'Going on from step 8' in capsys.readouterr().err


def leave_out(run, photos, **fields):
  """What training does first."""
  chosen = settings(photos, **fields)
  return skipped.leave_out(chosen, chosen.open_split('train'),
                           chosen.open_split('validation'), str(run), True)


def test_a_full_check_finds_it_before_the_first_step(photos, tmp_path):
  tear(photos, 'train/dog/3.png')
  full = leave_out(tmp_path, photos, data__check='full')
  assert 'dog/3.png' in full.train.notes[-1]
  later = leave_out(tmp_path, photos)
  assert len(full.train) == len(later.train) == 19
  assert skipped.fingerprint(full) == skipped.fingerprint(later) != ''


def test_one_split_alone_lacks_what_the_run_left_out(photos, tmp_path):
  damage(photos, 'train/cat/7.png')
  leave_out(tmp_path, photos)
  before = (tmp_path / 'skipped.txt').read_text()
  tiny.write_photos(tmp_path / 'new')
  shutil.copy(tmp_path / 'new/train/cat/7.png', f'{photos}/train/cat/7.png')
  damage(photos, 'train/dog/3.png')
  chosen = settings(photos)
  left = skipped.readable_split(
      chosen, 'train', chosen.open_split('train'), str(tmp_path))
  assert len(left) == 18
  assert (tmp_path / 'skipped.txt').read_text() == before


def test_how_pictures_are_checked_does_not_block_a_run():
  saved = json.loads(tiny.config().to_json())
  del saved['data']['check']
  stored_config.check_same_experiment(
      'run', saved, tiny.config({'data.check': 'full'}).to_dict())


def test_other_pictures_are_refused(photos, tmp_path):
  run = tmp_path / 'run'
  damage(photos, 'train/cat/7.png')
  train(run, photos)
  os.rename(f'{photos}/train/cat/1.png', f'{photos}/train/cat/new.png')
  with pytest.raises(InputError, match='trained on other data than those in'):
    train(run, photos, 4)
  # The damaged one does not excuse that a sound one is gone.
  os.remove(f'{photos}/train/cat/7.png')
  os.remove(f'{photos}/train/cat/new.png')
  with pytest.raises(InputError, match='on 19 examples and config.data gives '
                                       '18: give the same data'):
    train(run, photos, 4)


def test_data_of_which_nothing_can_be_read_is_refused(photos, tmp_path):
  damage(photos, *(f'val/{name}/{i}.png'
                   for name in ('cat', 'dog') for i in range(4)))
  with pytest.raises(InputError, match='none of 8 pictures can be read'):
    train(tmp_path / 'run', photos)


def test_the_list_is_printable(photos, tmp_path):
  name = os.path.join(photos, 'train/cat', 'a\tb\n\x1b[2J\udcff.png')
  shutil.copy(f'{photos}/train/cat/1.png', name)
  damage(photos, name)
  leave_out(tmp_path, photos)
  (line,) = (tmp_path / 'skipped.txt').read_text().splitlines()
  assert r'a\x09b\x0a\x1b[2J\xff.png' in line
  assert len(leave_out(tmp_path, photos).train) == 20
  assert len(skipped.read(str(tmp_path))) == 1


def test_lines_of_another_form_are_ignored(tmp_path):
  assert skipped.read(str(tmp_path)) == []
  (tmp_path / 'skipped.txt').write_bytes(b'\xff\n\na\tb\na\tb\ttrain\n')
  assert skipped.read(str(tmp_path)) == [('a', 'b', 'train')]


@pytest.mark.slow
def test_other_records_of_the_same_size_are_refused(tmp_path):
  photos = tiny.write_photos(tmp_path / 'photos')

  def make(name, **options):
    prepare({split: open_source('folder', split, path=photos, image_size=72)
             for split in ('train', 'validation')}, str(tmp_path / name),
            image_size=72, progress=False, **options)
    return str(tmp_path / name)

  first, other = make('first'), make('other', quality=80)
  run = tmp_path / 'run'
  train(run, first, data__name='records')
  with pytest.raises(InputError, match=f'other data than those in .*={other}/'):
    train(run, other, 4, data__name='records')
  moved = str(shutil.move(first, tmp_path / 'moved'))
  train(run, moved, 4, data__name='records')
  path = os.path.join(other, 'meta.json')  # of a version before 1.1
  with open(path, encoding='utf-8') as file:
    meta = json.load(file)
  del meta['fingerprint'], meta['files']
  with open(path, 'w', encoding='utf-8') as file:
    json.dump(meta, file)
  train(run, other, 6, data__name='records')
