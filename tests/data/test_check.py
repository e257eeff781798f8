import os

import numpy as np
import pytest
from PIL import Image

from alexnet_jax.data import check
from alexnet_jax.data.prepare import prepare
from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError


def half(path):
  os.truncate(path, os.path.getsize(path) // 2)


def without_contents(path):
  open(path, 'wb').close()


def other_contents(path):
  with open(path, 'wb') as file:
    file.write(b'<html>404</html>' * 50)


def torn_in_the_middle(path):
  with open(path, 'r+b') as file:
    file.seek(os.path.getsize(path) * 2 // 3)
    file.write(np.random.default_rng(0).bytes(60))


@pytest.mark.parametrize('kind', [
    'jpg', 'png', 'gif', 'webp', 'tif', 'bmp', 'avif', 'ppm'])
@pytest.mark.parametrize('harm', [half, without_contents, other_contents])
@pytest.mark.parametrize('mode', ['headers', 'full'])
def test_files_that_are_cut_off_or_no_pictures_are_found(
    kind, harm, mode, tmp_path):
  path = str(tmp_path / f'a.{kind}')
  noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
  Image.fromarray(noise).save(path)
  assert check.damage(path, mode) is None
  harm(path)
  assert check.damage(path, mode).name == path


@pytest.mark.parametrize('kind', ['jpg', 'png'])
def test_only_a_full_check_finds_damage_in_the_middle(kind, tmp_path):
  path = str(tmp_path / f'a.{kind}')
  noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
  Image.fromarray(noise).save(path)
  torn_in_the_middle(path)
  assert check.damage(path, 'headers') is None
  assert check.damage(path, 'full').name == path


def test_a_missing_file_and_a_picture_of_absurd_size_are_found(tmp_path, jpeg):
  path = str(tmp_path / 'a.jpg')
  assert 'No such file' in check.damage(path, 'headers').reason
  data = jpeg()
  size = data.index(b'\xff\xc0') + 5
  with open(path, 'wb') as file:
    file.write(data[:size] + b'\xff\xdc\xff\xdc' + data[size + 4:])
  assert 'more than 178,956,970' in check.damage(path, 'headers').reason


def test_jpegs_with_something_behind_them_are_intact(tmp_path, jpeg):
  path = tmp_path / 'a.jpg'
  for more in (bytes(500), b'a film of one second' * 1000):
    path.write_bytes(jpeg() + more)
    assert check.damage(str(path), 'headers') is None


@pytest.fixture
def photos(tree):
  return tree(*(f'train/{c}/{i}.jpg' for c in 'ab' for i in range(6)),
              *(f'val/{c}/{i}.jpg' for c in 'ab' for i in range(2)))


def intact(photos, mode='headers', limit=0, **more):
  return check.without_damaged(
      open_source('folder', 'train', path=photos, image_size=32, limit=limit),
      mode, **more)


def test_damaged_pictures_are_left_out_and_named_in_one_note(photos):
  whole, none = intact(photos)
  assert len(whole) == 12 and not none
  bad = [f'{photos}/train/{name}.jpg' for name in ('a/2', 'a/5', 'b/0', 'b/1')]
  for path in bad:
    half(path)
  source, damaged = intact(photos, list_path='run/skipped.txt')
  assert [error.name for error in damaged] == bad
  note = source.notes[-1]
  assert note.startswith('Left out, as they are damaged: 4 pictures listed in'
                         f' run/skipped.txt, {bad[0]} (image file is truncated')
  assert bad[2] in note and bad[3] not in note
  assert note.endswith(' and 1 more.')
  kept = [(source.where(i), int(source[i]['label']))
          for i in range(len(source))]
  assert kept == [(whole.where(i), int(whole[i]['label']))
                  for i in range(12) if whole.where(i) not in bad]
  for path in bad:
    os.remove(path)
  removed, _ = intact(photos)
  assert [removed.where(i) for i in range(8)] == [name for name, _ in kept]


def test_a_limit_selects_among_intact_pictures(photos):
  half(f'{photos}/train/a/0.jpg')
  limited, _ = intact(photos, limit=5)
  os.remove(f'{photos}/train/a/0.jpg')
  again, _ = intact(photos, limit=5)
  assert len(limited) == len(again) == 5
  assert [limited.where(i) for i in range(5)] == [
      again.where(i) for i in range(5)]


def test_known_pictures_are_left_out_unread(photos):
  path = f'{photos}/train/a/0.jpg'
  source, damaged = intact(photos, known=[path])
  assert len(source) == 11 and not damaged
  assert source.notes[-1] == 'Left out as before: 1 picture.'


def test_nothing_is_checked_on_request(photos):
  half(f'{photos}/train/a/0.jpg')
  source, damaged = intact(photos, 'none')
  assert len(source) == 12 and not damaged


def test_pictures_that_are_all_damaged_are_refused(photos):
  for name in 'ab':
    for i in range(6):
      half(f'{photos}/train/{name}/{i}.jpg')
  with pytest.raises(InputError, match=r'none of 12 pictures can be read: .*a/0'
                                       r'\.jpg cannot be read'):
    intact(photos)


def test_records_are_compared_with_their_checksums(photos, tmp_path):
  folder = tmp_path / 'records'
  prepare({split: open_source('folder', split, path=photos, image_size=32)
           for split in ('train', 'validation')}, str(folder), image_size=32,
          progress=False)
  source = open_source('records', 'train', path=str(folder), image_size=32)
  assert check.without_damaged(source, 'full') == (source, [])
  torn_in_the_middle(folder / 'statistics.npz')
  assert check.without_damaged(source, 'headers') == (source, [])
  with pytest.raises(InputError, match='statistics.npz is damaged'):
    check.without_damaged(source, 'full')
