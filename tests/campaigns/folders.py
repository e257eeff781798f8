"""Photo folders as people have them, prepared and counted."""

import json
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterator
from typing import NamedTuple

import program
from trial import Trial, clean, fields, write_pictures


class Case(NamedTuple):
  """A folder, and what is right to make of it."""

  name: str
  make: Callable[[str], object]
  counts: dict[str, int] | None  # pictures by split; None: refused
  classes: tuple[str, ...] = ('cat', 'dog')


def trials(folder: str, seed: int) -> Iterator[Trial]:
  """Yields a trial per folder."""
  del seed
  cache = os.path.join(folder, 'compiled')
  cases = list(_cases())
  lines = []
  for i, case in enumerate(cases):
    photos = os.path.join(folder, f'photos_{i}')
    os.makedirs(photos)
    case.make(photos)
    lines.append([*fields(data__name='folder', data__path=photos),
                  '--task=prepare',
                  f'--workdir={os.path.join(folder, f"records_{i}")}'])
  for i, (case, (code, out, err)) in enumerate(
      zip(cases, program.launch_many(lines, cache), strict=True)):
    text = out + err
    if case.counts is None:
      good = code == 2 and clean(text)
    else:
      good = code == 0 and clean(text) and _right(
          case, text, os.path.join(folder, f'records_{i}'))
    yield Trial('folder: refused' if case.counts is None else 'folder: read',
                f'{case.name}: exit {code}', good, text)


def _right(case, text, records):
  found = {split: int(number) for number, split in re.findall(
      r'(\d+) (train|validation|test)\b', text.replace(',', ''))}
  with open(os.path.join(records, 'meta.json'), encoding='utf-8') as file:
    names = tuple(json.load(file)['class_names'])
  return (case.classes == names and sum(found.values()) == sum(
      case.counts.values()) and all(
          found.get(split) == count
          for split, count in case.counts.items()))


def _split_folders(train, val, inner=''):
  def make(root):
    for split, count in ((train, 6), (val, 2)):
      for k, name in enumerate(('cat', 'dog')):
        write_pictures(os.path.join(root, split, inner, name), count, k)
  return make


def _both(root, count=10):
  for k, name in enumerate(('cat', 'dog')):
    write_pictures(os.path.join(root, name), count, k)


def _and(*makes):
  def make(root):
    for one in makes:
      one(root)
  return make


def _put(*parts, content=b'x'):
  def make(root):
    path = os.path.join(root, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, 'wb') as file:
      file.write(content)
  return make


def _copy(source, *parts):
  def make(root):
    path = os.path.join(root, *parts)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(os.path.join(root, *source.split('/')), path)
  return make


def _cases() -> Iterator[Case]:
  sixteen = {'train': 12, 'validation': 4}
  for train, val in (('train', 'val'), ('Training', 'Validation'),
                     ('TRAIN', 'VALID'), ('train_set', 'dev'),
                     ('seg_train', 'seg_test'), ('train', 'testing')):
    yield Case(f'{train} and {val}', _split_folders(train, val), sixteen)
  yield Case('seg_train/seg_train', lambda root: [
      write_pictures(os.path.join(root, f'seg_{split}', f'seg_{split}', name),
                     count, k)
      for split, count in (('train', 6), ('test', 2))
      for k, name in enumerate(('cat', 'dog'))], sixteen)
  yield Case('two training folders', _and(
      _split_folders('train', 'val'), _split_folders('training', 'val')), None)
  yield Case('no pictures', lambda root: None, None)
  yield Case('one class', lambda root: write_pictures(
      os.path.join(root, 'cat'), 4), None)
  yield Case('an empty class', _and(_both, lambda root: os.makedirs(
      os.path.join(root, 'elk'))), None)
  yield Case('a class of val unknown in train', _and(
      _split_folders('train', 'val'), lambda root: write_pictures(
          os.path.join(root, 'val', 'elk'), 2)), None)
  twenty = _total(20)
  yield Case('hidden folders', _and(_both, _put('.git', 'a.png'), _put(
      '__MACOSX', 'cat', '._0.png'), _put('cat', '.hidden.png'), _put(
          'cat', '@eaDir', '0.png'), _put('cat', '.ipynb_checkpoints',
                                          'a.png'),
      _put('Thumbs.db'), _put('cat', 'Thumbs.db')), twenty)
  yield Case('link to the parent', _and(_both, lambda root: os.symlink(
      '..', os.path.join(root, 'cat', 'up'))), twenty)
  yield Case('link to the other class', _and(_both, lambda root: os.symlink(
      '../dog', os.path.join(root, 'cat', 'more'))), twenty)
  yield Case('link to a file outside', _and(_both, lambda root: [
      write_pictures(root + '_outside', 1), os.symlink(
          root + '_outside/0.png', os.path.join(root, 'cat', 'x.png'))]),
             _total(21))
  yield Case('dangling link', _and(_both, lambda root: os.symlink(
      'nowhere.png', os.path.join(root, 'cat', 'x.png'))), twenty)
  yield Case('named pipe', _and(_both, lambda root: os.mkfifo(
      os.path.join(root, 'cat', 'x.png'))), twenty)
  yield Case('a socket\'s kind of name, a folder a.png', _and(
      _both, lambda root: os.makedirs(os.path.join(root, 'cat', 'a.png'))),
             twenty)
  yield Case('a name that is not UTF-8', _and(_both, lambda root: shutil.copy(
      os.path.join(root, 'cat', '0.png'),
      os.fsencode(root) + b'/cat/\xff\xfe.png')), _total(21))
  cafe = unicodedata.normalize('NFC', 'café')
  yield Case('composed in train, decomposed in val', lambda root: [
      write_pictures(os.path.join(root, split, unicodedata.normalize(
          form, name)), count, k)
      for split, form, count in (('train', 'NFC', 6), ('val', 'NFD', 2))
      for k, name in enumerate(('cat', cafe))], sixteen, tuple(sorted((
          'cat', cafe))))
  yield Case('escape codes in a name', lambda root: [
      write_pictures(os.path.join(root, name), 10, k)
      for k, name in enumerate(('\x1b[2Jcat', 'dog'))], twenty,
             ('\x1b[2Jcat', 'dog'))
  for ending in ('jpg', 'jfif', 'bmp', 'gif', 'tif', 'webp', 'ppm', 'jp2',
                 'avif'):
    yield Case(f'.{ending}', lambda root, ending=ending: [
        write_pictures(os.path.join(root, name), 10, k, ending)
        for k, name in enumerate(('cat', 'dog'))], twenty)
  yield Case('one corrupt picture', _and(_both, _put(
      'cat', 'bad.jpg', content=b'\xff\xd8\xff nonsense')), twenty)
  yield Case('an empty picture', _and(_both, _put(
      'cat', 'bad.png', content=b'')), twenty)
  yield Case('half a picture', _and(_both, _half), twenty)
  yield Case('text files beside', _and(_both, _put('cat', 'list.txt'), _put(
      'README.md')), twenty)
  yield Case('pictures deep down', _and(_both, _copy(
      'cat/0.png', 'cat', 'a', 'b', 'c', 'x.png')), _total(21))


def _half(root):
  with open(os.path.join(root, 'cat', '0.png'), 'rb') as file:
    content = file.read()
  _put('cat', 'half.png', content=content[:len(content) // 2])(root)


class _Total(dict):
  """Counts of which only the sum is known, since a hash divides them."""

  def items(self):
    return ()


def _total(count):
  return _Total(all=count)
