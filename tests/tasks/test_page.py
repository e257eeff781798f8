"""--task=page writes the page of a run where it is told to."""

import os
import types

import pytest

from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.errors import InputError
from alexnet_jax.tasks import page


def run(workdir, out):
  page.run(Invocation('page', None, workdir, '', types.SimpleNamespace(
      out=out, examples=3, words=''), ()))


def test_the_page_is_written_where_it_should_be(trained, tmp_path, capsys):
  out = str(tmp_path / 'pages/mine.html')
  run(trained[1], out)
  assert capsys.readouterr().out == f'Written: {out}\n'
  with open(out, encoding='utf-8') as file:
    assert 'One crop of 3 validation pictures' in file.read()
  assert not os.path.exists(os.path.join(trained[1], 'report.html'))


@pytest.mark.parametrize('workdir, out, message', [
    ('', '', '--task=page looks into a trained network: add --workdir=RUN'),
    ('runs/a', 'a.pdf', '--out=a.pdf is no page: .* ends in .html'),
])
def test_what_cannot_work_is_refused(workdir, out, message):
  with pytest.raises(InputError, match=message):
    run(workdir, out)
