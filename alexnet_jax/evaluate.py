"""--task=evaluate: the errors of a checkpoint with one patch and with ten."""

import json

from ml_collections import ConfigDict
from tqdm import tqdm

from alexnet_jax import augment, checkpoint, columns, experiment, metrics
from alexnet_jax.data import loader
from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.experiment import Experiment
from alexnet_jax.step import State


def evaluate(config: ConfigDict, workdir: str, which: str) -> dict[str, float]:
  """Errors on the validation examples, printed as a table and as JSON.

  Args:
    config: the experiment.
    workdir: where its checkpoints are.
    which: 'latest', 'best' or a step.

  Raises:
    InputError: no such checkpoint, or one of another experiment.
  """
  source = experiment.open_split(config, 'validation')
  checkpoint.must_exist(workdir)
  with checkpoint.open_to_read(workdir) as manager:
    at = checkpoint.find_step(manager, which, workdir)
    about = checkpoint.about(manager, at)
    checkpoint.refuse_another(workdir, about, config.to_dict(), ['model'])
    check_classes(source, about.class_names, workdir)
    built = experiment.build(config, len(about.class_names),
                             about.train_examples)
    state = checkpoint.restore(
        manager, at, experiment.state_shapes(config, built))
  errors = test(config, built, state, source)
  print(f'{workdir}, step {at}, {len(source)} images')
  print('patches      loss   top-1 error   top-5 error')
  for count in sorted({1, config.run.views}):
    views = augment.VIEWS[count]
    loss, top1, top5 = (errors[f'{views}_crop_{name}'] for name in
                        ('loss', 'top1_error', 'top5_error'))
    print(f'{views:<7}  {loss:8.4f}      {top1:8.2%}      {top5:8.2%}')
  print(json.dumps({'step': at, 'images': len(source), **errors}))
  return errors


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
