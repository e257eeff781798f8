"""Tables for people: aligned text and Markdown."""

from collections.abc import Iterable, Sequence


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
  """Lines of equal columns: the first flush left, the others flush right."""
  widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
  return ['  '.join(
      [cells[0].ljust(widths[0])]
      + [cell.rjust(width)
         for cell, width in zip(cells[1:], widths[1:], strict=True)]).rstrip()
          for cells in rows]


def markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
  """A Markdown table; pipes in cells are escaped."""
  lines = [head, ['---'] * len(head), *rows]
  return '\n'.join(
      '| ' + ' | '.join(cell.replace('|', '\\|') for cell in line) + ' |'
      for line in lines)
