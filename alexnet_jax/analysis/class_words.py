"""Class names in words: 'goldfish' for n01443537.

ImageNet's classes are called by their WordNet numbers. Its words.txt, Tiny
ImageNet's and the synset_words.txt of other programs have one line a class.
"""

import os
from collections import Counter
from collections.abc import Sequence

from alexnet_jax.errors import InputError


def readable(class_names: Sequence[str], path: str = '') -> tuple[str, ...]:
  """The names to print and draw, in the order of the classes.

  Args:
    class_names: as the network knows them.
    path: a file of lines "CLASS word, further words", of which a class takes
      what stands before the first comma; several files with commas between
      them. A class name that has spaces in it ends at a tab. A class without a
      line keeps its name, lines of other classes are passed over; '' keeps
      every name.

  Raises:
    InputError: a file that is not there, is no text or has none of the classes.
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


def classes_of_folders(class_names: Sequence[str],
                       names: Sequence[str]) -> dict[str, int]:
  """{name of a folder: class of the pictures in it}.

  A folder may be called by the network's name of the class or by its word,
  unless two classes share the word, as ImageNet's two cranes do.
  """
  times = Counter(names)
  by_word = {name: i for i, name in enumerate(names) if times[name] == 1}
  return by_word | {name: i for i, name in enumerate(class_names)}


def shortened(text: str, most: int) -> str:
  """The text, cut to so many characters with an ellipsis if it is longer."""
  return text if len(text) <= most else text[:most - 1].rstrip() + '…'


def _read(path: str) -> dict[str, str]:
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
  parts = [line.split('\t' if '\t' in line else None, 1) for line in lines]
  words = {part[0].strip(): part[1].split(',')[0].strip()
           for part in parts if len(part) == 2}
  return {name: word for name, word in words.items() if word}
