"""The errors of a network on a split; every example is counted once."""

from collections.abc import Callable

from alexnet_jax.data.sources import Source
from alexnet_jax.errors import InputError
from alexnet_jax.learning import augment, metrics
from alexnet_jax.learning.step import State
from alexnet_jax.run.experiment import Experiment
from alexnet_jax.run.walk import walk


def final_errors(experiment: Experiment, state: State,
                 source: Source) -> dict[str, float]:
  """Returns the errors with one crop and with config.run.views crops (4.1).

  Args:
    experiment: the network and its config.
    state: parameters and mean image.
    source: the images.

  Returns:
    {'one_crop_loss': ..., 'one_crop_top1_error': ..., 'ten_crop_loss': ...}.
  """
  errors = {}
  for count in sorted({1, experiment.settings.run.views}):
    name = augment.CROPS[count]
    means = errors_of(experiment.evaluation_step(count), experiment, state,
                      source, f'{name} crops' if count > 1 else 'one crop')
    errors |= {f'{name}_crop_{key}': mean for key, mean in means.items()}
  return errors


def errors_of(evaluation_step: Callable, experiment: Experiment, state: State,
              source: Source, title: str) -> dict[str, float]:
  """Returns the mean loss and the top-1 and top-5 errors.

  Args:
    evaluation_step: result of `Experiment.evaluation_step`.
    experiment: provides the mesh, batch size and number of threads.
    state: parameters and mean image.
    source: the images.
    title: title of the progress bar.
  """
  settings = experiment.settings
  return metrics.means(walk(
      lambda batch: evaluation_step(state.params, state.input_stats, batch),
      source, experiment.mesh, batch_size=settings.optimizer.batch_size,
      threads=settings.run.threads, title=title))


def check_classes(source: Source, class_names: tuple[str, ...],
                  workdir: str) -> None:
  """Checks that the data have the same classes as a checkpoint.

  Args:
    source: the data.
    class_names: class names of the checkpoint.
    workdir: workdir of the checkpoint, used in the error message.

  Raises:
    InputError: the classes are different.
  """
  if tuple(source.class_names) != tuple(class_names):
    raise InputError(
        f'--workdir={workdir} has {len(class_names)} classes'
        f' ({", ".join(class_names[:3])}, ...) and the data have'
        f' {len(source.class_names)} ({", ".join(source.class_names[:3])},'
        ' ...): give the data it was trained on, or another --workdir.')
