"""Several configs in turn: ordinary runs, one table, all of it resumable."""

import json
import os

import html_page
import pytest
import tiny

from alexnet_jax.errors import InputError
from alexnet_jax.pages import comparison_page, markup
from alexnet_jax.results import runs, sweeps
from alexnet_jax.results.runs import Estimate, Run
from alexnet_jax.results.sweeps import Variant
from alexnet_jax.run import commands, training, typed_config
from alexnet_jax.tasks import compare

pytestmark = pytest.mark.slow

FIRST, SECOND = 'configs/quickstart.py', 'configs/trials/faster.py:small'
SEEDS = (0, 1)
# One column and one patch, and configs that differ in nothing but the rate:
# most of the time goes into compilation.
SHORT = {'model.num_columns': 1, 'run.views': 1, 'run.steps': 3,
         'run.evaluate_every': 3, 'run.log_every': 1}
OVERRIDES = {'run.steps': 3}


def both(**fields):
  """Two tiny configs, of which the second names other examples."""
  return sweeps.variants([
      (FIRST, tiny.config(SHORT)),
      (SECOND, tiny.config(SHORT | {
          'optimizer.learning_rate': 0.02, 'data.train_examples': 48,
          **fields}))], (), compare.EXAMPLES)


def run(configs, workdir, overrides=OVERRIDES):
  return compare.compare(
      configs[0].config, str(workdir), configs, SEEDS, overrides)


@pytest.fixture(scope='module')
def compared(tmp_path_factory):
  """(workdir, what was printed, table) of a comparison that was stopped once.

  At the tenth step of twelve, so in its fourth run.
  """
  workdir = str(tmp_path_factory.mktemp('compared'))
  with pytest.MonkeyPatch.context() as monkeypatch:
    tiny.ask_to_stop_at(10, monkeypatch)
    assert run(both(), workdir) == []
  assert not os.path.exists(os.path.join(workdir, compare.TABLE))
  printed = []
  with pytest.MonkeyPatch.context() as monkeypatch:
    monkeypatch.setattr('builtins.print', lambda text, file=None: (
        printed.append(text) if file is None else None))
    table = run(both(), workdir)
  return workdir, '\n'.join(printed), table


def workdirs(folder):
  return {(path, seed): os.path.join(folder, name, f'seed_{seed}')
          for path, name in ((FIRST, 'quickstart'),
                             (SECOND, 'trials/faster-small'))
          for seed in SEEDS}


def test_every_run_is_what_it_would_be_alone(compared, tmp_path):
  there = workdirs(compared[0])
  for path, config, _ in both():  # of which the second was stopped and resumed
    config.seed = 1
    config.data.train_examples = 64  # the first config's
    training.train(typed_config.read(config), str(tmp_path / path))
    assert tiny.metrics(tmp_path / path) == tiny.metrics(there[path, 1])


def test_a_page_shows_errors_and_the_fields_that_differ(compared):
  workdir, printed, _ = compared
  page = html_page.read(os.path.join(workdir, 'compare.html'))
  assert printed.endswith(f'on one page: {workdir}/compare.html')
  at = page.cells.index('field')
  assert page.cells[at:at + 6] == [
      'field', FIRST, SECOND, 'optimizer.learning_rate', '0.01', '0.02']
  assert page.cells[at + 6] == 'workdir'  # no other field differs
  for (path, seed), folder in workdirs(workdir).items():
    run = runs.read(folder)
    at = page.cells.index(os.path.relpath(folder, workdir))
    assert page.cells[at + 1:at + 4] == [
        path, str(seed), markup.percent(run.errors['one_crop_top1_error'])]
    assert f'--workdir={folder}' in page.words


def test_a_page_that_cannot_be_written_is_said(compared, tmp_path):
  trained = [(FIRST, [runs.read(workdirs(compared[0])[FIRST, 0])])]
  (tmp_path / 'compare.html').mkdir()
  said = comparison_page.make(str(tmp_path), trained, (), [])
  assert 'The comparison is finished, but its page' in said
  assert 'compare.html: it is a folder' in said


def test_a_run_says_by_which_command_it_can_be_made(compared):
  for (path, seed), workdir in workdirs(compared[0]).items():
    with open(os.path.join(workdir, 'command.txt'), encoding='utf-8') as file:
      command = file.read()
    given, overrides, _ = commands.parse(command)
    examples = {'data.train_examples': '64'} if path == SECOND else {}
    assert given == path
    assert overrides == {'run.steps': '3', 'seed': str(seed), **examples}
    assert command.endswith(f'--workdir={workdir}\n')


def test_the_table_has_means_and_paired_differences(compared):
  workdir, printed, table = compared
  errors = {key: runs.read(at).errors for key, at in workdirs(workdir).items()}
  assert [(row.config, row.patches) for row in table] == [
      (FIRST, 'one'), (SECOND, 'one')]
  for row in table:
    own = [100 * errors[row.config, seed][f'{row.patches}_crop_top1_error']
           for seed in SEEDS]
    base = [100 * errors[FIRST, seed][f'{row.patches}_crop_top1_error']
            for seed in SEEDS]
    assert row.seeds == SEEDS and row.steps == 3 and row.minutes.mean > 0
    assert row.top1_error == (
        pytest.approx(sum(own) / 2), pytest.approx(abs(own[0] - own[1]) / 2))
    if row.config == FIRST:
      assert row.top1_difference is None
    else:
      gaps = [a - b for a, b in zip(own, base, strict=True)]
      assert row.top1_difference == (
          pytest.approx(sum(gaps) / 2),
          pytest.approx(abs(gaps[0] - gaps[1]) / 2))
    assert runs.as_text(row.top1_error) in printed


def test_the_table_is_there_for_programs_too(compared):
  workdir, _, table = compared
  with open(os.path.join(workdir, 'compare.json'), encoding='utf-8') as file:
    made = json.load(file)
  assert [(run['config'], run['seed']) for run in made['runs']] == [
      (path, seed) for path in (FIRST, SECOND) for seed in SEEDS]
  assert made['runs'][0]['one_crop_top1_error'] == runs.read(
      made['runs'][0]['workdir']).errors['one_crop_top1_error']
  assert made['rows'][1]['top5_difference'] == (
      table[1].top5_difference._asdict())


def test_what_is_finished_is_not_run_again(compared, monkeypatch):
  workdir, _, table = compared
  monkeypatch.setattr(training, 'train', None)
  assert run(both(), workdir) == table


def test_a_longer_comparison_goes_on_with_the_same_runs(compared, monkeypatch):
  asked = []
  monkeypatch.setattr(training, 'train', lambda settings, workdir, **_: (
      asked.append((settings.run.steps, workdir)) or {}))
  longer = both()
  for _, config, _ in longer:
    config.run.steps = 4
  assert run(longer, compared[0]) == []
  assert asked == [(4, workdirs(compared[0])[FIRST, 0])]


def test_one_bar_counts_the_images_of_all_runs(compared, monkeypatch):
  bars = []
  monkeypatch.setattr(
      training, 'train', lambda settings, workdir, bar, **_: (
          bars.append((bar.n, bar.total)) or {}))
  configs = both()
  compare.compare(
      configs[0].config, compared[0], configs, (*SEEDS, 2), OVERRIDES)
  assert bars == [(4 * 3 * 16, 6 * 3 * 16)]  # runs x steps x batch size


def test_a_sweep_trains_each_value_and_the_table_says_which(tmp_path, capsys):
  configs = sweeps.variants(
      [(FIRST, tiny.config(SHORT))], ['optimizer.weight_decay=0.0,0.5'],
      compare.EXAMPLES)
  table = compare.compare(
      configs[0].config, str(tmp_path), configs, (0,), OVERRIDES)
  for value, row in zip((0.0, 0.5), table, strict=True):
    assert row.changed == {'optimizer.weight_decay': value}
    own = runs.read(str(
        tmp_path / f'quickstart/optimizer.weight_decay={value}/seed_0'))
    assert own.config['optimizer']['weight_decay'] == value
    assert own.overrides['optimizer.weight_decay'] == str(value)
    assert row.top1_error.mean == 100 * own.errors['one_crop_top1_error']
  head, *lines, _ = capsys.readouterr().out.splitlines()
  assert head.split()[:3] == ['config', 'optimizer.weight_decay', 'patches']
  assert [line.split()[:3] for line in lines] == [
      [FIRST, '0.0', 'one'], [FIRST, '0.5', 'one']]
  with open(tmp_path / compare.TABLE, encoding='utf-8') as file:
    made = json.load(file)
  assert [row['changed'] for row in made['rows'] + made['runs']] == 2 * [
      {'optimizer.weight_decay': 0.0}, {'optimizer.weight_decay': 0.5}]


@pytest.mark.parametrize('fields, parts', [
    ({'optimizer.batch_size': 100},
     [SECOND, 'batch_size=100', '64 training examples']),
    ({'model.nonlinearity': 'tan'}, [SECOND, "'tan'"]),
])
def test_a_config_that_cannot_work_is_refused_before_the_first_runs(
    tmp_path, fields, parts):
  with pytest.raises(InputError) as error:
    run(both(**fields), tmp_path)
  for part in parts:
    assert part in str(error.value)
  assert not list(tmp_path.iterdir())


def test_runs_of_other_experiments_are_refused_before_the_first_goes_on(
    compared, monkeypatch):
  monkeypatch.setattr(training, 'train', None)
  with pytest.raises(InputError) as error:
    run(both(**{'optimizer.momentum': 0.5}), compared[0])
  for part in (SECOND, 'config.optimizer.momentum=0.9', 'faster-small/seed_0'):
    assert part in str(error.value)


def test_the_same_config_twice_is_refused(tmp_path):
  given = [*both(), Variant('./configs/quickstart.py', tiny.config(), {})]
  with pytest.raises(InputError) as error:
    run(given, tmp_path)
  for part in (FIRST, 'twice', 'each config once'):
    assert part in str(error.value)


@pytest.mark.parametrize('path, folder', [
    ('configs/paper.py', 'paper'),
    ('configs/ablations.py:no_norm,small', 'ablations/no_norm-small'),
    ('/home/me/alexnet/configs/cifar10/relu.py', 'cifar10/relu'),
    ('../mine.py:2', 'mine-2'),
])
def test_a_folder_is_named_after_its_config(path, folder):
  assert Variant(path, tiny.config(), {}).folder == folder


def test_seeds_are_whole_numbers_with_commas():
  assert compare.parse_seeds('0') == (0,)
  assert compare.parse_seeds('3, 1,2') == (3, 1, 2)


@pytest.mark.parametrize('text', ['', 'a', '0;1', '0,', '-1', '1.5', '1,01'])
def test_other_seeds_are_refused(text):
  with pytest.raises(InputError) as error:
    compare.parse_seeds(text)
  for part in (f'--seeds={text} ', 'no list of seeds', '--seeds=0,1'):
    assert part in str(error.value)


def a_run(seed, top1, views='ten', steps=5):
  return Run('', 'configs/a.py', {}, '', {'seed': seed}, steps, {
      f'{view}_crop_top{k}_error': top1 for view in ('one', views)
      for k in (1, 5)}, 1.0)


def variant(path, **changed):
  return Variant(path, tiny.config(), changed)


def test_tests_that_the_first_config_does_not_make_have_no_difference():
  table = compare.rows([(variant('a'), [a_run(0, 0.5)]),
                        (variant('b'), [a_run(0, 0.25, 'nine')])])
  assert [(row.config, row.patches, row.top1_difference) for row in table] == [
      ('a', 'one', None), ('a', 'ten', None),
      ('b', 'one', Estimate(-25.0, None)), ('b', 'nine', None)]


def test_the_text_has_a_line_a_row_under_its_heads():
  text = compare.as_text(compare.rows([
      (variant('a'), [a_run(0, 0.5), a_run(1, 0.25)]),
      (variant('long_name'), [a_run(0, 0.5), a_run(1, 0.5)])]))
  head, *lines, note = text.splitlines()
  assert head.startswith('config     patches  seeds  steps')
  assert lines[1].split() == [
      'a', 'ten', '0,1', '5', '1.0', *['37.50', '+-', '12.50'] * 2]
  assert lines[3].split()[-6:] == ['+12.50', '+-', '12.50'] * 2
  assert 'standard error' in note
