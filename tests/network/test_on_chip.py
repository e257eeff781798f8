"""An accelerator gives the numbers of the processor, to its rounding."""

import jax
import nets
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh

from alexnet_jax.network import models, placement

# Of outputs and of gradients, against the largest number of a leaf, with 24, 11
# and 8 binary digits in a product's operands. The gradients of 8 digits have
# lost all meaning in the smallest leaf of so small a net.
TOLERANCES = {'float32': (1e-5, 1e-4), 'tf32': (1e-2, 1e-1),
              'bfloat16': (1e-1, np.inf)}
SMALL = {'kernels': (8, 8, 12, 12, 8), 'neurons': (32, 32),
         'stddevs': (0.1,) * 8}


@pytest.fixture(scope='module')
def processor(problem, loss_and_gradients):
  if jax.default_backend() == 'cpu':
    pytest.skip('there is no accelerator')
  return solve(jax.devices('cpu')[0], 'float32', problem(), loss_and_gradients)


def solve(device, precision, problem, loss_and_gradients):
  """((loss, logits), gradients) of one step on one device, as numpy."""
  mesh = Mesh(np.array([[device]]), (placement.DATA, placement.COLUMN),
              axis_types=(AxisType.Auto,) * 2)
  net = models.with_precision(
      precision, nets.build('alexnet', mesh, 10, 64, **SMALL))
  params, *batch = jax.device_get(problem[:3])
  keys = jax.random.wrap_key_data(jax.device_get(
      jax.random.key_data(problem.keys)))
  params = jax.device_put(params, placement.param_shardings(mesh, params))
  batch = jax.device_put((*batch, keys), placement.batch_sharding(mesh))
  return jax.device_get(jax.jit(loss_and_gradients(net.apply))(params, *batch))


@pytest.mark.parametrize('precision', models.PRECISIONS)
def test_an_accelerator_gives_the_numbers_of_the_processor(
    processor, problem, loss_and_gradients, close, precision):
  ours = solve(jax.devices()[0], precision, problem(), loss_and_gradients)
  for mine, theirs, tolerance in zip(
      ours, processor, TOLERANCES[precision], strict=True):
    close(mine, theirs, tolerance)
