"""config.run.patience ends a run whose validation error no longer improves."""

import pytest
import tiny

from alexnet_jax.run import loop, training, typed_config
from alexnet_jax.run.checkpoint import Metadata
from alexnet_jax.run.loop import Cadence

# Weights that stay as they are have the same error at every validation: the
# first is the best, and two more are waited for.
FIELDS = {'optimizer.learning_rate': 1e-30, 'run.steps': 20, 'run.patience': 2,
          'run.save_every': 100}


def train(workdir):
  return training.train(typed_config.read(tiny.config(FIELDS)), str(workdir))


@pytest.fixture(scope='module')
def ended(tmp_path_factory):
  """(workdir, errors) of a run that its patience ended."""
  workdir = tmp_path_factory.mktemp('ended')
  return workdir, train(workdir)


def test_a_run_ends_after_validations_without_a_new_best(ended):
  workdir, errors = ended
  assert [line['step'] for line in tiny.metrics(workdir, 'validation')] == [
      2, 4, 6]
  final, = tiny.metrics(workdir, 'final')
  assert final['step'] == 6 and final['one_crop_top1_error'] == errors[
      'one_crop_top1_error']
  assert tiny.steps(workdir)[-1] == 6


@pytest.mark.slow
def test_a_run_that_was_stopped_waits_as_long_in_all(
    ended, tmp_path, monkeypatch):
  with pytest.MonkeyPatch.context() as stopping:
    tiny.ask_to_stop_at(5, stopping)
    assert train(tmp_path) == {}
  assert train(tmp_path) == ended[1]
  assert tiny.metrics(tmp_path) == tiny.metrics(ended[0])


def test_a_run_that_has_ended_stays_so_and_says_why(ended, capfd):
  workdir, errors = ended
  assert train(workdir) == errors
  assert tiny.metrics(workdir)[-1]['step'] == 6
  said = capfd.readouterr().err
  for part in ('Ended at step 6 of 20', '2 validations in a row', 'at step 2',
               'config.run.patience', 'final test is of the last step',
               '--checkpoint=best'):
    assert part in said


def counted(errors, patience):
  """(best error, its step, validations since, whether the run ends)."""
  metadata = Metadata({}, (), 0)
  for step, error in enumerate(errors):
    metadata = loop.with_validation(metadata, step, error)
  return (metadata.best_error, metadata.best_step, metadata.waited,
          loop.is_stale(metadata, Cadence(9, 1, 1, 1, patience=patience)))


@pytest.mark.parametrize('errors, patience, expected', [
    ([], 1, (None, 0, 0, False)),
    ([0.5], 1, (0.5, 0, 0, False)),
    ([0.5, 0.5], 1, (0.5, 0, 1, True)),
    ([0.5, 0.6, 0.4, 0.4], 2, (0.4, 2, 1, False)),
    ([0.5, 0.6, 0.4, 0.4, 0.7], 2, (0.4, 2, 2, True)),
    ([0.5, float('nan'), 0.6], 3, (0.5, 0, 2, False)),
    ([0.5] * 9, 0, (0.5, 0, 8, False))])
def test_only_a_lower_error_is_a_new_best(errors, patience, expected):
  assert counted(errors, patience) == expected
