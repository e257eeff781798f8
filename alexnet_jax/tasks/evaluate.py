"""--task=evaluate: the errors of a checkpoint with one patch and with ten."""

import json

from ml_collections import ConfigDict

from alexnet_jax.learning import augment
from alexnet_jax.run import checkpoint, evaluation, experiment


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
    evaluation.check_classes(source, about.class_names, workdir)
    built = experiment.build(config, len(about.class_names),
                             about.train_examples)
    state = checkpoint.restore(
        manager, at, experiment.state_shapes(config, built))
  errors = evaluation.test(config, built, state, source)
  print(f'{workdir}, step {at}, {len(source)} images')
  print('patches      loss   top-1 error   top-5 error')
  for count in sorted({1, config.run.views}):
    views = augment.VIEWS[count]
    loss, top1, top5 = (errors[f'{views}_crop_{name}'] for name in
                        ('loss', 'top1_error', 'top5_error'))
    print(f'{views:<7}  {loss:8.4f}      {top1:8.2%}      {top5:8.2%}')
  print(json.dumps({'step': at, 'images': len(source), **errors}))
  return errors
