"""The kernel for NVIDIA GPUs computes what the three operations do.

It is interpreted here, operation by operation, on the processor.
"""

import functools
import importlib.util

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import SingleDeviceSharding

from alexnet_jax.bench import chips
from alexnet_jax.errors import InputError
from alexnet_jax.network import full_layers, fused
from alexnet_jax.network.on_nvidia import RectifyNormPool
from alexnet_jax.network.pooling import max_pool
from alexnet_jax.network.response_norm import local_response_norm

KERNEL = '__gpu$xla.gpu.triton'
PAPER = RectifyNormPool(2.0, 5, 1e-4, 0.75, 3)


def plain(x, op, count):
  """The formulas of sections 3.1, 3.3 and 3.4, for autodiff."""
  outputs = []
  for maps in jnp.split(x, count, axis=-1):
    maps = jnp.maximum(maps, 0)
    below = op.n // 2
    padded = jnp.pad(maps, ((0, 0),) * 3 + ((below, op.n - 1 - below),))
    sums = sum(padded[..., i:i + maps.shape[-1]] ** 2 for i in range(op.n))
    maps = maps / (op.k + op.alpha * sums) ** op.beta
    outputs.append(jax.lax.reduce_window(
        maps, -jnp.inf, jax.lax.max, (1, op.size, op.size, 1), (1, 2, 2, 1),
        ((0, 0), *((0, side % 2 != op.size % 2) for side in x.shape[1:3]),
         (0, 0))))
  return tuple(outputs)


def as_without_it(x, op, count):
  """The operations of the network, column by column."""
  return tuple(
      max_pool(local_response_norm(
          nn.relu(maps), op.k, op.n, op.alpha, op.beta), op.size, op.stride)
      for maps in jnp.split(x, count, axis=-1))


@functools.partial(jax.jit, static_argnums=(0, 2, 3))
def outputs_and_gradient(f, x, *rest):
  ys, pull = jax.vjp(lambda x: f(x, *rest), x)
  draw = np.random.default_rng(1)
  gs = [jnp.asarray(draw.normal(size=y.shape), y.dtype) for y in ys]
  return *ys, pull(tuple(gs))[0]


def ours(x, op, count):
  return op._replace(interpret=True).of_columns(x, count)


# Several programs along each axis of the grid; windows that hang over, maps
# that are not a power of two.
@pytest.mark.slow
@pytest.mark.parametrize('op, shape, count', [
    (PAPER, (2, 7, 8, 20), 2),
    (RectifyNormPool(1.0, 4, 1e-3, 0.6, 2), (1, 9, 6, 7), 1)], ids=str)
def test_it_is_exact_in_float64(op, shape, count):
  with jax.enable_x64(True):
    x = jnp.asarray(np.random.default_rng(0).normal(0, 100, shape))
    for mine, theirs in zip(
        outputs_and_gradient(ours, x, op, count),
        outputs_and_gradient(plain, x, op, count), strict=True):
      np.testing.assert_allclose(mine, theirs, rtol=1e-12, atol=1e-13)


@pytest.mark.slow
@pytest.mark.parametrize('dtype, error', [
    (jnp.float32, 1e-6), (jnp.bfloat16, 1e-2)], ids=str)
def test_it_keeps_all_digits_of_its_type(close, dtype, error):
  x = jnp.asarray(
      np.random.default_rng(0).normal(0, 100, (1, 7, 8, 20)), dtype)
  for mine, theirs in zip(
      outputs_and_gradient(ours, x, PAPER, 2),
      outputs_and_gradient(as_without_it, x, PAPER, 2), strict=True):
    assert mine.dtype == dtype
    close(np.float32(mine), np.float32(theirs), error)


def test_every_unit_that_equals_the_maximum_gets_the_gradient(close):
  places = np.random.default_rng(0).integers(-1, 3, (1, 7, 8, 1))
  x = jnp.asarray(places * np.linspace(1, 50, 20), jnp.float32)
  *_, gradient = outputs_and_gradient(ours, x, PAPER, 2)
  *_, theirs = outputs_and_gradient(as_without_it, x, PAPER, 2)
  close(gradient, theirs, 1e-6)
  assert (gradient[0, :, :, 5] != 0).sum() > 12  # more than windows


def test_a_network_gives_it_the_maps_of_all_columns(
    net, problem, mesh_of, loss_and_gradients, solve_on, close, monkeypatch):
  # The interpreter does not know the axes of a mesh.
  monkeypatch.setattr(RectifyNormPool, 'of_columns',
                      lambda op, x, count: as_without_it(x, op, count))
  devices = mesh_of(2, 1)
  model = full_layers.divide(
      fused.fuse(net('alexnet', (2, 1)), devices), devices)
  close(jax.jit(loss_and_gradients(model.apply))(*problem()), solve_on())


@pytest.mark.skipif(
    jax.__version__ != '0.10.2' and jax.default_backend() != 'gpu',
    reason='JAX lowers it for a GPU that is there only')
@pytest.mark.parametrize('mesh, kernels', [((1, 1), 6), ((1, 2), 4)], ids=str)
def test_a_gpu_runs_a_kernel_in_each_direction(
    net, problem, mesh_of, loss_and_gradients, mesh, kernels):
  model = fused.fuse(net('alexnet', mesh), mesh_of(*mesh))
  text = jax.jit(loss_and_gradients(model.apply)).trace(*problem()).lower(
      lowering_platforms=('cuda',)).as_text()
  # conv1 computes the columns of a device together, conv2 one by one.
  assert text.count(KERNEL) == kernels


def test_other_layers_are_left_as_they_are(net, mesh_of):
  model = net()
  found = fused.fuse(model, mesh_of())
  assert [bool(layer.fused) for layer in found.layers] == [
      True, True, *[False] * 5]
  assert found.layers[2:] == model.layers[2:]


def test_a_network_without_the_three_is_refused(net, mesh_of):
  with pytest.raises(InputError) as error:
    fused.fuse(net(nonlinearity='tanh'), mesh_of())
  for part in ('a ReLU', 'no layer', "at 'xla'"):
    assert part in str(error.value)


def test_other_devices_than_gpus_are_refused(mesh_of):
  if jax.default_backend() != 'cpu':
    pytest.skip('there is an accelerator')
  with pytest.raises(InputError) as error:
    nets.build('alexnet', mesh_of(), 10, 64, norm_and_pooling='triton')
  for part in ("norm_and_pooling='triton'", 'on a cpu', "at 'xla'"):
    assert part in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize('dtype', [jnp.float32, jnp.bfloat16], ids=str)
def test_it_compiles_for_an_h100(dtype):
  packages, _ = chips.PACKAGES['cuda']
  if not any(map(importlib.util.find_spec, packages)):
    pytest.skip('no compiler for h100')
  [device] = chips.devices(chips.parse('h100'))
  x = jax.ShapeDtypeStruct(
      (8, 55, 55, 96), dtype, sharding=SingleDeviceSharding(device))
  compiled = outputs_and_gradient.lower(
      lambda x, op, count: op.of_columns(x, count), x, PAPER, 2).compile()
  text = str(compiled.as_text())
  assert text.count(f'custom_call_target="{KERNEL}"') == 2
