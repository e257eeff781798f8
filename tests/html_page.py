"""Reads a page of a run: its tags, links, pictures and words."""

import base64
import html.parser
import io

from PIL import Image

# Elements without an end.
VOID = {'meta', 'img', 'wbr', 'br', 'hr', 'input', 'link'}


class Page(html.parser.HTMLParser):
  """The parts of a page; reading it fails if its tags do not match."""

  def __init__(self, content):
    super().__init__()
    self.tags, self.ids, self.links, self.images = [], [], [], []
    self.words, self.cells, self.attributes = '', [], []
    self._open = []
    self.feed(content)
    self.close()
    assert self._open == []

  def handle_starttag(self, tag, attrs):
    names = [name for name, _ in attrs]
    assert len(set(names)) == len(names), attrs
    attrs = dict(attrs)
    self.tags.append(tag)
    self.attributes += names
    self.ids += [attrs['id']] if 'id' in attrs else []
    self.links += [attrs['href']] if 'href' in attrs else []
    if tag == 'img':
      self.images.append(attrs)
    if tag in ('td', 'th'):
      self.cells.append('')
    if tag not in VOID:
      self._open.append(tag)

  def handle_endtag(self, tag):
    assert self._open.pop() == tag

  def handle_data(self, data):
    if 'style' not in self._open:
      self.words += data
    if {'td', 'th'} & set(self._open):
      self.cells[-1] += data

  def check(self):
    """All that every page must fulfill, whatever is on it."""
    assert len(set(self.ids)) == len(self.ids)
    assert {link[1:] for link in self.links if link[0] == '#'} <= set(self.ids)
    assert not {'script', 'iframe', 'link', 'object', 'form'} & set(self.tags)
    assert not any(name.startswith('on') for name in self.attributes)
    for image in self.images:
      kind, _, data = image['src'].partition(';base64,')
      assert kind in ('data:image/png', 'data:image/jpeg')
      assert image['alt'].strip()
      with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        picture.load()
        assert min(picture.size) > 20
        assert len(picture.convert('RGB').getcolors(2**24)) > 2


def read(path):
  """Reads and checks a page; it fetches nothing from anywhere."""
  with open(path, encoding='utf-8') as file:
    content = file.read()
  assert '://' not in content
  assert 'url(' not in content
  assert "default-src 'none'" in content
  page = Page(content)
  page.check()
  return page
