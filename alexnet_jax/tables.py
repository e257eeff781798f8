"""Formats tables as aligned text and as Markdown, whatever their cells hold."""

import html
import re
from collections.abc import Iterable, Sequence

from alexnet_jax.errors import printable


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
  """Aligns rows of cells: first column flush left, the others flush right."""
  rows = [list(map(printable, row)) for row in rows]
  widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
  return ['  '.join(
      [cells[0].ljust(widths[0])]
      + [cell.rjust(width)
         for cell, width in zip(cells[1:], widths[1:], strict=True)]).rstrip()
          for cells in rows]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """Formats a Markdown table of cells that are Markdown; escapes pipes."""
  lines = [head, ['---'] * len(head), *rows]
  return '\n'.join(
      '| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |'
      for line in lines)


def markdown_text(text: str) -> str:
  """Returns Markdown that shows a text, such as the name of a folder."""
  text = html.escape(printable(text), quote=False)
  return re.sub(r'([\\`*\[\]$])', r'\\\1', text)


def markdown_code(text: str) -> str:
  """Returns Markdown that shows a text as code, such as a command."""
  text = printable(text)
  if not re.search(r'[`<>&|]', text):
    return f'`{text}`'
  escaped = html.escape(text, quote=False)
  return f'<code>{_numbered(escaped)}</code>'


def _numbered(text):
  """Replaces what Markdown would read by character references."""
  return re.sub(r'[`|*_\[\]$\\]',
                lambda match: f'&#{ord(match.group())};', text)
