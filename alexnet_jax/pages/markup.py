"""HTML of one file: sections with links to them, tables, pictures.

Parameters called `text`, `title`, `name` or `cells` are plain text and are
escaped here. What is called `body` or `parts` is HTML from other functions of
this file.
"""

import base64
import html
import os
import shlex
import tempfile
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple

from alexnet_jax import files
from alexnet_jax.errors import printable

STYLE = os.path.join(os.path.dirname(__file__), 'style.css')
# Nothing may be loaded and nothing executed, whatever the names of the data.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


class Section(NamedTuple):
  """A part of the page with a heading, to which the top of the page links."""

  name: str  # its id, in lower-case letters
  title: str
  body: str


def text(text: str) -> str:
  """Returns HTML that shows a text, on one line and in its own direction."""
  return html.escape(printable(text))


def name(name: str) -> str:
  """Returns HTML of a name from data, such as that of a class or a file."""
  return f'<bdi>{text(name)}</bdi>'


def paragraph(content: str, kind: str = '') -> str:
  """Returns a paragraph of plain text; `kind` is its CSS class."""
  return f'<p{_class(kind)}>{text(content)}</p>'


def heading(content: str) -> str:
  """Returns a heading within a section."""
  return f'<h3>{text(content)}</h3>'


def commands(*lines: str) -> str:
  """Returns shell commands, one below the other, to copy."""
  shown = '\n'.join(map(_broken, lines))
  return f'<pre tabindex="0"><code>{shown}</code></pre>'


def _broken(line: str) -> str:
  """Breaks a long command before its options, as a shell reads it."""
  words = [text(shlex.quote(word)) for word in shlex.split(line)]
  breaks = ' \\\n  ' if len(line) > 80 else ' '
  return ''.join(
      (breaks if word.removeprefix('&#x27;').startswith('--') else ' ') + word
      for word in words).strip()


def facts(pairs: Iterable[tuple[str, str, str]]) -> str:
  """Returns large numbers side by side: (number, name, what it means)."""
  return '<dl class="facts">' + ''.join(
      f'<div><dt>{text(title)}</dt><dd><b>{text(number)}</b>'
      f'<span>{text(meaning)}</span></dd></div>'
      for number, title, meaning in pairs) + '</dl>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *,
          marked: Collection[int] = (), words: Collection[int] = (0,),
          links: dict[str, str] | None = None) -> str:
  """Returns a table that scrolls in its box where the window is narrow.

  Args:
    head: the heading of each column; () for a table without headings.
    rows: the cells of each row.
    marked: the rows that stand out, by number.
    words: the columns of words, flush left; others are numbers, flush right.
    links: {cell: the page that it links to}.
  """

  def line(cells, tag, kind=''):
    return f'<tr{_class(kind)}>' + ''.join(
        f'<{tag}{_class("" if i in words else "number")}>{linked(cell)}</{tag}>'
        for i, cell in enumerate(cells)) + '</tr>'

  def linked(cell):
    if links is None or cell not in links:
      return name(cell)
    return f'<a href="{html.escape(links[cell])}">{name(cell)}</a>'

  top = f'<thead>{line(head, "th")}</thead>' if head else ''
  body = ''.join(line(cells, 'td', 'marked' if i in marked else '')
                 for i, cells in enumerate(rows))
  return (f'<div class="scroll" tabindex="0"><table>{top}<tbody>{body}</tbody>'
          '</table></div>')


def picture(content: bytes, alt: str, kind: str = 'png') -> str:
  """Returns a picture that is part of the page.

  Args:
    content: the contents of its file.
    alt: what it shows, for those who do not see it.
    kind: 'png' or 'jpeg'.
  """
  data = base64.b64encode(content).decode()
  return f'<img src="data:image/{kind};base64,{data}" alt="{text(alt)}">'


def drawn(draw: Callable[[str], None]) -> bytes:
  """Returns what a function writes into the .png file that it is given."""
  with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, 'drawing.png')
    draw(path)
    with open(path, 'rb') as file:
      return file.read()


def figure(content: bytes, alt: str, caption: str, kind: str = '') -> str:
  """Returns a drawing on white paper, with a caption below.

  Args:
    content: the contents of a .png file.
    alt: what it shows, for those who do not see it.
    caption: the text below.
    kind: 'small' for a drawing that needs half of the width; others scroll in
      their box where the window is narrow.
  """
  return (f'<figure class="drawing {kind}"><div class="scroll" tabindex="0">'
          f'{picture(content, alt)}</div><figcaption>{text(caption)}'
          '</figcaption></figure>')


def side_by_side(*parts: str) -> str:
  """Returns parts beside each other, or below each other in narrow windows."""
  return ('<div class="beside">'
          + ''.join(f'<div>{part}</div>' for part in parts) + '</div>')


def percent(share: float, digits: int = 1) -> str:
  """Formats a share of 0..1 as '12.3 %', which is never broken."""
  return f'{100 * share:.{digits}f}\xa0%'


def tiles(parts: Iterable[str]) -> str:
  """Returns pictures with their captions, as many in a row as fit."""
  return '<div class="tiles">' + ''.join(parts) + '</div>'


def folded(title: str, body: str, is_open: bool = False) -> str:
  """Returns a part that a click on its title opens and closes."""
  return (f'<details{" open" if is_open else ""}><summary>{text(title)}'
          f'</summary>{body}</details>')


def page(title: str, lead: str, sections: Sequence[Section],
         last_words: str) -> str:
  """Returns a whole page.

  Args:
    title: the heading, also that of the window.
    lead: the sentence below the heading.
    sections: all parts in order.
    last_words: the small print at the end.
  """
  with open(STYLE, encoding='utf-8') as file:
    style = file.read()
  links = ''.join(f'<li><a href="#{part.name}">{text(part.title)}</a></li>'
                  for part in sections)
  bodies = '\n'.join(
      f'<section id="{part.name}" aria-labelledby="{part.name}-title">'
      f'<h2 id="{part.name}-title">{text(part.title)}'
      ' <a class="up" href="#top" title="To the top"'
      ' aria-label="To the top">&uarr;</a></h2>'
      f'\n{part.body}\n</section>' for part in sections)
  return (
      '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
      f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
      '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
      '<meta name="color-scheme" content="light dark">\n'
      f'<title>{text(title)}</title>\n<style>\n{style}</style>\n</head>\n'
      f'<body id="top">\n<header>\n<h1>{_breakable(title)}</h1>\n'
      f'<p class="lead">{text(lead)}</p>\n'
      f'<nav aria-label="Parts of this page"><ul>{links}</ul></nav>\n</header>'
      f'\n<main>\n{bodies}\n</main>\n<footer><p>{text(last_words)}</p>'
      '</footer>\n</body>\n</html>\n')


def write(path: str, content: str) -> None:
  """Writes a page; an existing file is replaced when all is written."""
  with files.atomic_write(path) as file:
    file.write(content.encode())


def _breakable(path: str) -> str:
  """Returns HTML of a name that may be broken between its parts."""
  parts = text(path).replace('/', '/<wbr>').replace(':', ':<wbr>')
  return f'<bdi>{parts}</bdi>'


def _class(kind: str) -> str:
  return f' class="{kind}"' if kind else ''
