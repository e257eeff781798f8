"""What happens to the files of prepared records, and what is then said."""

import json
import os
import resource
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from alexnet_jax.data import checksums, records, statistics
from alexnet_jax.data.prepare import prepare
from alexnet_jax.data.sources import open_source
from alexnet_jax.errors import InputError

SIZE = 32
SHARD = 'train-00001-of-00003.array_record'


@pytest.fixture(scope='module')
def prepared(tmp_path_factory):
  """Records of 40 training and 16 validation images in shards of 16."""
  folder = tmp_path_factory.mktemp('prepared')
  make(folder)
  return folder


@pytest.fixture
def folder(prepared, tmp_path):
  """A copy that a test may damage."""
  return Path(shutil.copytree(prepared, tmp_path / 'records'))


def read_all(folder):
  """What training does first: opens, loads the statistics and reads."""
  source = open_source('records', 'train', path=str(folder), image_size=SIZE)
  statistics.statistics(source)
  return [source[i] for i in range(len(source))]


def refusal(folder, name):
  """The sentence, which names the file and says to prepare again."""
  with pytest.raises(InputError) as error:
    read_all(folder)
  said = str(error.value)
  assert said.startswith(f'{folder / name} is damaged ('), said
  assert said.endswith(
      f"); remove '{folder}' and prepare the records again."), said
  return said


def change(path, start, content):
  data = path.read_bytes()
  path.write_bytes(data[:start] + content + data[start + len(content):])


@pytest.mark.parametrize('damage, reason', [
    (lambda path: path.unlink(), 'it is missing'),
    (lambda path: path.write_bytes(b''), 'it has 0 bytes in place of'),
    (lambda path: os.truncate(path, 50_000), 'it has 50,000 bytes in place of'),
    (lambda path: path.write_bytes(path.read_bytes() * 2), 'in place of'),
    (lambda path: path.write_bytes(bytes(path.stat().st_size)),
     'it has no list of records'),
    (lambda path: change(path, 2000, b'damaged'), 'cannot be read'),
])
def test_a_damaged_shard_is_named(folder, damage, reason):
  damage(folder / SHARD)
  assert reason in refusal(folder, SHARD)


def test_any_flipped_bit_is_harmless_or_found(folder):
  whole = [example['image'].tobytes() for example in read_all(folder)]
  data = (folder / SHARD).read_bytes()
  draw, found = np.random.default_rng(0), 0
  for _ in range(12):
    place = int(draw.integers(30_000))  # the rest is filled up with zeros
    change(folder / SHARD, place, bytes([data[place] ^ 1 << draw.integers(8)]))
    try:
      images = [example['image'].tobytes() for example in read_all(folder)]
    except InputError as error:
      found += f'{folder / SHARD} is damaged' in str(error)
    else:
      assert images == whole
      found += 1
    (folder / SHARD).write_bytes(data)
  assert found == 12


@pytest.mark.parametrize('content', [
    b'', b'{"class_names": ["a"', b'\xff\xfe\x00', b'[]', b'{}', b'null'])
def test_a_meta_file_that_is_no_json_object_is_named(folder, content):
  (folder / records.META).write_bytes(content)
  refusal(folder, records.META)


@pytest.mark.parametrize('field, value', [
    ('class_names', []), ('class_names', [1, 2]), ('class_names', 'ab'),
    ('counts', {'train': '40', 'validation': 16}), ('counts', [40]),
    ('counts', {'train': 39, 'validation': 16}), ('shards', {'train': 3}),
    ('shards', {'train': -1, 'validation': 1}), ('image_size', 'large'),
    ('image_size', 0), ('files', [1]), ('files', {SHARD: 5}),
    ('fingerprint', 5)])
def test_wrong_values_in_the_meta_file_are_named(folder, field, value):
  meta = json.loads((folder / records.META).read_text())
  (folder / records.META).write_text(json.dumps(meta | {field: value}))
  refusal(folder, records.META)


def save_statistics(**arrays):
  defaults = {'mean': np.zeros((SIZE, SIZE, 3), np.float32),
              'covariance': np.eye(3, dtype=np.float32)} | arrays
  return lambda path: np.savez(path, **defaults)


def labels_of(folder):
  return open_source('records', 'train', path=str(folder),
                     image_size=SIZE).labels()


def test_labels_are_read_from_their_file(folder):
  read = [example['label'] for example in read_all(folder)]
  change(folder / SHARD, 2000, b'damaged')  # pictures are not read
  assert labels_of(folder).tolist() == read


def test_labels_of_older_records_are_read_from_the_pictures(folder):
  stored = labels_of(folder)
  meta = json.loads((folder / records.META).read_text())
  del meta['files'][records.LABELS]
  (folder / records.META).write_text(json.dumps(meta))
  (folder / records.LABELS).unlink()
  assert labels_of(folder).tolist() == stored.tolist()
  records.check_files(str(folder), 'train')
  # The file does not change what a run remembers of its records.
  assert meta['fingerprint'] == checksums.fingerprint(
      meta['class_names'], meta['files'])


def save_labels(labels):
  return lambda path: np.savez(path, train=labels)


@pytest.mark.parametrize('damage, reason', [
    (lambda path: path.write_bytes(b'PK\x03\x04nonsense'), 'cannot be read'),
    (lambda path: np.savez(path, validation=np.zeros(40)), 'cannot be read'),
    (save_labels(np.zeros(39, np.int32)),
     'train is int32 [39] in place of int32 [40]'),
    (save_labels(np.zeros(40)), 'train is float64 [40] in place of int32 [40]'),
    (save_labels(np.full(40, -1, np.int32)), 'it has labels of no class'),
    (save_labels(np.full(40, 1000, np.int32)), 'it has labels of no class'),
])
def test_damaged_labels_are_named(folder, damage, reason):
  path = folder / records.LABELS
  damage(path)
  for sizes_agree, said in (False, ' bytes in place of '), (True, reason):
    if sizes_agree:
      meta = json.loads((folder / records.META).read_text())
      meta['files'][records.LABELS]['bytes'] = path.stat().st_size
      (folder / records.META).write_text(json.dumps(meta))
    with pytest.raises(InputError) as error:
      labels_of(folder)
    assert str(error.value).startswith(f'{path} is damaged (')
    assert said in str(error.value)
  with pytest.raises(InputError, match='labels.npz is damaged .its checksum'):
    records.check_files(str(folder), 'validation')


@pytest.mark.parametrize('damage, reason', [
    (lambda path: path.unlink(), 'it is missing'),
    (lambda path: path.write_bytes(b''), 'cannot be read'),
    (lambda path: path.write_bytes(b'PK\x03\x04nonsense'), 'cannot be read'),
    (lambda path: os.truncate(path, 500), 'cannot be read'),
    (lambda path: change(path, 4000, b'damaged'), 'cannot be read'),
    (save_statistics(mean=np.zeros((8, 8, 3), np.float32)),
     'mean is float32 [8, 8, 3] in place of float32 [32, 32, 3]'),
    (save_statistics(mean=np.zeros((SIZE, SIZE, 3))), 'mean is float64'),
    (save_statistics(mean=np.array(['a'], object)), 'cannot be read'),
    (save_statistics(mean=np.full((SIZE, SIZE, 3), 300, np.float32)),
     'outside 0..255'),
    (save_statistics(covariance=np.full((3, 3), np.nan, np.float32)),
     'covariance has values that are no numbers'),
    (lambda path: np.savez(path, mean=np.zeros(3)), 'cannot be read'),
])
def test_damaged_statistics_are_named(folder, damage, reason):
  damage(folder / records.STATISTICS)
  assert reason in refusal(folder, records.STATISTICS)


def test_a_label_of_no_class_is_found(folder):
  meta = json.loads((folder / records.META).read_text())
  meta['class_names'] = meta['class_names'][:2]
  (folder / records.META).write_text(json.dumps(meta))
  with pytest.raises(InputError, match='is of no class'):
    read_all(folder)


def test_all_files_can_be_compared_with_their_checksums(folder):
  records.check_files(str(folder), 'train')
  first, second = (folder / f'train-0000{k}-of-00003.array_record'
                   for k in (0, 1))
  assert first.stat().st_size == second.stat().st_size
  shutil.copy(second, first)  # sound in itself, but not the file prepared
  records.check_files(str(folder), 'validation')
  with pytest.raises(InputError, match=f'{first} is damaged .its checksum'):
    records.check_files(str(folder), 'train')


def test_the_fingerprint_tells_records_apart(prepared, tmp_path):
  prints = {open_source('records', split, path=str(prepared),
                        image_size=SIZE).fingerprint
            for split in ('train', 'validation')}
  make(tmp_path, seed=1)
  prints.add(records.read_meta(str(tmp_path))['fingerprint'])
  assert len(prints) == 2 and '' not in prints


def test_records_of_older_versions_are_read(folder):
  meta = json.loads((folder / records.META).read_text())
  del meta['files'], meta['fingerprint']
  (folder / records.META).write_text(json.dumps(meta))
  assert len(read_all(folder)) == 40
  assert open_source('records', 'train', path=str(folder),
                     image_size=SIZE).fingerprint == ''
  records.check_files(str(folder), 'train')
  os.truncate(folder / SHARD, 70_000)
  refusal(folder, SHARD)


# --- Preparing ----------------------------------------------------------------


def make(folder, **changes):
  """Prepares the records of `prepared`."""
  settings = {'image_size': SIZE, 'shard_size': 16, 'progress': False}
  prepare({split: open_source('procedural', split, image_size=SIZE, limit=limit)
           for split, limit in (('train', 40), ('validation', 16))},
          str(folder), **settings | changes)


@contextmanager
def files_of_at_most(count):
  """Lets no file of this process grow larger, as a full disk does."""
  before = resource.getrlimit(resource.RLIMIT_FSIZE)
  resource.setrlimit(resource.RLIMIT_FSIZE, (count, before[1]))
  try:
    yield
  finally:
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def contents(folder):
  return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_full_disk_is_one_sentence_and_the_same_command_goes_on(
    prepared, tmp_path):
  with files_of_at_most(60_000), pytest.raises(InputError) as error:
    make(tmp_path)
  assert str(error.value) == (
      f"'{tmp_path}' cannot be written (File too large); make room or give"
      ' another --workdir. The same command goes on where it stopped.')
  assert not list(tmp_path.glob('*.part'))
  make(tmp_path)
  assert contents(tmp_path) == contents(prepared)


def sums_without_labels(path):
  """What a version that stored no labels left beside a shard."""
  np.savez(path, skipped='[]', **statistics.zero(SIZE)._asdict())


@pytest.mark.parametrize('left', [
    lambda path: path.write_bytes(b'PK\x03\x04'), sums_without_labels])
def test_damaged_parts_of_an_interrupted_preparation_are_made_again(
    prepared, tmp_path, left):
  with files_of_at_most(60_000), pytest.raises(InputError):
    make(tmp_path)
  shard = tmp_path / 'train-00000-of-00003.array_record'
  shutil.copy(prepared / shard.name, shard)
  left(tmp_path / f'{shard.name}.npz')
  make(tmp_path)
  assert contents(tmp_path) == contents(prepared)


@pytest.mark.parametrize('content', [b'', b'{"image_size": 32}', b'[1]'])
def test_a_damaged_beginning_is_named(tmp_path, content):
  path = tmp_path / records.PREPARATION
  path.write_bytes(content)
  with pytest.raises(InputError) as error:
    make(tmp_path)
  assert str(error.value).startswith(f'{path} is damaged (')
  assert str(error.value).endswith(
      f"); remove '{tmp_path}' and prepare the records again.")


def test_a_file_in_place_of_the_folder_is_named(tmp_path):
  (tmp_path / 'file').write_bytes(b'')
  with pytest.raises(InputError, match="file/out' cannot be written .Not a d"):
    make(tmp_path / 'file/out')
