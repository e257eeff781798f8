"""Damaged checkpoints are found, named, set aside, and never used."""

import os
import shutil

import jax
import pytest
import tiny

from alexnet_jax.errors import InputError
from alexnet_jax.run import (
  checkpoint,
  checksums,
  damage,
  training,
  typed_config,
)
from alexnet_jax.run import trained as networks

NEWEST, OLDER = 6, 4  # the checkpoints of the run of `trained`


@pytest.fixture
def run(trained, tmp_path):
  """A copy of a run that may be damaged; its folder of checkpoints."""
  shutil.copytree(trained[1], tmp_path / 'run')
  return tmp_path / 'run' / checkpoint.FOLDER


@pytest.fixture
def old_run(run):
  """A copy of a run of a version that wrote no checksums."""
  for step in (NEWEST, OLDER):
    (run / str(step) / checksums.FILE).unlink()
  return run


def workdir(folder):
  return str(folder.parent)


def largest(step):
  """The file with most of the arrays."""
  return max((path for path in (step / 'state').rglob('*') if path.is_file()),
             key=lambda path: path.stat().st_size)


def flip_a_bit(step, path=None):
  path = path or largest(step)
  content = bytearray(path.read_bytes())
  content[len(content) // 2] ^= 4
  path.write_bytes(content)


def cut(step, path=None, share=2):
  path = path or largest(step)
  os.truncate(path, path.stat().st_size // share)


def make_a_file(step):
  shutil.rmtree(step)
  step.write_bytes(b'')


def make_empty(step):
  shutil.rmtree(step)
  step.mkdir()


# What may happen to a checkpoint -> a part of the reason that is given.
DAMAGES = {
    'bit': (flip_a_bit, 'is not as saved'),
    'cut': (cut, 'another size'),
    'emptied': (lambda step: os.truncate(largest(step), 0), 'another size'),
    'removed': (lambda step: largest(step).unlink(), 'is missing'),
    'bit of metadata': (
        lambda step: flip_a_bit(step, step / 'about/metadata'), 'metadata'),
    'bit of errors': (
        lambda step: flip_a_bit(step, step / 'metrics/metrics'), 'metrics'),
    'no JSON in Orbax': (
        lambda step: (step / 'state/_METADATA').write_bytes(b'\0{'), 'size'),
    'no times': (
        lambda step: (step / '_CHECKPOINT_METADATA').write_text('[]'),
        '_CHECKPOINT_METADATA cannot be read'),
    'no checksums': (
        lambda step: (step / checksums.FILE).write_text('{}'),
        'checksums.json cannot be read'),
    'odd checksums': (
        lambda step: (step / checksums.FILE).write_text('{"state/a": 1}'),
        'state/a cannot be read'),
    'no state': (lambda step: shutil.rmtree(step / 'state'), 'is missing'),
    'empty': (make_empty, 'about/metadata cannot be read'),
    'file': (make_a_file, 'a file, not a folder'),
}
OLD_DAMAGES = {
    'cut': cut,
    'emptied': lambda step: os.truncate(largest(step), 0),
    'removed': lambda step: largest(step).unlink(),
    'no JSON in Orbax': DAMAGES['no JSON in Orbax'][0],
    'metadata': lambda step: (step / 'about/metadata').write_bytes(b'\xff'),
    'no state': DAMAGES['no state'][0],
    'empty': make_empty,
}


def check_that_the_older_is_used(folder, trained, capfd, reason):
  """The newest is named and not used, by readers and by a resumed run."""
  capfd.readouterr()
  network = networks.open_trained(workdir(folder))
  assert network.step == OLDER
  err = capfd.readouterr().err
  assert (f'Step {NEWEST} of {workdir(folder)} is damaged' in err
          and reason in err and f'step {OLDER}' in err), err
  assert 'Traceback' not in err, err
  tiny.assert_same(jax.device_get(network.params),
                   tiny.state(trained[0], trained[1], OLDER).params)
  with pytest.raises(InputError, match=f'step {NEWEST} of .* damaged'):
    networks.open_trained(workdir(folder), str(NEWEST))
  with checkpoint.open_manager(workdir(folder), 3) as manager:
    assert manager.all_steps() == [OLDER]
  err = capfd.readouterr().err
  for part in (f'{folder}/{NEWEST} is damaged', f'{folder}/{NEWEST}.damaged',
               f'step {OLDER} is the newest sound one'):
    assert part in err, err
  assert (folder / f'{NEWEST}.damaged').exists()


@pytest.mark.slow
@pytest.mark.parametrize('name', DAMAGES)
def test_a_damaged_checkpoint_is_named_and_not_used(
    name, run, trained, capfd):
  damage_it, reason = DAMAGES[name]
  damage_it(run / str(NEWEST))
  check_that_the_older_is_used(run, trained, capfd, reason)


@pytest.mark.slow
@pytest.mark.parametrize('name', OLD_DAMAGES)
def test_so_is_one_without_checksums_that_cannot_be_read(
    name, old_run, trained, capfd):
  OLD_DAMAGES[name](old_run / str(NEWEST))
  check_that_the_older_is_used(old_run, trained, capfd, 'cannot be read'
                               if name not in ('no state', 'removed') else '')


def test_a_bit_of_any_file_is_found_or_harmless(run, trained):
  step = run / str(NEWEST)
  for path in sorted(step.rglob('*')):
    if path.is_file():
      content = path.read_bytes()
      flip_a_bit(step, path)
      found = damage.damage(str(run), NEWEST)
      assert found or path.name in (
          'commit_success.txt', '_CHECKPOINT_METADATA'), path
      path.write_bytes(content)
  assert not damage.damage(str(run), NEWEST)


def test_checkpoints_without_checksums_are_used_as_before(old_run, trained):
  assert networks.open_trained(workdir(old_run)).step == NEWEST
  with checkpoint.open_manager(workdir(old_run), 3) as manager:
    assert sorted(manager.all_steps()) == [OLDER, NEWEST]


def test_nothing_is_touched_if_all_are_damaged(run):
  for step in (NEWEST, OLDER):
    cut(run / str(step))
  for open_it in (lambda: networks.open_trained(workdir(run)),
                  lambda: checkpoint.open_manager(workdir(run), 3)):
    with pytest.raises(InputError) as error:
      open_it()
    for part in (f'all checkpoints in {run} are damaged', f'step {NEWEST}: ',
                 f'step {OLDER}: ', 'from a copy', 'another --workdir'):
      assert part in str(error.value)
  assert sorted(os.listdir(run)) == [str(OLDER), str(NEWEST)]


def test_the_best_is_not_guessed(run):
  assert networks.open_trained(workdir(run), 'best').step in (OLDER, NEWEST)
  flip_a_bit(run / str(OLDER), run / str(OLDER) / 'metrics/metrics')
  with pytest.raises(InputError, match=(
      f'step {OLDER} .*damaged.*best.*--checkpoint=latest')):
    networks.open_trained(workdir(run), 'best')


@pytest.mark.slow
def test_a_run_goes_on_from_the_newest_sound_one_to_the_same_end(
    run, trained, capfd):
  config, undisturbed, errors = trained
  cut(run / str(NEWEST))
  assert training.train(typed_config.read(config), workdir(run)) == errors
  err = capfd.readouterr().err
  assert f'Going on from step {OLDER} of {NEWEST}' in err
  assert 'The disk of' not in err  # it has room
  tiny.assert_same(tiny.state(config, workdir(run)),
                   tiny.state(config, undisturbed))
  assert tiny.metrics(workdir(run)) == tiny.metrics(undisturbed)
  assert tiny.steps(workdir(run)) == [OLDER, NEWEST]
  cut(run / str(NEWEST))  # once more: the names do not collide
  training.train(typed_config.read(config), workdir(run))
  assert {f'{NEWEST}.damaged', f'{NEWEST}.damaged-2'} <= set(os.listdir(run))
