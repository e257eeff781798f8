import filecmp
import hashlib
import json
import os
import pickle
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from alexnet_jax.data import decoding, images, records
from alexnet_jax.data import prepare as preparation
from alexnet_jax.data.prepare import prepare, statistics
from alexnet_jax.data.sources import Subset, open_source
from alexnet_jax.errors import InputError

ROOT = Path(__file__).parents[2]
SIZE = 32

# Prepares a folder of pictures slowly enough to be killed on the way.
SLOWLY = """
import sys, time
from alexnet_jax.data import folders, prepare

class Slow(folders.Folder):
  def __getitem__(self, i):
    time.sleep(0.05)
    return super().__getitem__(i)

photos, folder, store = sys.argv[1:]
prepare.prepare(
    {s: Slow(photos, s, 32, 0.1) for s in ('train', 'validation')}, folder,
    image_size=32, shard_size=4, store=store)
"""


@pytest.fixture
def photos(tree):
  return tree(
      *(f'train/{c}/{i}.jpg' for c in 'ab' for i in range(12)),
      *(f'val/{c}/{i}.jpg' for c in 'ab' for i in range(3)))


def _sources(photos, size=SIZE):
  return {split: open_source('folder', split, path=photos, image_size=size)
          for split in ('train', 'validation')}


def _prepare(photos, folder, **more):
  settings = {'image_size': SIZE, 'shard_size': 4, 'progress': False, **more}
  return prepare(_sources(photos), str(folder), **settings)


def _records(folder, split='train', size=SIZE):
  return open_source('records', split, path=str(folder), image_size=size)


def _assert_same_files(one, other):
  names = sorted(os.listdir(one))
  assert names == sorted(os.listdir(other))
  assert filecmp.cmpfiles(one, other, names, shallow=False)[0] == names


def test_records_hold_every_picture_with_its_label(photos, tmp_path):
  summary = _prepare(photos, tmp_path / 'out')
  assert summary == (str(tmp_path / 'out'), {'train': 24, 'validation': 6}, [])
  for split, source in _sources(photos).items():
    prepared = _records(tmp_path / 'out', split)
    assert prepared.class_names == source.class_names == ('a', 'b')
    stored = sorted((int(prepared[i]['label']),
                     prepared[i]['image'].tobytes())
                    for i in range(len(prepared)))
    given = sorted((int(source[i]['label']), decoding.decode(
        images.encode_jpeg(source[i]['image'], 95)).tobytes())
                   for i in range(len(source)))
    assert stored == given


def test_records_are_in_a_seeded_random_order(photos, tmp_path):
  labels = {}
  for name, seed in (('one', 0), ('two', 0), ('three', 1)):
    _prepare(photos, tmp_path / name, seed=seed)
    source = _records(tmp_path / name)
    labels[name] = [int(source[i]['label']) for i in range(len(source))]
  assert labels['one'] == labels['two'] != labels['three']
  assert labels['one'] != sorted(labels['one'])


def test_the_folder_holds_shards_statistics_and_meta_data(photos, tmp_path):
  _prepare(photos, tmp_path / 'out', shard_size=16)
  assert sorted(os.listdir(tmp_path / 'out')) == [
      'labels.npz', 'meta.json', 'preparation.json', 'statistics.npz',
      'train-00000-of-00002.array_record',
      'train-00001-of-00002.array_record',
      'validation-00000-of-00001.array_record']
  meta = json.loads((tmp_path / 'out' / 'meta.json').read_text())
  files, fingerprint = meta.pop('files'), meta.pop('fingerprint')
  assert len(files) == 5 and len(fingerprint) == 64
  for name, file in files.items():
    content = (tmp_path / 'out' / name).read_bytes()
    assert file == {'bytes': len(content),
                    'sha256': hashlib.sha256(content).hexdigest()}
  assert meta == {
      'class_names': ['a', 'b'], 'counts': {'train': 24, 'validation': 6},
      'shards': {'train': 2, 'validation': 1}, 'image_size': SIZE,
      'store': 'jpeg', 'quality': 95, 'seed': 0, 'skipped': []}


def test_raw_records_hold_the_squares_themselves(photos, tmp_path):
  _prepare(photos, tmp_path / 'raw', store='raw')
  _prepare(photos, tmp_path / 'jpeg')
  for split, source in _sources(photos).items():
    raw, jpeg = (_records(tmp_path / store, split) for store in ('raw', 'jpeg'))
    assert (raw.store, jpeg.store) == ('raw', 'jpeg')
    stored = [raw[i] for i in range(len(raw))]
    assert sorted((int(one['label']), one['image'].tobytes())
                  for one in stored) == sorted(
        (int(source[i]['label']), source[i]['image'].tobytes())
        for i in range(len(source)))
    assert [one['label'] for one in stored] == [  # in the same order
        jpeg[i]['label'] for i in range(len(jpeg))]
    assert raw.labels().tolist() == jpeg.labels().tolist()
  meta = records.read_meta(str(tmp_path / 'raw'))
  assert meta['store'] == 'raw' and 'quality' not in meta


def test_raw_records_are_not_compressed(photos, tmp_path):
  _prepare(photos, tmp_path / 'out', store='raw', shard_size=24)
  content = (tmp_path / 'out/train-00000-of-00001.array_record').read_bytes()
  assert len(content) > 24 * records.size_of_raw(SIZE) == 24 * (4 + 3 * SIZE**2)
  source = _sources(photos)['train']
  assert all(source[i]['image'].tobytes()[:64] in content for i in range(24))


def test_statistics_of_raw_records_are_of_their_pixels(photos, tmp_path):
  _prepare(photos, tmp_path / 'out', store='raw')
  source = _records(tmp_path / 'out')
  computed = statistics(Subset(_sources(photos)['train'], 24))
  assert np.array_equal(statistics(source).mean, computed.mean)
  assert _records(tmp_path / 'out', size=16)[0]['image'].shape == (16, 16, 3)


def test_a_run_on_raw_records_may_use_worker_processes(photos, tmp_path):
  _prepare(photos, tmp_path / 'out', store='raw')
  source = _records(tmp_path / 'out')
  copy = pickle.loads(pickle.dumps(source))
  assert np.array_equal(copy[3]['image'], source[3]['image'])


def test_records_that_do_not_say_how_they_are_stored_are_jpegs(
    photos, tmp_path):
  out = tmp_path / 'out'
  first = _prepare(photos, out)
  before = _records(out)[5]['image']
  for name in ('meta.json', 'preparation.json'):
    fields = json.loads((out / name).read_text())
    del fields['store']
    (out / name).write_text(json.dumps(fields))
  assert np.array_equal(_records(out)[5]['image'], before)
  assert _prepare(photos, out) == first
  with pytest.raises(InputError, match=r'different store \(jpeg, not raw\)'):
    _prepare(photos, out, store='raw')
  (out / 'meta.json').unlink()  # as if it were unfinished
  assert _prepare(photos, out) == first


def test_a_disk_that_is_too_small_for_raw_records_is_said_first(
    photos, tmp_path, monkeypatch):
  out = tmp_path / 'out'
  space = shutil.disk_usage(tmp_path)
  monkeypatch.setattr(shutil, 'disk_usage',
                      lambda path: space._replace(free=92_000))
  with pytest.raises(InputError) as error:
    _prepare(photos, out, store='raw')
  assert str(error.value) == (
      'config.data.store=raw needs 0.1 MB for 30 pictures of 32 pixels, and the'
      f" disk of '{out}' has 0.1 MB left; make room, give another --workdir, or"
      ' store JPEGs with --config.data.store=jpeg.')
  assert not list(out.glob('*.json'))
  assert _prepare(photos, out).counts['train'] == 24


def test_only_what_is_missing_needs_room(photos, tmp_path, monkeypatch):
  out = tmp_path / 'out'
  monkeypatch.setattr(preparation, '_finish', _stop)
  with pytest.raises(KeyboardInterrupt):
    _prepare(photos, out, store='raw')
  assert len(list(out.glob('*.array_record'))) == 8
  next(out.glob('train-*.array_record')).unlink()
  monkeypatch.undo()
  space = shutil.disk_usage(tmp_path)
  monkeypatch.setattr(shutil, 'disk_usage',
                      lambda path: space._replace(free=10_000))
  with pytest.raises(InputError, match='MB for 4 pictures of 32 pixels'):
    _prepare(photos, out, store='raw')
  monkeypatch.undo()
  assert _prepare(photos, out, store='raw').counts['train'] == 24


def _stop(*arguments):
  raise KeyboardInterrupt


def test_a_raw_record_of_another_size_is_damaged(photos, tmp_path):
  out = tmp_path / 'out'
  _prepare(photos, out, store='raw')
  meta = json.loads((out / 'meta.json').read_text())
  (out / 'meta.json').write_text(json.dumps(meta | {'image_size': 31}))
  with pytest.raises(InputError, match='record 2 of .* cannot be read'):
    _records(out, size=31)[2]
  (out / 'meta.json').write_text(json.dumps(meta | {'store': 'png'}))
  with pytest.raises(InputError, match='store is none of jpeg, raw'):
    _records(out)


def test_a_record_is_a_little_endian_label_and_a_jpeg():
  record = records.pack(258, b'jpeg')
  assert record == b'\x02\x01\x00\x00jpeg'
  assert records.unpack(record) == (258, b'jpeg')


def test_records_know_the_statistics_of_all_their_images(photos, tmp_path):
  _prepare(photos, tmp_path / 'out')
  source = _records(tmp_path / 'out')
  stored = statistics(source, limit=2)
  computed = statistics(Subset(source, len(source)))
  assert np.array_equal(stored.mean, computed.mean)
  assert np.array_equal(stored.covariance, computed.covariance)
  assert stored.mean.shape == (SIZE, SIZE, 3)


def test_records_opened_at_another_size_have_other_statistics(
    photos, tmp_path):
  _prepare(photos, tmp_path / 'out')
  source = _records(tmp_path / 'out', size=16)
  assert source[0]['image'].shape == (16, 16, 3)
  assert statistics(source).mean.shape == (16, 16, 3)


def test_unreadable_pictures_are_skipped_and_listed(photos, tmp_path):
  broken = os.path.join(photos, 'train/a/3.jpg')
  with open(broken, 'r+b') as file:
    file.truncate(300)
  summary = _prepare(photos, tmp_path / 'out')
  assert summary.counts == {'train': 23, 'validation': 6}
  (skipped,) = summary.skipped
  assert skipped['where'] == broken
  assert skipped['reason'].startswith(f'{broken} cannot be read as a picture')
  meta = json.loads((tmp_path / 'out' / 'meta.json').read_text())
  assert meta['skipped'] == [skipped]
  source = _records(tmp_path / 'out')
  assert len(source) == len([source[i] for i in range(len(source))]) == 23


def test_a_shard_of_unreadable_pictures_only_is_empty(photos, tmp_path):
  for i in range(2):
    Path(photos, f'val/a/{i}.jpg').write_bytes(b'')
  summary = _prepare(photos, tmp_path / 'out', shard_size=1)
  assert summary.counts == {'train': 24, 'validation': 4}
  source = _records(tmp_path / 'out', 'validation')
  assert sorted(int(source[i]['label']) for i in range(4)) == [0, 1, 1, 1]


def test_a_split_of_no_examples_stays_one(tree, tmp_path):
  _prepare(tree('a/1.jpg', 'b/1.jpg'), tmp_path / 'out')
  assert len(_records(tmp_path / 'out')) == 2
  assert len(_records(tmp_path / 'out', 'validation')) == 0


def test_a_records_source_pickles(photos, tmp_path):
  _prepare(photos, tmp_path / 'out')
  source = _records(tmp_path / 'out')
  source[3]
  copy = pickle.loads(pickle.dumps(source))
  assert np.array_equal(copy[3]['image'], source[3]['image'])


def test_a_finished_folder_says_so_and_is_left_alone(
    photos, tmp_path, capsys):
  out = tmp_path / 'out'
  first = _prepare(photos, out)
  before = {path: path.stat().st_mtime_ns for path in out.iterdir()}
  assert _prepare(photos, out, progress=True) == first
  assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == before
  assert capsys.readouterr().err == (
      f'{out} is already prepared; nothing to do.\n')


@pytest.mark.parametrize('store', records.STORES)
def test_a_killed_preparation_goes_on_to_the_same_bytes(
    photos, tmp_path, store):
  Path(photos, 'train/a/3.jpg').write_bytes(b'broken')
  killed, whole = tmp_path / 'killed', tmp_path / 'whole'
  command = [sys.executable, '-c', SLOWLY, photos, str(killed), store]
  child = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
  while child.poll() is None and not _midway(killed):
    time.sleep(0.002)
  child.send_signal(signal.SIGKILL)
  assert child.wait() == -signal.SIGKILL
  shards = list(killed.glob('*.array_record'))
  assert 2 <= len(shards) < 8 and not (killed / 'meta.json').exists()
  times = {shard: shard.stat().st_mtime_ns for shard in shards}

  with pytest.raises(InputError) as error:
    _records(killed)
  assert str(error.value) == (
      f"the preparation of records in '{killed}' is unfinished; run the same "
      'prepare command again and it goes on where it stopped.')

  counts = _prepare(photos, killed, store=store).counts
  assert counts == {'train': 23, 'validation': 6}
  assert {shard: shard.stat().st_mtime_ns for shard in shards} == times
  _prepare(photos, whole, threads=1, store=store)
  _assert_same_files(whole, killed)


def _midway(folder):
  """Two shards are there and a third is being written."""
  return (len(list(folder.glob('*.array_record'))) >= 2
          and list(folder.glob('*.array_record.part')))


@pytest.mark.parametrize('change, field, values', [
    ({'quality': 80}, 'quality', '95, not 80'),
    ({'store': 'raw'}, 'store', 'jpeg, not raw'),
    ({'image_size': 16}, 'image_size', '32, not 16'),
    ({'seed': 1}, 'seed', '0, not 1'),
    ({'shard_size': 5}, 'shard_size', '4, not 5')])
def test_other_settings_in_the_same_folder_are_refused(
    photos, tmp_path, change, field, values):
  out = tmp_path / 'out'
  _prepare(photos, out)
  with pytest.raises(InputError) as error:
    _prepare(photos, out, **change)
  assert str(error.value) == (
      f"'{out}' holds records prepared with a different {field} ({values}); "
      'choose another --workdir or remove the folder.')


def test_another_source_in_the_same_folder_is_refused(
    photos, tree, tmp_path):
  out = tmp_path / 'out'
  _prepare(photos, out)
  tree('train/a/new.jpg')
  with pytest.raises(InputError) as error:
    _prepare(photos, out)
  assert str(error.value) == (
      f"'{out}' holds records prepared with a different source (another data "
      'set, not this one); choose another --workdir or remove the folder.')


def test_when_no_training_picture_can_be_read_the_first_is_named(
    photos, tmp_path):
  for path in Path(photos, 'train').rglob('*.jpg'):
    path.write_bytes(b'')
  with pytest.raises(InputError) as error:
    _prepare(photos, tmp_path / 'out')
  (first,) = re.findall('first being (.*); mend', str(error.value))
  assert os.path.dirname(os.path.dirname(first)) == f'{photos}/train'
  assert str(error.value) == (
      f'none of the 24 training images could be read, the first being {first};'
      f" mend them, remove '{tmp_path}/out' and prepare again.")


def test_missing_records_are_answered_with_the_command(tmp_path):
  with pytest.raises(InputError) as error:
    _records(tmp_path)
  assert str(error.value) == (
      f"there are no prepared records in '{tmp_path}'; make them with: "
      'python launch.py --config=CONFIG --task=prepare '
      '--config.data.name=folder --config.data.path=PHOTOS '
      f'--workdir={tmp_path}')


def test_a_split_that_was_not_prepared_is_named(photos, tmp_path):
  prepare({'train': _sources(photos)['train']}, str(tmp_path / 'out'),
          image_size=SIZE, progress=False)
  with pytest.raises(InputError) as error:
    _records(tmp_path / 'out', 'validation')
  assert str(error.value) == (
      f"the records in '{tmp_path}/out' have no split 'validation', only "
      'train; prepare it into another folder.')


def test_records_of_warped_pictures_are_told_from_others(photos, tmp_path):
  sources = {split: open_source('folder', split, path=photos, image_size=SIZE,
                                resize='warp')
             for split in ('train', 'validation')}
  prepare(sources, str(tmp_path / 'out'), image_size=SIZE, threads=1,
          resize='warp', progress=False)
  meta = json.loads((tmp_path / 'out' / 'meta.json').read_text())
  assert meta['resize'] == 'warp'
  open_records = lambda resize: open_source(
      'records', 'train', path=str(tmp_path / 'out'), image_size=SIZE,
      resize=resize)
  assert len(open_records('warp')) == 24
  with pytest.raises(InputError, match="config.data.resize='warp', not 'crop'"):
    open_records('crop')
  with pytest.raises(InputError, match='different resize'):
    _prepare(photos, tmp_path / 'out')
