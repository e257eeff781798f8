"""What --task=prepare says about pictures and other files."""

import itertools
import os
import subprocess
import sys
from collections import Counter

import archives
import cv2
import numpy as np
import program
import pytest
import tiny

from alexnet_jax.data import imagenet2010, sources
from alexnet_jax.errors import InputError
from alexnet_jax.run import typed_config
from alexnet_jax.tasks import prepare


def run(photos, records, capsys):
  """(standard output, standard error) of a preparation."""
  prepare.prepare(typed_config.read(tiny.config(
      {'data.name': 'folder', 'data.path': photos, 'data.train_examples': 0,
       'data.validation_examples': 0})), str(records))
  return capsys.readouterr()


def test_what_is_passed_over_is_one_table(tmp_path, capsys):
  photos = tiny.write_photos(tmp_path / 'photos')
  for name in ('train/cat/a.txt', 'train/cat/b.TXT', 'val/cat/c.psd',
               'train/dog/README', 'train/dog/.hidden', 'train/dog/d.jxl'):
    (tmp_path / 'photos' / name).write_bytes(b'no picture')
  out, err = run(photos, tmp_path / 'records', capsys)
  *table, last = out.splitlines()
  assert table == [
      'passed over  .txt  .psd  no ending  .jxl',
      'cat             2     1          0     0',
      'dog             0     0          1     1',
      'all             2     1          1     1']
  assert '20 train, 8 validation images, 5 passed over; train' in last
  assert '.jxl, run `pip install pillow-jxl-plugin` (the extra `jxl`).' in err


def test_nothing_skipped_is_said_when_it_is_true(tmp_path, capsys):
  photos = tiny.write_photos(tmp_path / 'photos')
  out, _ = run(photos, tmp_path / 'records', capsys)
  assert '20 train, 8 validation images, 0 skipped; train on them' in out
  (tmp_path / 'photos/train/cat/3.png').write_bytes(b'no picture')
  out, err = run(photos, tmp_path / 'more', capsys)
  assert '19 train, 8 validation images, 1 skipped; train on them' in out
  assert f'skipped {photos}/train/cat/3.png: ' in err


def test_a_set_is_split_without_counting_other_files_twice(tmp_path, capsys):
  photos = tiny.write_photos(tmp_path / 'photos')
  (tmp_path / 'photos/train/cat/a.txt').write_bytes(b'')
  out, _ = run(f'{photos}/train', tmp_path / 'records', capsys)
  assert ', 1 passed over; train on them' in out


def test_large_tables_are_shortened():
  passed_over = {f'class{i:02}': Counter({f'.{j}': i + j + 1
                                          for j in range(10)})
                 for i in range(30)}
  table = prepare.passed_over_table(passed_over)
  assert len(table) == 1 + 20 + 2
  assert table[0].split()[-1] == 'others'
  assert table[-2].startswith('10 more') and table[-1].startswith('all')
  total = sum(sum(counts.values()) for counts in passed_over.values())
  assert sum(int(cell.replace(',', ''))
             for cell in table[-1].split()[1:]) == total


def test_a_config_may_ask_for_raw_records(tmp_path, capsys):
  photos = tiny.write_photos(tmp_path / 'photos')
  prepare.prepare(typed_config.read(tiny.config(
      {'data.name': 'folder', 'data.path': photos, 'data.store': 'raw'})),
      str(tmp_path / 'records'))
  assert '20 train' in capsys.readouterr().out
  reading = typed_config.read(tiny.config(
      {'data.name': 'records', 'data.path': str(tmp_path / 'records')}))
  assert reading.data.store == 'jpeg'  # what they are is read from their files
  assert reading.open_split('train').store == 'raw'


def test_a_test_split_becomes_records_too(tmp_path, capsys):
  for split, count in (('train', 4), ('val', 2), ('test', 3)):
    for name in ('cat', 'dog'):
      (tmp_path / 'photos' / split / name).mkdir(parents=True)
      for i in range(count):
        cv2.imwrite(str(tmp_path / 'photos' / split / name / f'{i}.png'),
                    np.full((40, 40, 3), 20 * i, np.uint8))
  summary = prepare.prepare(typed_config.read(tiny.config({
      'data.name': 'folder', 'data.path': str(tmp_path / 'photos')})),
      str(tmp_path / 'records'))
  assert summary.counts == {'train': 8, 'validation': 4, 'test': 6}
  assert '6 test' in capsys.readouterr().out
  assert len(sources.open_source(
      'records', 'test', path=str(tmp_path / 'records'), image_size=64)) == 6


def test_the_archives_of_2010_become_records_with_a_test_split(tmp_path):
  summary = prepare.prepare(typed_config.read(tiny.config({
      'data.name': 'imagenet2010',
      'data.path': archives.write_ilsvrc2010(tmp_path / 'archives'),
      'data.train_examples': 0, 'data.validation_examples': 0})),
      str(tmp_path / 'records'))
  assert summary.counts == {'train': 6, 'validation': 2, 'test': 3}
  folders = {'records': 'records', 'imagenet2010': 'archives'}
  for split in summary.counts:
    stored, given = (
        sources.open_source(
            name, split, path=str(tmp_path / folder), image_size=64)
        for name, folder in folders.items())
    assert stored.class_names == given.class_names
    assert sorted(sources.labels_of(stored)) == sorted(
        sources.labels_of(given))


def test_archives_of_2010_without_test_images_leave_that_split_out(
    tmp_path, capsys):
  given = archives.write_ilsvrc2010(tmp_path / 'archives')
  for name in (imagenet2010.ARCHIVES['test'], imagenet2010.TEST_LABELS):
    os.remove(os.path.join(given, name))
  summary = prepare.prepare(typed_config.read(tiny.config({
      'data.name': 'imagenet2010', 'data.path': given,
      'data.train_examples': 0, 'data.validation_examples': 0})),
      str(tmp_path / 'records'))
  assert summary.counts == {'train': 6, 'validation': 2}
  assert ('The test images are left out: ILSVRC2010_images_test.tar is not in'
          f' {given}.\n') in capsys.readouterr().err


def test_the_lines_of_the_help_are_filled():
  for paragraph in (prepare.__doc__ or '').split('\n\n'):
    lines = paragraph.strip().splitlines()
    for line, after in itertools.pairwise(lines):
      assert len(line) + 1 + len(after.split()[0]) > 72, line


def test_one_process_prepares_a_folder(tmp_path):
  photos = tiny.write_photos(tmp_path / 'photos')
  records = tmp_path / 'records'
  held = ('import sys, time; from alexnet_jax import files\n'
          'with files.hold(sys.argv[1], "a test"):\n'
          '  print("held", flush=True); time.sleep(60)')
  process = subprocess.Popen(
      [sys.executable, '-c', held, str(records)], cwd=program.ROOT, text=True,
      stdout=subprocess.PIPE)
  assert process.stdout.readline() == 'held\n'
  settings = typed_config.read(tiny.config({
      'data.name': 'folder', 'data.path': photos}))
  try:
    with pytest.raises(InputError, match=f'in use by process {process.pid} on'):
      prepare.prepare(settings, str(records))
  finally:
    process.kill()
    process.communicate()
  prepare.prepare(settings, str(records))  # the lock ended with the process
