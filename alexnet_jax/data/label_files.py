"""Lists of labels, for pictures that are not in one folder per class.

A list has a line for each picture, with the name of its file and its class:
the `val_annotations.txt` of Tiny ImageNet, ImageNet's `LOC_val_solution.csv`, a
table with a header such as `filename,label`, or plain lines "FILE CLASS". Boxes
after the class are not read. A file is named by its path or the end of it, with
or without its ending.
"""

import csv
import io
import os
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from alexnet_jax.data import walk
from alexnet_jax.data.decoding import EXTENSIONS
from alexnet_jax.errors import InputError, printable

# Names of columns without what is not a letter, the clearest first.
FILE_COLUMNS = ('file', 'filename', 'filepath', 'image', 'imagename', 'imageid',
                'imagepath', 'img', 'path', 'picture', 'photo', 'id', 'name')
CLASS_COLUMNS = ('label', 'labels', 'class', 'classname', 'labelname',
                 'category', 'target', 'synset', 'wnid', 'predictionstring',
                 'breed', 'species', 'variety', 'type')
# "n03995372 85 1 499 272": a class and one box or several.
_BOXES = re.compile(r'(\S+)(?:\s+-?\d+(?:\.\d+)?){4}(?:\s.*)?')
_FILE_AND_CLASS = re.compile(
    rf'(.+?(?:{"|".join(map(re.escape, EXTENSIONS))}))\s+(.+)', re.IGNORECASE)


class Entry(NamedTuple):
  """The label of one picture."""

  line: int
  file: str
  class_name: str  # in composed form


def find(folder: str, split: str, look_beside: bool) -> str:
  """Returns the list of labels in a folder or beside it, or '' if none.

  Args:
    folder: the folder of a split.
    split: a regular expression for the words that mean this split.
    look_beside: whether to look beside the folder too.

  Raises:
    InputError: several files may be the list.
  """
  name = re.compile(
      rf'(?:loc_)?(?:ilsvrc2012_)?(?P<split>{split})?_?(?:annotations?|labels?'
      r'|solution|ground_truth|list)?\.(?:txt|csv)', re.IGNORECASE)
  beside = os.path.dirname(os.path.abspath(folder))
  for place in (folder, beside) if look_beside else (folder,):
    names = sorted(os.listdir(place)) if os.access(place, os.R_OK) else []
    matches = [match for match in map(name.fullmatch, names)
               if match and (place == folder or match['split']
                             or match[0].lower().startswith('labels'))]
    if len(matches) > 1:
      raise InputError(
          f'{printable(place)!r} has several lists of labels,'
          f' {", ".join(match[0] for match in matches)}; choose one with'
          ' --config.data.labels.')
    if matches:
      return os.path.join(place, matches[0][0])
  return ''


def read(path: str) -> list[Entry]:
  """Reads a list of labels.

  Raises:
    InputError: the file cannot be read, or a line has no file and class.
  """
  text = _text(path)
  if not text.strip():
    raise _wrong(path, 'is empty')
  if all(line.strip().isdigit() for line in text.split('\n') if line.strip()):
    raise _wrong(path, 'has class numbers only, which do not say what they'
                 ' mean')
  rows = _rows(path, text)
  header = _header(rows[0][1])
  file_column, class_column = header or _columns(rows[0][1])
  entries = []
  for line, cells in rows[1:] if header else rows:
    if len(cells) <= max(file_column, class_column):
      raise _wrong(f'{path}, line {line},', 'has no file and class')
    file, label = cells[file_column].strip(), cells[class_column].strip()
    boxes = _BOXES.fullmatch(label)
    label = walk.nfc(boxes[1] if boxes else label)
    if not file or not label:
      raise _wrong(f'{path}, line {line},', 'has no file and class')
    entries.append(Entry(line, file, label))
  if not entries:
    raise _wrong(path, 'has a header only')
  return entries


def find_pictures(
    entries: Iterable[Entry], path: str, folder: str, pictures: Sequence[str]
) -> tuple[dict[str, str], list[Entry]]:
  """Finds the pictures that the entries of a list name.

  Args:
    entries: the entries of the list.
    path: the list, for messages.
    folder: the folder that the pictures are in, at any depth.
    pictures: their paths.

  Returns:
    {path of a picture: its class}, and the entries of other pictures.

  Raises:
    InputError: two entries are for one picture, or one for several.
  """
  by_name = _names_of(folder, pictures)
  lines: dict[str, int] = {}
  labels, others = {}, []
  for entry in entries:
    file = walk.nfc(entry.file.replace('\\', '/'))
    matches = next((by_name[end] for end in _ends(file) if end in by_name), ())
    if len(matches) > 1:
      raise InputError(
          f'{printable(path)}, line {entry.line}, names'
          f' {printable(entry.file)!r}, as {len(matches)} pictures in'
          f' {printable(folder)!r} are called; write their paths there.')
    if not matches:
      others.append(entry)
    elif matches[0] in labels:
      raise InputError(
          f'{printable(path)} names {printable(entry.file)!r} twice, in lines'
          f' {lines[matches[0]]} and {entry.line}; keep one of them.')
    else:
      labels[matches[0]], lines[matches[0]] = entry.class_name, entry.line
  return labels, others


def _names_of(folder, pictures):
  """Returns {a name of pictures: their paths}: full or last, ending or not."""
  by_name: dict[str, list[str]] = {}
  for picture in pictures:
    full = walk.nfc(os.path.relpath(picture, folder).replace(os.sep, '/'))
    last = full.rpartition('/')[2]
    for name in {full, last, os.path.splitext(full)[0],
                 os.path.splitext(last)[0]}:
      by_name.setdefault(name, []).append(picture)
  # A whole path is exact, even if it is the last part of another one.
  for picture in pictures:
    full = walk.nfc(os.path.relpath(picture, folder).replace(os.sep, '/'))
    by_name[full] = [picture]
  return by_name


def _ends(file):
  """Yields a path, then without its first folder, and so on."""
  parts = [part for part in file.split('/') if part not in ('', '.')]
  for first in range(len(parts)):
    yield '/'.join(parts[first:])


def _text(path):
  if os.path.exists(path) and not os.path.isfile(path):
    raise _wrong(path, 'is no file')
  try:
    with open(path, encoding='utf-8-sig') as file:
      text = file.read()
  except OSError as error:
    raise _wrong(path, f'cannot be read ({error.strerror})') from error
  except UnicodeDecodeError as error:
    raise _wrong(path, 'is no UTF-8 text') from error
  if '\0' in text:
    raise _wrong(path, 'is no UTF-8 text')
  return text


def _rows(path, text):
  """Returns (number, cells) of each line that is not empty."""
  first = text.lstrip().split('\n')[0]
  delimiter = next((mark for mark in '\t,;' if mark in first), '')
  if not delimiter:
    return [(number, _file_and_class(line))
            for number, line in enumerate(text.split('\n'), 1) if line.strip()]
  reader = csv.reader(io.StringIO(text), delimiter=delimiter)
  try:
    return [(reader.line_num, row) for row in reader
            if any(cell.strip() for cell in row)]
  except csv.Error as error:
    raise _wrong(f'{path}, line {reader.line_num},',
                 f'is no row of a table ({error})') from error


def _file_and_class(line):
  match = _FILE_AND_CLASS.fullmatch(line.strip())
  return list(match.groups()) if match else line.split(None, 1)


def _header(cells):
  """Returns the columns of file and class if the row is a header."""
  names = [re.sub('[^a-z]', '', cell.lower()) for cell in cells]
  files = sorted((i for i, name in enumerate(names) if name in FILE_COLUMNS),
                 key=lambda i: FILE_COLUMNS.index(names[i]))
  classes = [i for i, name in enumerate(names)
             if name in CLASS_COLUMNS and i not in files[:1]]
  if not files or any(map(_is_file, cells)):
    return None
  others = classes or [i for i in range(len(cells)) if i != files[0]]
  return (files[0], others[0]) if classes or len(cells) == 2 else None


def _columns(cells):
  """Returns the columns of file and class of a table without a header."""
  file = next((i for i, cell in enumerate(cells) if _is_file(cell)), 0)
  return (file, file + 1) if file + 1 < len(cells) or not file else (file, 0)


def _is_file(cell):
  return cell.strip().lower().endswith(EXTENSIONS)


def _wrong(what, reason):
  return InputError(
      f'the list of labels {printable(what)} {reason}; write UTF-8 lines such'
      ' as "a.jpg,cat", a file and its class.')
