"""The child that runs our network: `python -m benchmarks.in_jax`, for turns.

The steps are those of a training run, built from configs/paper.py.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from alexnet_jax import machine
from alexnet_jax.bench import process, traffic
from alexnet_jax.run import typed_config
from benchmarks import problem as problems
from benchmarks.problem import Ours, Problem

machine.set_flags()  # Before JAX starts.

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import jaxlib  # noqa: E402
import numpy as np  # noqa: E402
from ml_collections import ConfigDict  # noqa: E402

from alexnet_jax.learning import augment  # noqa: E402
from alexnet_jax.network import describe  # noqa: E402
from alexnet_jax.run import device_data, experiment  # noqa: E402
from configs import paper  # noqa: E402

EXAMPLES = 1_281_167  # Of ILSVRC-2012; they define an epoch.
PRECISION = {'default': 'tf32', 'strict': 'float32', 'bfloat16': 'bfloat16'}


class _Trained(NamedTuple):
  """What evaluation needs of a state: no velocities."""

  variables: Any
  input_stats: augment.PixelStats


class OurWork:
  """One mode of our network."""

  def __init__(self, problem: Problem, ours: Ours):
    config = _config(problem, ours)
    built = experiment.build(
      typed_config.read(config), problem.sizes.classes, EXAMPLES
    )
    size = config.data.image_size
    # Prepared patches already have zero mean.
    mean = 120.0 if _from_images(problem, ours) else 0.0
    pixels = augment.pixel_stats(
        np.full((size, size, 3), mean), 3000 * np.eye(3))
    self._state: Any = (built.new_state(pixels) if problem.mode == 'train'
                        else _Trained(_parameters(built), pixels))
    batch = {'image': (problems.images(problem) if _from_images(problem, ours)
                       else problems.patches(problem)),
             'label': problems.labels(problem),
             'valid': np.ones(problem.batch, bool)}
    self._batch = device_data.to_device(batch, built.mesh)
    self._result: Any = None
    self._program: dict[str, Any] = {}
    if problem.mode == 'train':
      train_step: Any = built.train_step()
      self._train_step = train_step.lower(self._state, self._batch).compile()
      self._program = {
          'moved_bytes': traffic.moved_bytes(self._train_step.as_text() or ''),
          'flops': problem.batch * describe.totals(describe.layer_rows(
              built.model, problem.sizes.classes))['step_flops']}
      self.step = self._train
    elif problem.mode == 'forward':
      self._apply = jax.jit(lambda params, patches: built.model.apply(
          params, patches)[0])
      self.step = self._forward
    else:
      self._evaluate = built.evaluation_step(10)
      self.step = self._ten_crop

  def _train(self):
    self._state, measured = self._train_step(self._state, self._batch)
    self._result = measured['loss']

  def _forward(self):
    self._result = self._apply(self._state.variables, self._batch['image'])

  def _ten_crop(self):
    total, count = self._evaluate(
        self._state.variables, self._state.input_stats, self._batch)['loss']
    self._result = total / count

  def wait(self) -> float:
    """See process.Work."""
    jax.block_until_ready((self._state, self._result))
    return float(jnp.mean(self._result))

  def rest(self) -> None:
    """Does nothing: the arrays of a finished step are free already."""

  def describe(self) -> dict[str, Any]:
    """See process.Work."""
    device = jax.local_devices()[0]
    description = {'versions': {'jax': jax.__version__,
                          'jaxlib': jaxlib.__version__}}
    memory = device.memory_stats()
    if memory:
      description |= {'device': device.device_kind,
                'device_peak_bytes': memory['peak_bytes_in_use']}
    return description | self._program


def _parameters(built):
  """Returns small random parameters, one array after another.

  Drawn together, as a training run draws them, they take more memory than the
  evaluation that is to be measured.
  """
  random = np.random.default_rng(0)

  def draw(leaf):
    numbers = random.standard_normal(leaf.shape, np.float32)
    numbers *= 0.01  # The paper's deviation, in place.
    return jax.device_put(numbers, leaf.sharding)

  return jax.tree.map(draw, built.state_shapes().params)


def _from_images(problem, ours):
  return ours.augments or problem.mode == 'ten_crop'


def _config(problem: Problem, ours: Ours) -> ConfigDict:
  """Returns the paper's config, with or without augmentation."""
  config = paper.get_config()
  sizes = problem.sizes
  config.precision = PRECISION[ours.arithmetic]
  config.model.kernels = sizes.kernels
  config.model.neurons = sizes.neurons
  config.augment.crop = sizes.patch
  config.optimizer.batch_size = problem.batch
  config.mesh.column = ours.columns_on
  config.data.image_size = sizes.image
  if not _from_images(problem, ours):
    config.data.image_size = sizes.patch
    config.augment.random_crops = config.augment.flips = False
    config.augment.jitter = 0.0
  return config


def build(task: Mapping[str, Any]) -> OurWork:
  """Builds the work that the parent requests."""
  problem, ours = Problem(**task['problem']), Ours(**task['variant'])
  jax.config.update('jax_enable_compilation_cache', False)
  if problem.gpu and jax.default_backend() != 'gpu':
    raise RuntimeError('JAX sees no GPU')
  return OurWork(problem, ours)


if __name__ == '__main__':
  process.serve(build)
