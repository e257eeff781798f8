"""Formats tables as aligned text and as Markdown."""

from collections.abc import Iterable, Sequence


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
  """Aligns rows of cells: first column flush left, the others flush right."""
  widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
  return ['  '.join(
      [cells[0].ljust(widths[0])]
      + [cell.rjust(width)
         for cell, width in zip(cells[1:], widths[1:], strict=True)]).rstrip()
          for cells in rows]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """Formats a Markdown table and escapes pipes in its cells."""
  lines = [head, ['---'] * len(head), *rows]
  return '\n'.join(
      '| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |'
      for line in lines)
