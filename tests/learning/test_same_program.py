"""AlexNet's programs are those of before batch statistics, to the letter."""

import hashlib

import jax
import numpy as np
import pytest
import tiny

from alexnet_jax.run import experiment

# Of the lowered program. A change that is meant to alter it renews these lines
# with what the failing test prints.
JAX = '0.10.2'
STEPS = {(): '2cd5c072f602250d',
         (('mesh.data', 2), ('mesh.column', 2)): '4eeb1e33d29d9d58',
         (('precision', 'bfloat16'),): '4cd87148b3511e96'}
TEST = '7dbcc334cedbfd36'


def lowered(fields, which):
  built = experiment.build(
      experiment.read(tiny.config(dict(fields))), 12, 64)
  state = built.state_shapes()
  batch = {'image': jax.ShapeDtypeStruct((16, 72, 72, 3), np.uint8),
           'label': jax.ShapeDtypeStruct((16,), np.int32)}
  if which == 'step':
    program = built.train_step().lower(state, batch)
  else:
    program = built.evaluation_step(10).lower(
        state.variables, state.input_stats,
        batch | {'valid': jax.ShapeDtypeStruct((16,), bool)})
  return hashlib.sha256(program.as_text().encode()).hexdigest()[:16]


pytestmark = pytest.mark.skipif(
    jax.__version__ != JAX or jax.default_backend() != 'cpu',
    reason='the letters are those of one version, on a CPU')


@pytest.mark.parametrize('fields', STEPS, ids=str)
def test_a_step_of_alexnet_is_lowered_to_the_same_program(fields):
  assert lowered(fields, 'step') == STEPS[fields]


def test_a_test_of_alexnet_is_lowered_to_the_same_program():
  assert lowered((), 'test') == TEST
