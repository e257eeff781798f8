"""Four CPU devices, strict arithmetic, and one small net for all tests.

If JAX sees an accelerator the tests run on it, and those that need more devices
than there are of it are skipped.
"""

import functools
import gc
import os
from typing import NamedTuple

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest
import tiny
from absl import flags
from jax.experimental.compilation_cache import compilation_cache

from alexnet_jax.network import placement, rng
from alexnet_jax.run import training, typed_config

jax.config.update('jax_num_cpu_devices', 4)
jax.config.update('jax_numpy_rank_promotion', 'raise')
jax.config.update('jax_numpy_dtype_promotion', 'strict')
# Compiling is most of what the tests do; speed is `--task=bench`'s matter.
if 'JAX_DISABLE_MOST_OPTIMIZATIONS' not in os.environ:
  jax.config.update('jax_disable_most_optimizations', True)

# Grain's worker processes look at absl's flags.
if not flags.FLAGS.is_parsed():
  flags.FLAGS.mark_as_parsed()

CLASSES, PATCH, BATCH = 10, 64, 8
AS_IN_A_RUN = {'xla_backend_optimization_level': 3,
               'xla_llvm_disable_expensive_passes': False}
SMALL = {
    'kernels': (8, 8, 12, 12, 8),
    'neurons': (32, 32),
    'stddevs': (0.1,) * 8,
}


def pytest_collection_finish():
  """Spares the garbage collector the modules, which stay."""
  gc.freeze()


def pytest_make_parametrize_id(val, argname):
  """Names bytes by their argument: pytest's workers must agree on names."""
  return argname if isinstance(val, bytes) else None


@functools.cache
def make_mesh(data=1, column=1, num_columns=2):
  """A mesh of the pretended devices, or of the accelerators there are."""
  if jax.default_backend() != 'cpu' and data * column > len(jax.devices()):
    pytest.skip(f'needs {data * column} accelerators')
  return placement.make_mesh(data, column, num_columns)


@functools.cache
def small_net(name='alexnet', mesh=(1, 1), parallel='data', **fields):
  """The small net of one wiring; `fields` are further build arguments."""
  home = make_mesh(*mesh, fields.get('num_columns', 2))
  return nets.build(name, home, CLASSES, PATCH, parallel, **SMALL | fields)


class Problem(NamedTuple):
  """A batch, its dropout keys, and parameters; the same on every mesh."""

  params: dict
  patches: np.ndarray  # [B, 64, 64, 3], pixels around zero
  labels: np.ndarray  # [B]
  keys: jax.Array  # [B]


@functools.cache
def small_problem(name='alexnet', **fields):
  """What one training step of the small net reads."""
  draw = np.random.default_rng(0)

  def leaf(path, held):
    mean, stddev = (0, 0.1) if path[-1].key == 'kernel' else (0.5, 0.5)
    return jnp.asarray(draw.normal(mean, stddev, held.shape), held.dtype)

  return Problem(
      jax.tree_util.tree_map_with_path(leaf, jax.eval_shape(
          small_net(name, **fields).init, jax.random.key(0))),
      draw.normal(0, 50, (BATCH, PATCH, PATCH, 3)).astype(np.float32),
      draw.integers(0, CLASSES, BATCH),
      rng.per_example(rng.stream(1, 'dropout', 7), BATCH))


def loss_and_grads(apply):
  """f(params, patches, labels, keys) -> ((loss, logits), gradients)."""

  def loss(params, patches, labels, keys):
    logits, _ = apply(params, patches, keys)
    likelihoods = jnp.take_along_axis(
        jax.nn.log_softmax(logits), labels[:, None], axis=1)
    return -likelihoods.mean(), logits

  return jax.value_and_grad(loss, has_aux=True)


@functools.cache
def compiled_step(name='alexnet', mesh=(1, 1), parallel='data', **fields):
  """(executable, its arguments in their homes) of loss and gradients.

  With one column a device it is optimized as in a run, since tests read its
  text; several columns on one device would take too long to compile.
  """
  home = make_mesh(*mesh, fields.get('num_columns', 2))
  net = small_net(name, mesh, parallel, **fields)
  params, *batch = small_problem(name, **fields)
  params = jax.device_put(
      params, placement.param_shardings(home, params, net.divided))
  batch = jax.device_put(tuple(batch), placement.batch_sharding(home))
  step = jax.jit(loss_and_grads(net.apply))
  column = home.shape['column']
  whole = column > 1 and column == fields.get('num_columns', 2)
  options = AS_IN_A_RUN if whole else None
  return step.lower(params, *batch).compile(options), (params, *batch)


@functools.cache
def solution(name='alexnet', mesh=(1, 1), parallel='data', **fields):
  """((loss, logits), gradients) of one step on one mesh, as numpy."""
  step, arguments = compiled_step(name, mesh, parallel, **fields)
  return jax.device_get(step(*arguments))


@pytest.fixture(scope='session')
def net():
  """The function `small_net`."""
  return small_net


@pytest.fixture(scope='session')
def problem():
  """The function `small_problem`."""
  return small_problem


@pytest.fixture(scope='session')
def step_on():
  """The function `compiled_step`."""
  return compiled_step


@pytest.fixture(scope='session')
def solve_on():
  """The function `solution`."""
  return solution


@pytest.fixture(scope='session')
def mesh_of():
  """The function `make_mesh`."""
  return make_mesh


@pytest.fixture(scope='session')
def loss_and_gradients():
  """The function `loss_and_grads`."""
  return loss_and_grads


@pytest.fixture(scope='session')
def close():
  """Asserts that two trees differ by rounding, against a leaf's largest."""

  def check(ours, theirs, tolerance=3e-6):
    def check_leaf(a, b):
      np.testing.assert_allclose(
          a, b, rtol=0, atol=tolerance * np.abs(b).max())

    jax.tree.map(check_leaf, ours, theirs)

  return check


# --- Runs ---------------------------------------------------------------------

# Most of the time of their tiny runs is compilation.
SHARE_COMPILED = {'run', 'tasks', 'pages', 'results', 'configs', 'benchmarks',
                  'export', 'library', 'tests'}


@pytest.fixture(scope='session')
def compiled(tmp_path_factory):
  """A folder where compiled programs are kept, also by launched ones."""
  return str(tmp_path_factory.mktemp('compiled'))


@pytest.fixture(scope='module', autouse=True)
def compile_once(compiled, request):
  """Keeps what is compiled, in the folders of tests that train."""
  if request.path.parent.name not in SHARE_COMPILED:
    yield
    return
  _keep_compiled(compiled, 0.0)
  yield
  _keep_compiled(None, 1.0)


def _keep_compiled(cache, worth_seconds):
  jax.config.update('jax_compilation_cache_dir', cache)
  jax.config.update('jax_persistent_cache_min_compile_time_secs',
                    worth_seconds)
  compilation_cache.reset_cache()


@pytest.fixture(scope='session')
def trained(tmp_path_factory, compiled):
  """(config, workdir, errors) of six steps that nothing disturbed."""
  config = tiny.config()
  workdir = str(tmp_path_factory.mktemp('trained'))
  _keep_compiled(compiled, 0.0)
  return config, workdir, training.train(typed_config.read(config), workdir)
