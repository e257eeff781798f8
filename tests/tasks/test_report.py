"""Workdirs written by hand, with numbers whose means are known."""

import json
import os

import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.results import claims, runs
from alexnet_jax.results.claims import Claim
from alexnet_jax.results.runs import Estimate
from alexnet_jax.tasks import report

CLAIM = {'what': 'no norm', 'section': '3.3', 'against': 'ablations/baseline',
         'top1_error': 1.37, 'top5_error': 1.15, 'source': '#148'}
NO_NORM = Claim('ablations/no_norm', **CLAIM)
BASELINE = Claim('ablations/baseline', 'the net', '6', '', 40.66, 18.21, '#145')
NOT_RUN = Claim('ablations/tanh', 'tanh', '3.1', 'ablations/baseline', None,
                2.5, 'nowhere given')
FIGURE = Claim('cifar10/figure1', 'ReLU is faster', '3.1', '', None, None,
               'Figure 1', 6)


def write(folder, of, seed, top1, top5=0.5, *, form='small', views='ten',
          steps=100, flags='', finished=True, init_from='', **data):
  """One workdir; the speed is such that training took a minute."""
  workdir = os.path.join(folder, of.replace('/', '_'), str(seed))
  os.makedirs(workdir)
  config = {
      'seed': seed, 'model': {}, 'augment': {}, 'mesh': {'data': 1},
      'optimizer': {'batch_size': 6},
      'data': {'name': 'records', 'path': '/data/tiny', 'image_size': 72,
               'validation_fraction': 0.1, 'train_examples': 0,
               'validation_examples': 0} | data}
  errors = {f'{view}_crop_{metric}': value + (view == 'one') * 0.05
            for view in {'one', views} for metric, value in (
                ('loss', 1.0), ('top1_error', top1), ('top5_error', top5))}
  lines = [{'step': step, 'kind': 'train', 'loss': 1.0,
            'images_per_second': steps * 6 / 60} for step in (
                steps // 2, steps)]
  if finished:
    lines.append({'step': steps, 'kind': 'test', **errors})
  command = (f'python launch.py --config=configs/{of}.py'
             + (f':{form}' if form else '')
             + f' --config.seed={seed} {flags} --config.run.log_every=3'
             + (f' --init_from={init_from}' if init_from else '')
             + f' --workdir={workdir}')
  for file, text in (
      ('config.json', json.dumps(config)), ('command.txt', command + '\n'),
      ('metrics.jsonl', ''.join(json.dumps(line) + '\n' for line in lines))):
    with open(os.path.join(workdir, file), 'w', encoding='utf-8') as out:
      out.write(text)
  return workdir


@pytest.fixture
def folder(tmp_path):
  """Two ablations' worth of runs: three seeds against three, one paired less.

  Top-1 differences of seeds 0 to 2: +1, +2, +6; top-5: -1 each.
  """
  for seed, base, gap in ((0, 0.40, 0.01), (1, 0.42, 0.02), (2, 0.44, 0.06)):
    write(tmp_path, 'ablations/baseline', seed, base)
    write(tmp_path, 'ablations/no_norm', seed, base + gap, 0.49)
  write(tmp_path, 'ablations/no_norm', 3, 0.9)
  return str(tmp_path)


def found(folder):
  return [run for run in map(runs.read, runs.workdirs(folder)) if run]


def line(text, start):
  """The cells of the row that starts so."""
  row, = [row for row in text.splitlines() if row.startswith(f'| {start}')]
  return [cell.strip() for cell in row.strip('|').split(' | ')]


def markdown(folder, *claimed):
  return report.as_markdown(folder, claimed, found(folder), {}, [])


def close(estimate, mean, standard_error):
  return estimate == (pytest.approx(mean), pytest.approx(standard_error))


def test_a_standard_error_is_of_n_less_one():
  # Deviations -2, -1, 3: their squares are 14, over 2 and then over 3.
  assert close(runs.estimate([1, 2, 6]), 3, (14 / 6) ** 0.5)
  assert runs.estimate([4.0]) == Estimate(4.0, None)


def test_a_run_says_what_it_was(folder):
  run = found(folder)[3]
  assert (run.name, run.form, run.seed, run.steps) == (
      'ablations/no_norm', 'small', 0, 100)
  assert run.minutes == pytest.approx(1)
  assert run.data == 'tiny, 72 pixels'
  assert runs.patches([run]) == ['one', 'ten']


@pytest.mark.parametrize('data, words', [
    ({'path': '/other/place/tiny/'}, 'tiny, 72 pixels'),
    ({'train_examples': 10, 'validation_examples': 5},
     'tiny, 72 pixels, 10 trained on, 5 tested on'),
    ({'name': 'procedural', 'image_size': 64}, 'procedural, 64 pixels'),
    ({'name': 'folder'}, 'tiny, 72 pixels, 0.1 for validation without val/'),
])
def test_data_are_named_by_what_the_examples_are(tmp_path, data, words):
  write(tmp_path, 'a', 0, 0.5, **data)
  assert found(tmp_path)[0].data == words


@pytest.mark.parametrize('command, parts', [
    ('python launch.py --config=a.py:b --workdir=w', ('a.py:b', {}, '')),
    ("python launch.py --config a.py '--config.model.kernels=(1, 2)'",
     ('a.py', {'model.kernels': '(1, 2)'}, '')),
    ('launch.py -config=a.py --noconfig.model.dropout --config.data.path /x'
     ' --config.data.reshuffle --init_from=/y',
     ('a.py', {'model.dropout': 'False', 'data.path': '/x',
               'data.reshuffle': 'True'}, '/y')),
])
def test_a_command_line_is_read_as_the_shell_reads_it(command, parts):
  assert runs.parse(command) == parts


def test_a_command_that_was_made_is_read_back():
  fields = {'model.kernels': '(1, 2)', 'data.path': "/a b/'c'"}
  assert runs.parse(runs.command('a.py', fields, init_from='/x y')) == (
      'a.py', fields, '/x y')


def test_a_difference_is_taken_seed_by_seed(folder):
  row, = report.rows([NO_NORM], found(folder))
  assert [run.seed for run in row.runs] == [0, 1, 2]
  assert close(row.top1, 3, (14 / 6) ** 0.5)
  assert close(row.top5, -1, 0)
  assert row.patches == 'ten'


def test_an_absolute_claim_has_the_mean_error(folder):
  row, = report.rows([BASELINE], found(folder))
  assert close(row.top1, 42, 2 / 3**0.5)
  assert close(row.top5, 50, 0)


def test_a_row_has_signs_and_the_difference_to_their_number(folder):
  text = markdown(folder, NO_NORM, BASELINE, NOT_RUN)
  assert line(text, 'no norm')[:9] == [
      'no norm (small)', '3.3', '+1.37 / +1.15 (#148)',
      '+3.00 +- 1.53 / -1.00 +- 0.00', '+1.63 / -2.15', 'ten',
      'tiny, 72 pixels', '100', '0, 1, 2']
  assert line(text, 'the net')[2:5] == [
      '40.66 / 18.21 (#145)', '42.00 +- 1.15 / 50.00 +- 0.00',
      '+1.34 / +31.79']


def test_what_was_never_run_says_so_with_the_command_that_would(folder):
  assert line(markdown(folder, NOT_RUN), 'tanh') == [
      'tanh', '3.1', '- / +2.50 (nowhere given)', 'not run', '', '', '', '', '',
      '`python launch.py --config=configs/ablations.py:tanh`']


def test_a_number_that_is_nowhere_given_is_not_subtracted(tmp_path):
  write(tmp_path, 'ablations/baseline', 0, 0.4)
  write(tmp_path, 'ablations/tanh', 0, 0.5, 0.52)
  cells = line(markdown(tmp_path, NOT_RUN), 'tanh')
  assert cells[2:5] == ['- / +2.50 (nowhere given)', '+10.00 / +2.00',
                        '- / -0.50']
  cells = line(markdown(tmp_path, NOT_RUN._replace(top5_error=None)), 'tanh')
  assert cells[2:5] == ['nowhere given', '+10.00 / +2.00', '']


@pytest.mark.parametrize('other', [
    {'form': 'paper'}, {'form': ''}, {'steps': 101}, {'path': '/data/photos'},
    {'train_examples': 10}, {'flags': '--config.optimizer.momentum=0.5'},
    {'init_from': '/pre'},
])
def test_runs_under_other_conditions_are_not_held_against_each_other(
    tmp_path, other):
  write(tmp_path, 'ablations/baseline', 0, 0.4)
  write(tmp_path, 'ablations/no_norm', 0, 0.5, **other)
  cells = line(markdown(tmp_path, NO_NORM), 'no norm')
  assert cells[3:6] == [
      'no run of ablations/baseline to hold against', '', '']


@pytest.mark.parametrize('other', [
    {'path': '/elsewhere/tiny'}, {'flags': '--config.run.threads=4'},
    {'flags': '--config.mesh.column=2'},
])
def test_where_a_run_was_made_does_not_matter(tmp_path, other):
  write(tmp_path, 'ablations/baseline', 0, 0.4)
  write(tmp_path, 'ablations/no_norm', 0, 0.5, **other)
  row, = report.rows([NO_NORM], found(tmp_path))
  assert close(row.top1, 10, None)


def test_every_form_length_and_data_set_has_its_row(folder, tmp_path):
  for name, top1 in (('ablations/baseline', 0.3), ('ablations/no_norm', 0.2)):
    write(tmp_path / 'longer', name, 0, top1, steps=200)
    write(tmp_path / 'paper', name, 0, top1 + 0.1, form='paper')
  table = report.rows([NO_NORM], found(folder))
  assert [(row.runs[0].form, row.runs[0].steps, len(row.runs))
          for row in table] == [
              ('paper', 100, 1), ('small', 100, 3), ('small', 200, 1)]


def test_runs_with_other_numbers_are_not_seeds_of_one_another(tmp_path):
  for seed, flags in ((0, ''), (1, '--config.optimizer.momentum=0.5')):
    write(tmp_path, 'quickstart', seed, 0.5, form='', flags=flags)
  assert [len(group) for group in report.grouped(found(tmp_path))] == [1, 1]


def test_tests_are_compared_that_both_have(tmp_path):
  write(tmp_path, 'ablations/baseline', 0, 0.4, views='one')
  write(tmp_path, 'ablations/no_norm', 0, 0.5)
  row, = report.rows([NO_NORM], found(tmp_path))
  assert row.patches == 'one' and close(row.top1, 10, None)


def test_a_run_that_was_made_twice_counts_once_and_is_said(tmp_path):
  write(tmp_path / 'a', 'quickstart', 0, 0.5)
  again = write(tmp_path / 'b', 'quickstart', 0, 0.3)
  text = markdown(tmp_path)
  assert line(text, 'quickstart')[1].startswith('50.00')
  assert f'once more, so not counted: `{again}`.' in text


def test_other_runs_have_their_errors_and_a_command_to_paste(tmp_path):
  for seed in (4, 5):
    write(tmp_path, 'quickstart', seed, 0.3 + seed / 10, form='',
          flags="'--config.model.neurons=(8, 8)'", init_from='pre')
  assert line(markdown(tmp_path, NO_NORM), 'quickstart') == [
      'quickstart.py', '75.00 +- 5.00 / 50.00 +- 0.00', 'ten',
      'tiny, 72 pixels', '100', '4, 5', '1.0',
      '`python launch.py --config=configs/quickstart.py --config.seed=4'
      " '--config.model.neurons=(8, 8)' --init_from=pre`"]


def test_the_head_tells_whose_data_the_numbers_are_of(folder, tmp_path):
  write(tmp_path, 'quickstart', 0, 0.5, name='procedural')
  head = markdown(folder).split('##')[0]
  assert 'procedural, 72 pixels; tiny, 72 pixels' in head
  assert 'compare signs and not sizes' in head


def test_figure_1_has_its_ratio(tmp_path):
  write(tmp_path / 'figure', 'cifar10/figure1', 0, 0.5, form='',
        flags='--config.data.path=/data/cifar')
  write(tmp_path / 'figure', 'cifar10/figure1', 1, 0.5, form='',
        flags='--config.optimizer.learning_rate=0.1')
  at = tmp_path / 'figure/cifar10_figure1/figure1.json'
  at.write_text(json.dumps({
      'ratio': 4.5, 'ratio_sign': '>', 'seed': 0, 'nonlinearities': {
          'relu': {'steps': 200}, 'tanh': {'steps': 900}}}))
  drawn = report.figures(str(tmp_path), found(tmp_path))
  text = report.as_markdown('', [FIGURE], found(tmp_path), drawn, [])
  assert line(text, 'ReLU') == [
      'ReLU is faster', '3.1', '6 times (Figure 1)', 'more than 4.5 times',
      '-1.5', '', 'tiny, 72 pixels', 'relu 200, tanh 900', '0',
      '`python launch.py --config=configs/cifar10/figure1.py'
      ' --config.data.path=/data/cifar --task=figure1`']
  assert line(markdown(tmp_path, FIGURE), 'ReLU')[3] == 'not run'


def test_the_report_is_written_and_printed(folder, capsys):
  begun = write(folder, 'quickstart', 0, 0.5, finished=False)
  text = report.report(folder)
  with open(os.path.join(folder, 'report.md'), encoding='utf-8') as file:
    assert file.read() == text == capsys.readouterr().out
  assert f'Not finished, so not counted: `{begun}`.' in text
  assert 'Of 7 finished runs' in text
  assert '+3.00 +- 1.53' in line(
      text, 'no response normalization (small)')[3]
  assert line(text, 'tanh in place')[3] == 'not run'


def test_the_report_goes_where_it_is_wanted(folder, tmp_path):
  report.report(folder, str(tmp_path / 'here.md'))
  assert (tmp_path / 'here.md').read_text().startswith('# Our numbers')
  with pytest.raises(InputError) as error:
    report.report(folder, str(tmp_path / 'nowhere/here.md'))
  for part in ('--out=', 'nowhere/here.md', 'a folder that is there'):
    assert part in str(error.value)


def test_a_folder_without_a_finished_run_is_refused(tmp_path):
  write(tmp_path, 'quickstart', 0, 0.5, finished=False)
  for folder in (tmp_path, tmp_path / 'nowhere'):
    with pytest.raises(InputError) as error:
      report.report(str(folder))
    for part in (f'--workdir={folder} ', 'no finished run', '--task=compare'):
      assert part in str(error.value)


@pytest.mark.parametrize('path, parts', [
    ('configs/paper.py', ('paper', '')),
    ('./configs/ablations.py:no_norm,small', ('ablations/no_norm', 'small')),
    ('/home/configs/alexnet/configs/cifar10/relu.py', ('cifar10/relu', '')),
    ('../mine.py:2', ('mine', '2')),
])
def test_a_config_is_called_by_its_place_below_configs(path, parts):
  assert claims.name_and_form(path) == parts


def test_claims_stand_in_the_order_of_the_paper(tmp_path):
  (tmp_path / 'ablations').mkdir()
  for name, section in (('ablations/b', '10'), ('ablations/a', '3.3'),
                        ('c', '3.10'), ('d', '3.3')):
    (tmp_path / f'{name}.py').write_text(
        f'CLAIM = {CLAIM | {"section": section}}')
  (tmp_path / 'silent.py').write_text('')
  assert [(claim.config, claim.section) for claim in claims.read(
      str(tmp_path))] == [('ablations/a', '3.3'), ('d', '3.3'), ('c', '3.10'),
                          ('ablations/b', '10')]


def test_a_claim_with_other_fields_is_refused(tmp_path):
  (tmp_path / 'a.py').write_text(f'CLAIM = {CLAIM | {"top_1": 3}}')
  with pytest.raises(InputError) as error:
    claims.read(str(tmp_path))
  for part in ('a.py has the fields what', 'top_1', 'give it what, section'):
    assert part in str(error.value)


@pytest.mark.parametrize('claim', claims.read(), ids=lambda claim: claim.config)
def test_a_claim_of_ours_can_be_reported(claim):
  configs = os.path.join(claims.ROOT, 'configs')
  assert claim.what and claim.section and claim.source
  assert not claim.against or os.path.exists(
      os.path.join(configs, f'{claim.against}.py'))
  for number in (claim.top1_error, claim.top5_error):
    assert number is None or claim.against or 0 < number < 100
