"""Every task as a person starts it."""

import json
import os
import sys

import html_page
import program
import pytest
import tiny
from absl import flags

from alexnet_jax.command_line import parsing, task_files
from alexnet_jax.pages import markup
from alexnet_jax.tasks import describe, figure3


@pytest.fixture(scope='module')
def workdir(compiled, tmp_path_factory):
  """The workdir of a run of six steps by the program."""
  workdir = str(tmp_path_factory.mktemp('launched'))
  code, _, err = program.finish(program.start(
      [*tiny.flags(), f'--workdir={workdir}'], compiled))
  assert code == 0, err
  return workdir


def test_train_trains(trained, workdir):
  config, here, _ = trained
  assert [(line['kind'], line['step']) for line in tiny.metrics(workdir)] == [
      (line['kind'], line['step']) for line in tiny.metrics(here)]
  # The program lets other convolutions do the work: equal but for rounding.
  assert tiny.losses(workdir) == pytest.approx(tiny.losses(here), rel=1e-4)
  tiny.assert_close(tiny.state(config, workdir), tiny.state(config, here))


@pytest.mark.slow
def test_a_run_ends_with_a_page(workdir):
  page = html_page.read(os.path.join(workdir, 'report.html'))
  final, = tiny.metrics(workdir, 'final')
  assert markup.percent(final['ten_crop_top1_error']) in page.words
  assert page.words.count('Not shown') == 0
  assert 'Machine' in page.cells


@pytest.fixture(scope='module')
def answers(workdir, compiled, tmp_path_factory):
  """{name: (exit code, output, errors)} of commands that share a start."""
  weights = tmp_path_factory.mktemp('exported') / 'weights.npz'
  describe, quickstart = ['--task=describe', '--json'], (
      '--config=configs/quickstart.py')
  own = ['--task=evaluate', f'--workdir={workdir}']
  lines = {
      'evaluated': [*tiny.flags(), *own],
      'evaluated by its own config': own,
      'other fields': [*own, '--config.run.views=9',
                       '--config.data.validation_examples=12'],
      'exported': [quickstart, '--task=export', f'--workdir={workdir}',
                   f'--out={weights}'],
      'table': ['--config=configs/paper.py', '--task=describe'],
      'json': ['--config=configs/paper.py', *describe],
      'help for a config': [quickstart, '--task=train', '--help'],
      'twice': [*describe, '--config=configs/paper.py', quickstart,
                '--config.model.kernels=(4,4)',
                '--config.model.kernels=(8,8,8,8,8)',
                '--config.model.dropout=False', '--config.model.dropout=True'],
      'once': [*describe, quickstart, '--config.model.kernels=(8,8,8,8,8)'],
      'help': ['--help'],
      **{f'help for {task}': [f'--task={task}', '--help']
         for task in task_files.task_names()}}
  results = dict(zip(lines, program.launch_many(list(lines.values()), compiled),
                     strict=True))
  for code, _, err in results.values():
    assert code == 0, err
  return results


def test_evaluate_prints_the_errors_of_the_last_test(workdir, answers):
  final, = tiny.metrics(workdir, 'final')
  for name in ('evaluated', 'evaluated by its own config'):
    errors = json.loads(answers[name][1].splitlines()[-1])
    assert errors.pop('images') == 24
    assert errors | {'kind': 'final'} == final


def test_fields_of_the_runs_config_can_be_set(answers):
  errors = json.loads(answers['other fields'][1].splitlines()[-1])
  assert errors['images'] == 12 and 'nine_crop_top1_error' in errors


def test_a_config_that_is_not_read_is_said(answers):
  assert '--config is not read' in answers['exported'][2]


def test_describe_prints_the_table_of_the_paper(answers):
  text, as_json = answers['table'][1], answers['json'][1]
  assert '60,965,224' in text
  for name in ('conv1', 'conv5', 'fc8'):
    assert name in text
  assert '60965224' in as_json
  json.loads(as_json)


@pytest.mark.slow
def test_prepared_photographs_can_be_trained_on(compiled, tmp_path):
  photos = tiny.write_photos(tmp_path / 'photos', train=12)
  (tmp_path / 'photos/train/cat/bad.jpg').write_bytes(b'no picture at all')
  records = str(tmp_path / 'records')
  fields = {'data.name': 'folder', 'data.path': photos}
  (code, out, err), = program.launch_many([
      [*tiny.flags(fields), '--task=prepare', f'--workdir={records}']],
      compiled)
  assert code == 0, err
  assert '24 train, 8 validation images, 1 skipped' in out
  assert f'--config.data.name=records --config.data.path={records}' in out
  assert f'skipped {photos}/train/cat/bad.jpg: ' in err

  workdir = str(tmp_path / 'run')
  arguments = [*tiny.flags({'data.name': 'records', 'data.path': records,
                            'run.steps': 2}), f'--workdir={workdir}']
  program.launch(arguments, compiled)
  assert len(tiny.losses(workdir)) == 2
  os.rename(records, tmp_path / 'elsewhere')  # the same data may move
  out = program.launch([
      *arguments, f'--config.data.path={tmp_path}/elsewhere',
      '--task=evaluate'], compiled)
  assert json.loads(out.splitlines()[-1])['images'] == 8


def test_help_lists_the_tasks_and_explains_each(answers):
  everything = answers['help'][1]
  for task in task_files.task_names():
    out = answers[f'help for {task}'][1]
    line = out.splitlines()[0].partition(': ')[2]
    assert len(line) > 20 and f' {task} ' in everything
    assert line in everything
    assert '--workdir' in out
  assert '--views: Crops averaged' in answers['help for predict'][1]


def test_help_lists_the_fields_of_a_config_with_their_comments(answers):
  out = answers['help for a config'][1]
  assert '--init_from' in out
  assert 'model.kernels=(16, 32, 48, 48, 32)' in out
  assert 'optimizer.momentum=0.9' in out
  assert ("augment.jitter_scale='stddev'  # the printed form: 'eigenvalue'"
          in out)


def test_the_last_of_two_values_counts(answers):
  assert answers['twice'][1] == answers['once'][1]


def test_paths_may_start_with_the_home_folder(compiled, tmp_path, monkeypatch):
  monkeypatch.setenv('HOME', str(tmp_path))
  with open('configs/quickstart.py', encoding='utf-8') as file:
    (tmp_path / 'own.py').write_text(file.read())
  tiny.write_photos(tmp_path / 'photos')
  (code, _, err), = program.launch_many([[
      '--task=prepare', '--config=~/own.py', '--config.data.name=folder',
      '--config.data.path=~/photos', '--workdir=~/records']], compiled)
  assert code == 0, err
  assert (tmp_path / 'records/meta.json').exists()
  assert not os.path.exists('~')


def test_a_notebook_may_start_one_command_after_another(monkeypatch):
  monkeypatch.setattr(flags, 'FLAGS', flags.FlagValues())

  def parse(task, *arguments):
    monkeypatch.setattr('sys.argv', ['launch.py', *arguments])
    parsing.parse(sys.argv, task)
    return flags.FLAGS

  config = '--config=configs/quickstart.py'
  for seed in (3, 4):
    values = parse(describe, config, f'--config.seed={seed}')
    assert values.config.seed == seed
  assert parse(describe, config).config.seed == 0
  values = parse(describe, '--config.seed=5', *config.split('='))
  assert values.config.seed == 5
  values = parse(figure3, '--per_kernel')
  assert values.per_kernel and 'json' not in values
