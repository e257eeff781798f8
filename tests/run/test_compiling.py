"""What is compiled in another thread is what runs, and is compiled once."""

import logging
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import program
import pytest
import tiny

from alexnet_jax.run import compiling, training, typed_config


@pytest.fixture
def compilations(caplog):
  """A function: how often a function of this name was compiled."""
  jax.config.update('jax_log_compiles', True)
  caplog.set_level(logging.WARNING, 'jax')
  yield lambda name: len(re.findall(
      rf'Finished XLA compilation of jit\({name}\)', caplog.text))
  jax.config.update('jax_log_compiles', False)


def halved(tree):
  return jax.tree.map(lambda x: x / 2, tree)


def test_what_was_compiled_ahead_is_what_a_call_runs(compilations):
  function = compiling.CompiledAhead(jax.jit(halved))
  argument = {'a': jnp.arange(6.0), 'b': jnp.ones((2, 3))}
  function.begin(jax.eval_shape(lambda: argument))
  ours = jax.device_get(function(argument))
  assert ours['a'].tolist() == [0, 0.5, 1, 1.5, 2, 2.5]
  assert compilations('halved') == 1


def test_other_arguments_compile_again(compilations):
  function = compiling.CompiledAhead(jax.jit(halved))
  function.begin(jax.ShapeDtypeStruct((3,), jnp.float32))
  assert jax.device_get(function(jnp.ones(5))).tolist() == [0.5] * 5
  assert compilations('halved') == 2


def test_what_goes_wrong_in_the_thread_reaches_the_caller():
  function = compiling.CompiledAhead(jax.jit(lambda x: x @ x))
  function.begin(jax.ShapeDtypeStruct((2, 3), jnp.float32))
  with pytest.raises(TypeError, match='dot_general'):
    function(jnp.ones((2, 2)))


ENDLESS = """
import threading
from alexnet_jax import errors, signals
from alexnet_jax.run import compiling, lost_process

class Endless:
  def lower(self):
    threading.Event().wait()

signals.watch()
with lost_process.end_without_waiting():
  compiling.CompiledAhead(Endless()).begin()
  print('begun')
  errors.refuse('a.png cannot be read: remove it.')
"""


def test_a_refusal_does_not_wait_for_what_is_being_compiled():
  done = subprocess.run(
      [sys.executable, '-c', ENDLESS], cwd=program.ROOT, text=True,
      capture_output=True, timeout=240)
  assert (done.returncode, done.stdout, done.stderr) == (
      2, 'begun\n', 'launch.py: a.png cannot be read: remove it.\n')


@pytest.mark.slow
def test_a_run_compiles_its_step_once(compilations, tmp_path):
  six = typed_config.read(tiny.config({'run.evaluate_every': 3}))
  nine = typed_config.read(tiny.config(
      {'run.evaluate_every': 3, 'run.steps': 9}))
  training.train(six, str(tmp_path))
  assert compilations('train_step') == 1
  training.train(six, str(tmp_path))  # it is finished
  assert compilations('train_step') == 1
  training.train(nine, str(tmp_path))  # from its checkpoint
  assert compilations('train_step') == 2


@pytest.mark.slow
def test_a_run_on_four_devices_compiles_its_step_once(compilations, tmp_path):
  training.train(typed_config.read(tiny.config(
      {'mesh.data': 2, 'mesh.column': 2, 'run.hold_data': False,
       'run.steps': 2})), str(tmp_path))
  assert compilations('train_step') == 1
