"""The page of a run says what its workdir says, whatever is in there."""

import os
import shutil

import numpy as np
import pytest
import tiny
from html_page import read

from alexnet_jax.errors import InputError, printable
from alexnet_jax.pages import markup, numbers, record, run_page
from alexnet_jax.run import journal, training, typed_config
from alexnet_jax.run.trained import open_trained

NAMES = ('<script>alert(1)</script>', '" onload="x', "it's", 'new\nline',
         'שלום\u202e', os.fsdecode(b'caf\xff'), '&amp;')
SECTIONS = ['numbers', 'curves', 'kernels', 'confusions', 'pictures', 'config',
            'commands']


def copy(workdir, folder, command='', final=True):
  """A workdir like another one, with a command line, finished or not."""
  ours = shutil.copytree(workdir, folder / 'run')
  if command:
    (ours / 'command.txt').write_text(command)
  if not final:
    metrics = ours / 'metrics.jsonl'
    metrics.write_text(''.join(
        line for line in metrics.read_text().splitlines(keepends=True)
        if '"final"' not in line))
  return str(ours)


def command(config='configs/quickstart.py'):
  return ' '.join(['python launch.py', f'--config={config}', *(
      f"'--config.{name}={value}'" for name, value in tiny.FIELDS.items())])


def changed(workdir):
  return record.changed(record.read(workdir), journal.read_config(workdir))


@pytest.fixture(scope='module')
def page(trained, tmp_path_factory):
  """(errors, the page) of a run that nothing disturbed."""
  _, workdir, errors = trained
  workdir = copy(workdir, tmp_path_factory.mktemp('page'), command())
  return errors, read(run_page.make(workdir)), workdir


def test_it_has_all_parts_and_links_to_them(page):
  _, shown, workdir = page
  assert [f'#{name}' for name in SECTIONS] == shown.links[:len(SECTIONS)]
  assert os.listdir(workdir).count('report.html') == 1
  assert os.path.getsize(os.path.join(workdir, 'report.html')) < 1e6


def test_the_errors_are_those_of_the_run(page):
  errors, shown, _ = page
  for name in ('ten', 'one'):
    for top in (1, 5):
      error = markup.percent(errors[f'{name}_crop_top{top}_error'])
      assert f'{name} crop' in shown.words
      assert error in shown.words
  assert markup.percent(11 / 12) in shown.words  # chance
  assert 'Finished after 6 steps' in shown.words
  assert '6 steps of 16 images, 1.5 epochs: 96 images seen' in shown.words


@pytest.mark.parametrize('count, shown', [
    (1_281_167, '1,281,167, squares of'), (0, 'not known, squares of')])
def test_training_pictures_that_nobody_counted_are_not_known(
    count, shown, trained):
  _, workdir, _ = trained
  network = open_trained(workdir)._replace(train_examples=count)
  text = numbers.numbers(record.read(workdir), network, network.class_names)
  assert shown in text and ('epochs' in text) == bool(count)


def test_the_kernels_and_pictures_are_there(page):
  _, shown, _ = page
  alts = [image['alt'] for image in shown.images]
  assert sum('kernels of conv1' in alt for alt in alts) == 1
  assert sum('matrix of confusions' in alt for alt in alts) == 1
  pictures = [alt for alt in alts if alt.startswith('A picture of')]
  assert len(pictures) > 24  # evenly spread, worst, least certain
  assert '24 validation pictures' in shown.words


def test_changed_fields_are_marked(page):
  _, shown, workdir = page
  assert {field for field, _, _ in changed(workdir)} == {*tiny.FIELDS}
  row = shown.cells.index('optimizer.batch_size')
  assert shown.cells[row:row + 3] == ['optimizer.batch_size', '16', '32']
  assert '--config.optimizer.batch_size=16' in shown.words


def test_a_config_file_elsewhere_is_not_executed(trained, tmp_path):
  marker = tmp_path / 'executed'
  config = tmp_path / 'configs/mine.py'
  config.parent.mkdir()
  config.write_text(f'open({str(marker)!r}, "w").close()\n')
  workdir = copy(trained[1], tmp_path, command(config))
  assert {field for field, _, before in changed(workdir)
          if before == ''} == {*tiny.FIELDS}
  assert not marker.exists()


@pytest.mark.slow
def test_a_run_that_is_not_finished_shows_its_last_validation(
    trained, tmp_path):
  workdir = copy(trained[1], tmp_path, final=False)
  shown = read(run_page.make(workdir, examples=5))
  last = tiny.metrics(workdir, 'validation')[-1]
  assert markup.percent(last['top1_error']) in shown.words
  assert 'Not finished' in shown.words
  assert 'The command line of this run is not known' in shown.words
  assert '5 validation pictures' in shown.words


@pytest.fixture(scope='module')
def odd(tmp_path_factory):
  """(workdir, photos) of a short run on classes of odd names."""
  folder = tmp_path_factory.mktemp('odd')
  photos = tiny.write_photos(folder / '<b>photos"', [
      name.replace('/', '') for name in NAMES], train=3, val=1)
  workdir = str(folder / "<i>'run")
  training.train(typed_config.read(tiny.config({
      'data.name': 'folder', 'data.path': photos, 'data.train_examples': 0,
      'data.validation_examples': 0, 'run.steps': 1, 'run.views': 1,
      'optimizer.batch_size': 8})), workdir,
      command='python launch.py "--config=<u>&.py" --workdir="<i>\'run"')
  return workdir, photos


@pytest.mark.slow
def test_names_are_shown_and_not_obeyed(odd):
  shown = read(run_page.make(odd[0]))
  for name in NAMES:
    assert printable(name.replace('/', '')) in shown.words
  assert not {'b"', 'i', 'u', 'script'} & set(shown.tags)
  assert '\u202e' not in shown.words
  assert "<i>'run" in shown.words.replace("'\"'\"'", "'")


def test_what_is_missing_is_said_and_the_rest_is_shown(odd, tmp_path):
  workdir, photos = odd
  os.rename(photos, photos + ' elsewhere')
  try:
    shown = read(run_page.make(workdir, str(tmp_path / 'page.html')))
  finally:
    os.rename(photos + ' elsewhere', photos)
  assert shown.words.count('Not shown: ') >= 2
  assert any('kernels of conv1' in image['alt'] for image in shown.images)
  assert os.listdir(tmp_path) == ['page.html']


def test_a_page_that_cannot_be_made_is_said_in_a_sentence(trained, tmp_path):
  workdir = copy(trained[1], tmp_path)
  os.mkdir(os.path.join(workdir, 'report.html'))
  said = run_page.make_at_end(workdir)
  assert 'The run is finished, but its page could not be made' in said
  assert 'report.html: it is a folder' in said
  assert f'--task=page --workdir={workdir}' in said
  shutil.rmtree(os.path.join(workdir, 'checkpoints'))
  assert 'holds no checkpoint' in run_page.make_at_end(workdir)


def test_a_folder_that_is_no_run_is_refused(tmp_path):
  with pytest.raises(InputError, match=f'{tmp_path} holds no run'):
    run_page.make(str(tmp_path))


def test_the_network_looks_at_no_more_pictures_than_that(
    trained, tmp_path, monkeypatch):
  looked = []
  monkeypatch.setattr(run_page.answers, 'measure', lambda network, source, _: (
      looked.append(len(source)) or pytest.fail('enough')))
  with pytest.raises(pytest.fail.Exception):
    run_page.make(trained[1], str(tmp_path / 'a.html'), examples=7)
  assert looked == [7]


def test_a_first_layer_that_reads_no_image_is_said(trained):
  network = run_page.trained.open_trained(trained[1])
  full = network._replace(
      params={'columns': {'conv1': {'kernel': np.zeros((2, 9, 4))}}})
  with pytest.raises(InputError, match='reads no image'):
    run_page._kernels(full)
