"""Tables stay tables, whatever their cells hold."""

from alexnet_jax import tables

NASTY = 'a\x1b[2J|b`<script>\n$x$*'


def test_columns_stay_aligned_with_control_characters():
  head, row, other = tables.aligned(
      [('name', 'n'), (NASTY, '1'), ('\x1b', '22')])
  assert '\x1b' not in row and '\n' not in row
  assert row.startswith('a\\x1b[2J|b`<script>\\x0a$x$*')
  assert len(head) == len(row) == len(other)


def test_a_name_cannot_leave_its_cell():
  table = tables.markdown(('name', 'command'), [
      (tables.markdown_text(NASTY), tables.markdown_code(NASTY))])
  assert table.count('\n') == 2
  row = table.splitlines()[-1]
  assert row.replace('\\|', '').count('|') == 3
  assert '<script' not in row and '\x1b' not in row
  assert r'\`&lt;script&gt;' in row and r'\$x\$\*' in row
  assert '<code>a' in row and '&#96;&lt;script&gt;' in row


def test_plain_names_and_commands_stay_readable():
  assert tables.markdown_text('records_72, 12_500 trained on') == (
      'records_72, 12_500 trained on')
  assert tables.markdown_code("python a.py --b='(8, 8)'") == (
      "`python a.py --b='(8, 8)'`")
