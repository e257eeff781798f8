"""Readable class names: 'goldfish' for n01443537.

ImageNet's classes are named by their WordNet identifiers. The words.txt of
ImageNet, that of Tiny ImageNet and the synset_words.txt of other programs have
one line per class. The map_clsloc.txt of ImageNet has a number before the word.
"""

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from alexnet_jax.data.walk import nfc
from alexnet_jax.errors import InputError, printable


def readable(class_names: Sequence[str], path: str = '') -> tuple[str, ...]:
  """Returns the names to print and draw, in the order of the classes.

  Args:
    class_names: the class names of the network.
    path: a file of lines "CLASS word, further words", or several such files
      separated by commas. The readable name is the text before the first comma.
      A class name that contains spaces ends at a tab. A class without a line
      keeps its name, and lines of other classes are ignored; '' keeps every
      name.

  Raises:
    InputError: a file does not exist or is not text, or the files have none of
      the classes.
  """
  if not path:
    return tuple(class_names)
  words = {}
  for one in path.split(','):
    words.update(_read(one))
  if not words.keys() & set(class_names):
    first = class_names[0]
    line = f'{first}\tits, words' if ' ' in first else f'{first} its, words'
    raise InputError(
        f'--words={path} has no line for any of the {len(class_names)} classes:'
        f' give a file of lines such as {line!r}.')
  return tuple(words.get(name, name) for name in class_names)


def listed(path: str) -> tuple[str, ...]:
  """Returns the classes of such a file in the order of a network's outputs.

  ImageNet's classes are in the order of their identifiers, whatever the order
  of the lines; others are in that of the lines. A line may have no words.

  Raises:
    InputError: the file does not exist or is not text, or lists no classes.
  """
  names = tuple(dict.fromkeys(
      parts[0].strip() for parts in _parts(path) if parts))
  if not names:
    raise InputError(f'--words={path} lists no classes: give a file of lines'
                     ' such as \'n01440764 tench\'.')
  are_synsets = all(re.fullmatch(r'n\d{8}', name) for name in names)
  return tuple(sorted(names)) if are_synsets else names


def classes_of_folders(class_names: Sequence[str],
                       names: Sequence[str]) -> dict[str, int]:
  """Returns {name of a folder in composed form: class of the images in it}.

  The name of a folder may be the network's class name or the readable name,
  unless two classes share the readable name, as ImageNet's two cranes do.
  """
  times = Counter(names)
  by_word = {name: i for i, name in enumerate(names) if times[name] == 1}
  by_name = by_word | {name: i for i, name in enumerate(class_names)}
  return {nfc(name): i for name, i in by_name.items()}


def class_of_picture(path: str, numbers: Mapping[str, int],
                     given: Sequence[str] = ()) -> int | None:
  """Returns the class that the nearest folder around a picture names, or None.

  Args:
    path: the picture.
    numbers: the classes by the name of a folder, from `classes_of_folders`.
    given: folders that were given with all pictures in them; the folders around
      them do not count. For other pictures, only the innermost folder counts.
  """
  roots = {os.path.abspath(folder) for folder in given}
  folder = os.path.dirname(os.path.abspath(path))
  around = [folder]
  while folder not in roots and os.path.dirname(folder) != folder:
    folder = os.path.dirname(folder)
    around.append(folder)
  if folder not in roots:
    around = around[:1]
  names = (nfc(os.path.basename(folder)) for folder in around)
  return next((numbers[name] for name in names if name in numbers), None)


def shortened(text: str, most: int) -> str:
  """Returns at most `most` printable characters, with an ellipsis."""
  text = printable(text)
  return text if len(text) <= most else text[:most - 1].rstrip() + '…'


def _read(path: str) -> dict[str, str]:
  words = {part[0].strip(): _first_word(part[1])
           for part in _parts(path) if len(part) == 2}
  return {name: word for name, word in words.items() if word}


def _parts(path: str) -> list[list[str]]:
  """Splits each line into the class and its words."""
  try:
    # Other programs' files may begin with a byte order mark.
    with open(os.path.expanduser(path), encoding='utf-8-sig') as file:
      lines = [line.strip() for line in file]
  except OSError as error:
    raise InputError(f'--words: {path!r} cannot be read ({error.strerror}):'
                     ' give a file of lines "CLASS its, words".') from error
  except UnicodeDecodeError as error:
    raise InputError(f'--words: {path!r} is no UTF-8 text: give a file of lines'
                     ' "CLASS its, words".') from error
  return [line.split('\t' if '\t' in line else None, 1) for line in lines]


def _first_word(text):
  match = re.fullmatch(r'\d+ (\S+)', text.strip())  # 1 kit_fox
  return match[1].replace('_', ' ') if match else text.split(',')[0].strip()
