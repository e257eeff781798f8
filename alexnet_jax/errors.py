"""The exception for invalid input from the user."""

import unicodedata

# The marks that change the direction of the text after them.
_DIRECTION_MARKS = frozenset(map(chr, (
    0x61c, 0x200e, 0x200f, *range(0x202a, 0x202f), *range(0x2066, 0x206a))))


class InputError(ValueError):
  """Invalid input, described in one sentence.

  The message says what the user gave, what is accepted and what to change. It
  is raised before compilation wherever possible. `launch.py` prints it without
  a traceback and exits with status 2.
  """


def printable(text: str) -> str:
  r"""Escapes what a terminal would obey or could not print.

  Control characters, marks that change the direction of the text and bytes
  that are not UTF-8 become visible, as '\x1b' and '\udcff'; all else is kept.
  """
  return ''.join(
      character.encode('unicode_escape').decode()
      if character in _DIRECTION_MARKS
      or unicodedata.category(character) in ('Cc', 'Cs') else character
      for character in text)
