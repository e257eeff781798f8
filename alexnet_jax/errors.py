"""Invalid input from the user, and texts that are safe to print."""

import re
import sys
from typing import NoReturn

# Characters that move the cursor, reorder or break the line, or are the bytes
# of a file name that is not UTF-8: C0, DEL and C1, bidirectional controls, the
# separators of lines and paragraphs, lone surrogates.
_UNPRINTABLE = re.compile(
    '[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069'
    '\ud800-\udfff]')
SHOWN = 120  # characters of a value


class InputError(ValueError):
  """Invalid input, described in one sentence.

  The message says what the user gave, what is accepted and what to change. It
  is raised before compilation wherever possible. `launch.py` prints it without
  a traceback and exits with status 2.
  """


def printable(text: str) -> str:
  r"""Escapes what a terminal would obey instead of showing.

  Names of files, folders and classes may contain anything: ESC [ 2 J becomes
  `\x1b[2J`, a bidirectional control `\u202e`, a byte that is not UTF-8 `\xff`.
  Accents, emoji and all scripts stay as they are.
  """
  return _UNPRINTABLE.sub(_escape, text)


def _escape(match):
  code = ord(match.group())
  if 0xDC80 <= code <= 0xDCFF:  # how Python writes a byte that is not UTF-8
    code -= 0xDC00
  return f'\\x{code:02x}' if code < 0x100 else f'\\u{code:04x}'


def one_line(error: object) -> str:
  """Returns the text of an error with its lines joined."""
  return re.sub(r'\s+', ' ', str(error)).strip()


def shortened(value: str) -> str:
  """Returns a value, cut off where nobody reads on."""
  return value if len(value) <= SHOWN else f'{value[:SHOWN]}...'


def refuse(sentence: str) -> NoReturn:
  """Prints the sentence and exits with 2, the usual status for bad usage."""
  sys.stderr.write(f'launch.py: {printable(sentence)}\n')
  sys.exit(2)
