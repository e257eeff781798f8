"""The errors of a network over a split, each example counted once."""

from ml_collections import ConfigDict
from tqdm import tqdm

from alexnet_jax.data import loader
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment, metrics
from alexnet_jax.learning.step import State
from alexnet_jax.network import columns
from alexnet_jax.run import experiment
from alexnet_jax.run.experiment import Experiment


def test(config: ConfigDict, built: Experiment, state: State,
         source: Source) -> dict[str, float]:
  """The errors with one patch and with config.run.views, as of section 4.1."""
  errors = {}
  for count in sorted({1, config.run.views}):
    views = augment.VIEWS[count]
    step = experiment.evaluation_step(config, built, count)
    means = errors_of(step, config, built, state, source,
                      f'{views}-crop test')
    errors |= {f'{views}_crop_{name}': mean for name, mean in means.items()}
  return errors


def errors_of(evaluation_step, config: ConfigDict, built: Experiment,
              state: State, source: Source, title: str) -> dict[str, float]:
  """Runs every example once: mean loss, top-1 and top-5 error."""
  shard, num_shards = columns.own_shard(built.mesh)
  batch_size = config.optimizer.batch_size
  sums = None
  with tqdm(total=len(source), desc=title, unit=' images', leave=False,
            dynamic_ncols=True, disable=None) as bar:
    for batch in loader.evaluation_batches(
        source, batch_size=batch_size, shard=shard, num_shards=num_shards,
        threads=config.run.threads):
      sums = metrics.add(sums, evaluation_step(
          state.params, state.pixels, experiment.to_device(batch, built.mesh)))
      bar.update(min(batch_size, len(source) - bar.n))
  return metrics.means(sums)


def check_classes(source: Source, class_names: tuple[str, ...],
                  workdir: str) -> None:
  """Raises InputError if the data have other classes than the checkpoint."""
  if tuple(source.class_names) != tuple(class_names):
    raise InputError(
        f'--workdir={workdir} knows {len(class_names)} classes'
        f' ({", ".join(class_names[:3])}, ...) and the data have'
        f' {len(source.class_names)} ({", ".join(source.class_names[:3])},'
        ' ...): give the data it was trained on, or another --workdir.')
