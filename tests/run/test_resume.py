"""A run that was interrupted ends as the run that never was, to the bit."""

import os
import random
import signal
import time

import numpy as np
import program
import pytest
import tiny

from alexnet_jax.errors import InputError
from alexnet_jax.run import training, typed_config


def stop_at(step, config, workdir):
  """Trains until somebody asks for a stop at `step`."""
  with pytest.MonkeyPatch.context() as monkeypatch:
    tiny.ask_to_stop_at(step, monkeypatch)
    assert training.train(typed_config.read(config), str(workdir)) == {}


@pytest.mark.parametrize('step', [3, 4])  # of which one has a validation
def test_six_steps_are_so_many_and_the_rest(trained, tmp_path, step):
  config, workdir, errors = trained
  stop_at(step, config, tmp_path)
  assert tiny.steps(tmp_path)[-1] == step
  assert training.train(typed_config.read(config), str(tmp_path)) == errors
  tiny.assert_same(tiny.state(config, str(tmp_path)),
                   tiny.state(config, workdir))
  assert tiny.metrics(tmp_path) == tiny.metrics(workdir)


@pytest.mark.slow
def test_lines_of_several_steps_read_as_if_the_run_had_not_stopped(tmp_path):
  config = tiny.config({'run.log_every': 4})
  training.train(typed_config.read(config), str(tmp_path / 'whole'))
  stop_at(3, config, tmp_path / 'parts')
  training.train(typed_config.read(config), str(tmp_path / 'parts'))
  assert tiny.metrics(tmp_path / 'parts') == tiny.metrics(tmp_path / 'whole')


@pytest.mark.slow
def test_a_finished_run_stays_as_it_is(trained, tmp_path):
  config, workdir, errors = trained
  training.train(typed_config.read(config), str(tmp_path))
  assert training.train(typed_config.read(config), str(tmp_path)) == errors
  assert tiny.metrics(tmp_path) == tiny.metrics(workdir)


@pytest.mark.slow
@pytest.mark.parametrize('full_layers', ['data', 'model'])
def test_a_run_goes_on_upon_another_mesh(trained, tmp_path, full_layers):
  config, workdir, errors = trained
  stop_at(3, config, tmp_path)
  there = training.train(
    typed_config.read(tiny.config({
        'mesh.data': 2, 'mesh.column': 2, 'mesh.full_layers': full_layers})),
    str(tmp_path),
  )
  assert there == pytest.approx(errors, abs=1e-4)
  tiny.assert_close(tiny.state(config, str(tmp_path)),
                    tiny.state(config, workdir))
  np.testing.assert_allclose(
      tiny.losses(tmp_path), tiny.losses(workdir), rtol=1e-4)


@pytest.mark.slow
def test_a_run_can_be_made_longer(trained, tmp_path):
  config, workdir, errors = trained
  training.train(
      typed_config.read(tiny.config({'run.steps': 4})), str(tmp_path))
  assert training.train(typed_config.read(config), str(tmp_path)) == errors
  tiny.assert_same(tiny.state(config, str(tmp_path)),
                   tiny.state(config, workdir))


@pytest.mark.parametrize('field, value', [
    ('model.kernels', (4, 4, 6, 6, 6)),
    ('data.train_examples', 60),
    ('data.reshuffle', False),
    ('augment.jitter', 0.2),
    ('optimizer.learning_rate', 0.02),
    ('seed', 1),
])
def test_another_experiment_is_not_continued(trained, field, value):
  config, workdir, _ = trained
  with pytest.raises(InputError) as error:
    training.train(typed_config.read(tiny.config({field: value})), workdir)
  was = config
  for name in field.split('.'):
    was = was[name]
  was, value = (list(v) if isinstance(v, tuple) else v for v in (was, value))
  for part in (f'config.{field}={was!r}', repr(value), workdir):
    assert part in str(error.value)


@pytest.mark.slow
def test_sigterm_saves_and_leaves_with_success(compiled, tmp_path):
  process = program.start(
      [*tiny.flags({'run.steps': 10**6, 'run.save_every': 10**6,
                    'run.evaluate_every': 10**6}),
       f'--workdir={tmp_path}'], compiled)
  program.wait_for(lambda: os.path.exists(tmp_path / 'metrics.jsonl')
           and len(tiny.metrics(tmp_path)) > 1, process)
  process.send_signal(signal.SIGTERM)
  code, _, err = program.finish(process)
  assert code == 0, err
  last = tiny.metrics(tmp_path)[-1]['step']
  assert tiny.steps(tmp_path) == [last]
  assert f'saved step {last}. The same command goes on' in err


@pytest.fixture(scope='module')
def undisturbed(compiled, tmp_path_factory):
  """(arguments, config, workdir) of a run of 150 steps by the program."""
  fields = {'run.steps': 150, 'run.evaluate_every': 30, 'run.save_every': 7,
            'run.log_every': 1, 'optimizer.plateau_patience': 1}
  workdir = str(tmp_path_factory.mktemp('undisturbed'))
  program.launch([*tiny.flags(fields), f'--workdir={workdir}'], compiled)
  return tiny.flags(fields), tiny.config(fields), workdir


@pytest.mark.slow
@pytest.mark.parametrize('kills', [1, 3])
def test_a_killed_run_ends_as_if_it_had_not_been(
    undisturbed, compiled, tmp_path, kills):
  arguments, config, workdir = undisturbed
  arguments = [*arguments, f'--workdir={tmp_path}']
  chance = random.Random(kills)
  saved = 0
  for _ in range(kills):
    process = program.start(arguments, compiled)
    program.wait_for(lambda before=saved: newest(tmp_path) > before, process)
    time.sleep(chance.uniform(0, 0.3))
    assert process.poll() is None  # still at work, or nothing is tested
    program.kill(process)
    saved = newest(tmp_path)
  assert 0 < saved < 150
  program.launch(arguments, compiled)
  tiny.assert_same(tiny.state(config, str(tmp_path)),
                   tiny.state(config, workdir))
  assert tiny.metrics(tmp_path) == tiny.metrics(workdir)


def newest(workdir):
  there = os.path.isdir(os.path.join(workdir, 'checkpoints'))
  return max(tiny.steps(workdir), default=0) if there else 0
