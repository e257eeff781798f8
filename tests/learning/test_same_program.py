"""AlexNet's programs are those of before batch statistics, to the letter."""

import hashlib

import jax
import numpy as np
import pytest
import tiny

from alexnet_jax.run import experiment, typed_config

# Of the lowered program. A change that is meant to alter it renews these lines
# with what the failing test prints.
JAX = '0.10.2'
STEPS = {(): 'd84e0aee12fff5d7',
         (('mesh.data', 2), ('mesh.column', 2)): 'c4b917e94927d757',
         (('precision', 'bfloat16'),): '471b708d4ae55c92'}
TEST = '6a87702c403438d7'


def lowered(fields, which):
  built = experiment.build(
      typed_config.read(tiny.config(dict(fields))), 12, 64)
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
