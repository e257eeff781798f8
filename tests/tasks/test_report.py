"""The task that writes the report on all runs in a folder."""

import program
import pytest
import workdirs

from alexnet_jax.errors import InputError
from alexnet_jax.tasks import report


def test_the_report_is_written_and_printed(tmp_path, capsys):
  workdirs.write_trio(tmp_path)
  begun = workdirs.write(tmp_path, 'quickstart.py', 0, 0.5, finished=False)
  text = report.report(str(tmp_path))
  assert (tmp_path / 'report.md').read_text() == text == capsys.readouterr().out
  assert 'from 7 finished runs' in text
  assert f'not finished: `{begun}`.' in text
  rows = text.splitlines()
  row, = [row for row in rows if '| no response normalization (small) ' in row]
  assert '| +3.00 +- 1.53 /' in row
  row, = [row for row in rows if '| tanh in place of ReLU ' in row]
  assert rows.index(row) > rows.index('## Not run')
  row, = [row for row in rows if '| five networks averaged ' in row]
  assert '38.10 / 16.40' in row


def test_out_names_the_file(tmp_path):
  workdirs.write(tmp_path, 'quickstart.py', 0, 0.5)
  report.report(str(tmp_path), str(tmp_path / 'mine.md'))
  assert (tmp_path / 'mine.md').read_text().startswith('# Our numbers')
  with pytest.raises(InputError, match=(
      r'--out=.*nowhere/mine\.md cannot be written .* an existing folder')):
    report.report(str(tmp_path), str(tmp_path / 'nowhere/mine.md'))


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
  workdirs.write(tmp_path, 'quickstart.py', 0, 0.5, finished=False)
  for folder in (tmp_path, tmp_path / 'nowhere'):
    with pytest.raises(InputError, match=(
        f'--workdir={folder} holds no finished run.*--task=compare')):
      report.report(str(folder))


def test_the_table_of_one_form_is_printed_alone(tmp_path, compiled):
  workdirs.write_trio(tmp_path)
  (code, out, err), (refused, _, why) = program.launch_many(
      [['--task=report', f'--workdir={tmp_path}', f'--form={form}',
        f'--out={tmp_path}/{form}.md']
       for form in ('small', 'nothing')], compiled)
  assert (code, err) == (0, '') and out == report.by_seed(str(tmp_path),
                                                          'small')
  assert out.startswith('Seeds 0, 1, 2, 3, in this order')
  assert not (tmp_path / 'report.md').exists()
  assert (tmp_path / 'small.md').read_text() == out
  assert refused == 2
  assert ('--form=nothing: no ablation of this form has been finished. Give one'
          ' of small.') in why
