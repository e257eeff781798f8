"""What the tests of the run share: quick compilation and one trained run."""

import jax
import pytest
import tiny
from jax.experimental.compilation_cache import compilation_cache

from alexnet_jax.tasks import train


@pytest.fixture(scope='session')
def compiled(tmp_path_factory):
  """A folder where whatever was compiled is found again, also by programs."""
  return str(tmp_path_factory.mktemp('compiled'))


@pytest.fixture(scope='module', autouse=True)
def compile_quickly(compiled):
  """Most of the time of a tiny run is its compilation."""
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
  return config, workdir, train.train(config, workdir)
