"""The report on hand-written runs with numbers of known means."""

import json
import pathlib

import pytest
import workdirs

from alexnet_jax.results import report_table
from alexnet_jax.results.claims import Claim

NO_NORM = Claim('ablations/no_norm', 'no norm', '3.3', 'ablations/baseline',
                1.37, 1.15, '#148')
BASELINE = Claim('ablations/baseline', 'the net', '6', '', 40.66, 18.21, '#145')
TANH = Claim('ablations/tanh', 'tanh', '3.1', 'ablations/baseline', None, 2.5,
             'nowhere given')
FIGURE = Claim('cifar10/figure1', 'ReLU is faster', '3.1', '', None, None,
               'Figure 1', 6)


@pytest.fixture
def folder(tmp_path):
  workdirs.write_trio(tmp_path)
  return tmp_path


def rows(folder, *claims):
  return report_table.claim_rows(claims, workdirs.read(folder))


def markdown(folder, *claims):
  return report_table.as_markdown(
      str(folder), claims, workdirs.read(folder), ['/begun'])


def line(text, start):
  """The cells of the row that starts so."""
  row, = [row for row in text.splitlines() if row.startswith(f'| {start}')]
  return [cell.strip() for cell in row.strip('|').split(' | ')]


def close(estimate, mean, standard_error):
  return estimate == (pytest.approx(mean), pytest.approx(standard_error))


def test_a_difference_is_taken_seed_by_seed(folder):
  row, = rows(folder, NO_NORM)
  assert [run.seed for run in row.runs] == [0, 1, 2]
  assert close(row.top1, 3, (14 / 6) ** 0.5)
  assert close(row.top5, -1, 0)
  assert row.crops == 'ten'
  assert row.worse == (3, 3, 0.25)


def test_an_absolute_claim_has_the_mean_error(folder):
  row, = rows(folder, BASELINE)
  assert close(row.top1, 42, 2 / 3**0.5)
  assert close(row.top5, 50, 0)


def test_a_row_has_signs_and_the_difference_to_the_claim(folder):
  text = markdown(folder, NO_NORM, BASELINE)
  assert line(text, 'no norm')[:10] == [
      'no norm (small)', '3.3', '+1.37 / +1.15 (#148)',
      '+3.00 +- 1.53 / -1.00 +- 0.00', '+1.63 / -2.15', '3 of 3 (p = 0.25)',
      'ten',
      'tiny, 72 pixels', '100', '0, 1, 2']
  assert line(text, 'the net')[2:7] == [
      '40.66 / 18.21 (#145)', '42.00 +- 1.15 / 50.00 +- 0.00',
      '+1.34 / +31.79', '', 'ten']


def test_a_claim_that_was_not_run_has_the_command_that_would(folder):
  text = markdown(folder, TANH, NO_NORM)
  assert line(text, 'tanh') == [
      'tanh', '3.1', '- / +2.50 (nowhere given)',
      '`python launch.py --config=configs/ablations.py:tanh`']
  order = [text.index(part) for part in (
      '## Claims', '| no norm', '## All runs', '## Not run', '| tanh')]
  assert order == sorted(order)
  assert '## Not run' not in markdown(folder, NO_NORM)


def test_numbers_of_others_and_of_averages_are_among_those_not_run(folder):
  others = Claim('', 'sparse coding', '6', '', 47.1, 28.2, 'Table 1')
  average = others._replace(what='five', command='python launch.py --task=x')
  text = markdown(folder, others, average)
  assert '## Claims' not in text
  assert line(text, 'sparse') == [
      'sparse coding', '6', '47.10 / 28.20 (Table 1)', 'of others']
  assert line(text, 'five')[3] == '`python launch.py --task=x`'


def test_a_claim_of_one_form_and_one_test_has_only_such_runs(tmp_path):
  for form, top1 in (('20,4000', 0.1), ('20', 0.2), ('plain20,4000', 0.3)):
    workdirs.write(tmp_path, f'history/cifar_resnet.py:{form}', 0, top1)
  claim = Claim('history/cifar_resnet', 'ResNet', '4.2', '', 8.75, None,
                'Table 6', form='20')
  assert [row.top1.mean for row in rows(tmp_path, claim)] == pytest.approx(
      [20, 10])
  one, = rows(tmp_path, claim._replace(form='20,4000', crops='one'))
  assert one.crops == 'one' and one.top1.mean == pytest.approx(15)
  assert rows(tmp_path, claim._replace(crops='nine'))[0].runs == ()


def test_a_number_that_is_not_given_is_not_subtracted(tmp_path):
  workdirs.write(tmp_path, 'ablations.py:baseline', 0, 0.4)
  workdirs.write(tmp_path, 'ablations.py:tanh', 0, 0.5, 0.52)
  assert line(markdown(tmp_path, TANH), 'tanh')[2:5] == [
      '- / +2.50 (nowhere given)', '+10.00 / +2.00', '- / -0.50']
  claim = TANH._replace(top5_error=None)
  assert line(markdown(tmp_path, claim), 'tanh')[2:5] == [
      'nowhere given', '+10.00 / +2.00', '']


@pytest.mark.parametrize('config, other', [
    ('ablations.py:no_norm,paper', {}),
    ('ablations.py:no_norm', {}),
    *(('ablations.py:no_norm,small', other) for other in (
        {'steps': 101}, {'path': '/data/photos'}, {'train_examples': 10},
        {'flags': '--config.optimizer.momentum=0.5'}, {'init_from': '/pre'}))])
def test_runs_under_other_conditions_are_not_compared(tmp_path, config, other):
  workdirs.write(tmp_path, 'ablations.py:baseline,small', 0, 0.4)
  workdirs.write(tmp_path, config, 0, 0.5, **other)
  assert line(markdown(tmp_path, NO_NORM), 'no norm')[3:6] == [
      'no run of ablations/baseline to compare with', '', '']


def test_seeds_may_begin_with_networks_of_their_own(tmp_path):
  for seed, origin in enumerate(('other-0', 'other-1/', 'another-2')):
    workdirs.write(tmp_path, 'ablations.py:baseline', seed, 0.4,
                   init_from=origin)
  assert [[run.seed for run in group] for group in report_table.grouped(
      workdirs.read(tmp_path))] == [[2], [0, 1]]


@pytest.mark.parametrize('config, other', [
    ('ablations/no_norm.py:small', {}),  # an old run, when each was a file
    *(('ablations.py:no_norm,small', other) for other in (
        {'path': '/elsewhere/tiny'}, {'flags': '--config.run.threads=4'},
        {'flags': '--config.mesh.column=2'}))])
def test_runs_made_elsewhere_are_compared(tmp_path, config, other):
  workdirs.write(tmp_path, 'ablations.py:baseline,small', 0, 0.4)
  workdirs.write(tmp_path, config, 0, 0.5, **other)
  row, = rows(tmp_path, NO_NORM)
  assert close(row.top1, 10, None)


def test_every_form_and_length_has_its_row(folder):
  for name, top1 in (('baseline', 0.3), ('no_norm', 0.2)):
    workdirs.write(
        folder / 'longer', f'ablations.py:{name},small', 0, top1, steps=200)
    workdirs.write(folder, f'ablations.py:{name},paper', 0, top1 + 0.1)
  assert [(row.runs[0].form, row.runs[0].steps, len(row.runs))
          for row in rows(folder, NO_NORM)] == [
              ('paper', 100, 1), ('small', 100, 3), ('small', 200, 1)]


def test_runs_with_other_fields_are_not_seeds_of_one_experiment(tmp_path):
  for seed, flags in ((0, ''), (1, '--config.optimizer.momentum=0.5')):
    workdirs.write(tmp_path, 'quickstart.py', seed, 0.5, flags=flags)
  groups = report_table.grouped(workdirs.read(tmp_path))
  assert [len(group) for group in groups] == [1, 1]


def test_a_run_made_before_a_field_existed_is_a_seed_of_the_later_ones(
    tmp_path):
  for seed in (0, 1):
    workdir = workdirs.write(tmp_path, 'quickstart.py', seed, 0.5)
    path = pathlib.Path(workdir, 'config.json')
    config = json.loads(path.read_text())
    config['optimizer'] |= {'clip_norm': 0.0} if seed else {}
    path.write_text(json.dumps(config))
  group, = report_table.grouped(workdirs.read(tmp_path))
  assert [run.seed for run in group] == [0, 1]


def test_the_test_compared_is_one_that_both_have(tmp_path):
  workdirs.write(tmp_path, 'ablations.py:baseline', 0, 0.4, crops='one')
  workdirs.write(tmp_path, 'ablations.py:no_norm', 0, 0.5)
  row, = rows(tmp_path, NO_NORM)
  assert row.crops == 'one' and close(row.top1, 10, None)


def test_a_run_that_was_made_twice_counts_once(tmp_path):
  workdirs.write(tmp_path / 'a', 'quickstart.py', 0, 0.5)
  again = workdirs.write(tmp_path / 'b', 'quickstart.py', 0, 0.3)
  text = markdown(tmp_path)
  assert line(text, 'quickstart')[1].startswith('50.00')
  assert f'repeat an experiment with the same seed: `{again}`.' in text
  assert 'not finished: `/begun`.' in text


def test_all_runs_have_their_errors_and_a_command_to_paste(tmp_path):
  for seed in (4, 5):
    workdirs.write(
        tmp_path, 'quickstart.py', seed, 0.3 + seed / 10,
        flags="'--config.model.neurons=(8, 8)'", init_from='pre')
  assert line(markdown(tmp_path, NO_NORM), 'quickstart') == [
      'quickstart.py', '75.00 +- 5.00 / 50.00 +- 0.00', 'ten',
      'tiny, 72 pixels', '100', '4, 5', '1.0',
      '`python launch.py --config=configs/quickstart.py --config.seed=4'
      " '--config.model.neurons=(8, 8)' --init_from=pre`"]


def test_the_head_names_the_data_of_the_numbers(folder):
  workdirs.write(folder, 'quickstart.py', 0, 0.5, name='procedural')
  head = markdown(folder).split('##')[0]
  assert 'procedural, 72 pixels; tiny, 72 pixels' in head
  assert 'compare signs and not sizes' in head


def test_figure_1_has_its_ratio(tmp_path):
  workdirs.write(tmp_path, 'cifar10/figure1.py', 0, 0.5,
                 flags='--config.data.path=/data/cifar')
  assert line(markdown(tmp_path, FIGURE), 'ReLU')[3] == (
      '`python launch.py --config=configs/cifar10/figure1.py --task=figure1`')
  (tmp_path / 'cifar10_figure1.py/figure1.json').write_text(json.dumps({
      'ratio': 4.5, 'ratio_sign': '>', 'seed': 0, 'nonlinearities': {
          'relu': {'steps': 200}, 'tanh': {'steps': 900}}}))
  text = markdown(tmp_path, FIGURE)
  assert line(text, 'ReLU') == [
      'ReLU is faster', '3.1', '6 times (Figure 1)', 'more than 4.5 times',
      '-1.5', '', '', 'tiny, 72 pixels', 'relu 200; tanh 900', '0',
      '`python launch.py --config=configs/cifar10/figure1.py'
      ' --config.data.path=/data/cifar --task=figure1`']
  assert 'All runs' not in text
