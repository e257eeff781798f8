"""Names from files are shown, never obeyed by the terminal."""

import os

import pytest

from alexnet_jax.errors import printable


@pytest.mark.parametrize('text, shown', [
    ('cat\x1b[2J', r'cat\x1b[2J'),
    ('two\nlines\ttab\r', r'two\x0alines\x09tab\x0d'),
    ('\x00\x7f\x9b31m', r'\x00\x7f\x9b31m'),
    ('gpj.\u202egnp', r'gpj.\u202egnp'),
    ('\u2066a\u2069\u200f\u061c', r'\u2066a\u2069\u200f\u061c'),
    ('a\u2028b\u2029', r'a\u2028b\u2029'),
    (os.fsdecode(b'caf\xe9'), r'caf\xe9'),
    ('\ud800', r'\ud800'),
])
def test_what_a_terminal_would_obey_is_escaped(text, shown):
  assert printable(text) == shown


@pytest.mark.parametrize('text', [
    'golden retriever', 'Löwe, Äffchen', 'e\u0301', '猫', '👩\u200d🔬',
    '$x|<b>`'])
def test_everything_else_stays_as_it_is(text):
  assert printable(text) == text
