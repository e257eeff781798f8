"""What a walk finds in folders as people, systems and archives leave them."""

import os
import socket
import threading
import unicodedata
from collections import Counter

import pytest

from alexnet_jax.data import walk


@pytest.fixture
def listed(tree, tmp_path):
  """A function that lists the folder and returns paths relative to it."""

  def list_photos():
    folder = str(tmp_path / 'photos')
    listing = walk.list_pictures(folder)
    return [os.path.relpath(path, folder) for path in listing.pictures], listing

  return list_photos


def within_seconds(f, seconds=20):
  """The result of f, which must not wait for anything."""
  results = []
  thread = threading.Thread(target=lambda: results.append(f()), daemon=True)
  thread.start()
  thread.join(seconds)
  assert results, 'it waits'
  return results[0]


def test_pictures_at_any_depth_are_sorted_by_path(tree, listed):
  tree('b/2.jpg', 'a/deep/er/1.PNG', 'a/3.Jpeg', '0.webp')
  assert listed()[0] == ['0.webp', 'a/3.Jpeg', 'a/deep/er/1.PNG', 'b/2.jpg']


@pytest.mark.parametrize('name', [
    '.hidden.jpg', '._1.jpg', '.git/1.jpg', '.ipynb_checkpoints/1.jpg',
    '__MACOSX/1.jpg', '@eaDir/1.jpg', '@eadir/SYNO.jpg', '#recycle/1.jpg',
    '$RECYCLE.BIN/1.jpg', 'System Volume Information/1.jpg', 'lost+found/1.jpg',
    'Thumbs.db', 'thumbs.DB', 'desktop.ini', '.DS_Store', 'Icon\r'])
def test_what_systems_leave_is_passed_over_in_silence(name, tree, listed):
  tree('a/1.jpg', f'a/{name}')
  names, listing = listed()
  assert names == ['a/1.jpg']
  assert not listing.passed_over and not listing.reports


def test_a_hidden_folder_is_listed_if_it_is_the_one_given(tree):
  root = tree('.cache/photos/1.jpg')
  assert len(walk.list_pictures(f'{root}/.cache').pictures) == 1


def test_other_files_are_counted_by_their_ending(tree, listed):
  tree('1.jpg', 'a.txt', 'b/b.TXT', 'c.tar.gz', 'README')
  assert listed()[1].passed_over == Counter({'.txt': 2, '.gz': 1, '': 1})


@pytest.mark.parametrize('link, target', [
    ('a/up', '..'), ('a/up', '../..'), ('a/up', '../../..'), ('a/self', '.'),
    ('a/deep/up', '../../..'), ('a/sibling', '../b'), ('up', '..'),
    ('up', '.'), ('alias', 'a'), ('a/deep/loop', '../deep')])
def test_a_link_back_changes_nothing(link, target, tree, listed):
  root = tree('a/1.jpg', 'a/deep/2.jpg', 'b/3.jpg')
  before, _ = listed()
  os.symlink(target, os.path.join(root, link))
  names, listing = listed()
  assert names == before
  (report,) = listing.reports
  assert report.startswith('Passed over (link to a folder that ')
  assert os.path.join(root, link) in report


def test_a_real_folder_wins_over_links_that_are_sorted_before_it(tree):
  root = tree('z/1.jpg')
  os.makedirs(f'{root}/a')
  os.symlink('../z', f'{root}/a/link')
  assert walk.Walk(root).pictures == {'': [], 'a': [], 'z': [f'{root}/z/1.jpg']}


def test_links_to_folders_elsewhere_are_followed_once(tree, tmp_path, listed):
  root = tree('a/1.jpg')
  outside = tmp_path / 'outside'
  (outside / 'x').mkdir(parents=True)
  (outside / 'x/2.jpg').write_bytes(b'')
  (outside / 'x/back').symlink_to(outside)
  os.makedirs(f'{root}/b')
  (tmp_path / 'photos/a/out').symlink_to(outside)
  (tmp_path / 'photos/b/again').symlink_to(outside / 'x')
  names, listing = listed()
  assert names == ['a/1.jpg', 'a/out/x/2.jpg']
  assert listing.reports == (
      'Passed over (link to a folder that is listed already):'
      f' {root}/a/out/x/back, {root}/b/again.',)


def test_links_between_splits_are_not_followed(tree):
  root = tree('train/a/1.jpg', 'val/a/2.jpg')
  os.symlink('../../train', f'{root}/val/a/link')
  assert walk.Walk(f'{root}/val', [f'{root}/train']).pictures == {
      '': [], 'a': [f'{root}/val/a/2.jpg']}


def test_links_to_files_are_followed_and_dangling_ones_reported(tree, listed):
  root = tree('a/1.jpg')
  for name, target in (('2.jpg', '1.jpg'), ('3.jpg', 'none.jpg'),
                       ('4.jpg', '4.jpg'), ('5.txt', 'none')):
    os.symlink(target, f'{root}/a/{name}')
  names, listing = listed()
  assert names == ['a/1.jpg', 'a/2.jpg']
  assert listing.reports == (
      f'Passed over (link to no file): {root}/a/3.jpg, {root}/a/4.jpg,'
      f' {root}/a/5.txt.',)


def test_pipes_sockets_and_devices_are_never_opened(tree, listed, monkeypatch):
  root = tree('a/1.jpg')
  os.mkfifo(f'{root}/a/pipe.jpg')
  os.symlink('pipe.jpg', f'{root}/a/link.jpg')
  os.symlink('/dev/zero', f'{root}/a/zero.png')
  monkeypatch.chdir(root)
  with socket.socket(socket.AF_UNIX) as server:
    server.bind('a/socket.jpg')  # a whole path may be too long for a socket
    names, listing = within_seconds(listed)
  assert names == ['a/1.jpg']
  assert set(listing.reports) == {
      f'Passed over (named pipe): {root}/a/link.jpg, {root}/a/pipe.jpg.',
      f'Passed over (device): {root}/a/zero.png.',
      f'Passed over (socket): {root}/a/socket.jpg.'}


def test_many_problems_are_one_sentence(tree, listed):
  root = tree('a/1.jpg')
  for i in range(1500):
    os.symlink('none', f'{root}/a/{i:04}.jpg')
  (report,) = listed()[1].reports
  assert report == (f'Passed over (link to no file): {root}/a/0000.jpg,'
                    f' {root}/a/0001.jpg, {root}/a/0002.jpg and 1,497 more.')


def test_names_of_bytes_keep_their_bytes(tree, tmp_path):
  folder = os.fsencode(tree('a/1.jpg'))
  os.rename(folder + b'/a/1.jpg', folder + b'/a/caf\xe9.jpg')
  os.rename(folder + b'/a', folder + b'/\xff')
  os.symlink(b'none\xfe', folder + b'/\xff/\xfd.jpg')
  listing = walk.list_pictures(os.fsdecode(folder))
  assert [os.fsencode(path) for path in listing.pictures] == [
      folder + b'/\xff/caf\xe9.jpg']
  (report,) = listing.reports
  assert report.endswith(r'/\xff/\xfd.jpg.') and report.encode()


def test_a_link_to_itself_is_no_folder(tree, listed):
  root = tree('a/1.jpg')
  os.symlink('loop', f'{root}/loop')
  os.symlink('none', f'{root}/none')
  assert walk.subfolders(root) == walk.class_folders(root) == ['a']
  assert listed()[0] == ['a/1.jpg']


def test_of_links_to_one_folder_the_first_is_a_class(tree, tmp_path):
  root = tree('a/1.jpg')
  (tmp_path / 'outside').mkdir()
  for link, target in (('b', tmp_path / 'outside'), ('c', tmp_path / 'outside'),
                       ('d', 'a'), ('e', '..')):
    os.symlink(target, f'{root}/{link}')
  assert walk.class_folders(root) == ['a', 'b']


@pytest.fixture
def nobody():
  """Permissions hold for this process, also if root runs the tests."""
  if os.geteuid():
    yield
    return
  os.seteuid(65534)
  yield
  os.seteuid(0)


@pytest.fixture
def locked(tree, monkeypatch):
  """The current folder, with a folder a/locked that may not be read."""
  root = tree('a/1.jpg', 'a/locked/2.jpg', 'b/3.jpg')
  os.chmod(root, 0o755)
  monkeypatch.chdir(root)  # the folders around it may be locked
  os.chmod('a/locked', 0)
  yield '.'
  os.chmod(f'{root}/a/locked', 0o755)


def test_a_folder_that_may_not_be_read_is_reported(locked, nobody):
  listing = walk.list_pictures(locked)
  assert listing.pictures == ['./a/1.jpg', './b/3.jpg']
  assert listing.reports == ('Passed over (Permission denied): ./a/locked.',)


@pytest.mark.parametrize('composed', [
    'caf\u00e9', '\u00c5ngstr\u00f6m', '\ud55c'])
def test_accents_may_be_written_apart(composed):
  apart = unicodedata.normalize('NFD', composed)
  assert apart != composed == walk.nfc(apart) == walk.nfc(composed)
