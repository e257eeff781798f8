"""--task=train: trains a network, or goes on with a run.

The same command resumes from the newest checkpoint in --workdir.
"""

import shlex

from absl import flags

from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.errors import printable
from alexnet_jax.learning import augment
from alexnet_jax.run import training, typed_config

CONFIG = 'required'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'init_from', '', 'Start from the parameters of a workdir, of a file that'
      ' --task=export or another program wrote, or of tiny_imagenet_small.',
      flag_values=values)


def run(invocation: Invocation) -> None:
  """Trains, then prints the final errors, and shows the run on a page."""
  settings = typed_config.read(invocation.config)
  errors = training.train(
      settings, invocation.workdir, init_from=invocation.flags.init_from,
      command=invocation.command, draw=_draw_curves)
  if not errors or not training.is_first_process():
    return
  split = ('test' if settings.data.name in ('cifar10', 'mnist', 'digits')
           else 'validation')
  for count in sorted({1, settings.run.views}):
    name = augment.CROPS[count]
    top1, top5 = (100 * errors[f'{name}_crop_top{k}_error'] for k in (1, 5))
    print(f'Final {split} error with {name} crop{"s" if count > 1 else ""}:'
          f' top-1 {top1:.1f} %, top-5 {top5:.1f} %.')
  from alexnet_jax.pages import run_page  # as in `_draw_curves`
  print(run_page.make_at_end(invocation.workdir))
  print('Next: python launch.py --task=predict'
        f' --workdir={printable(shlex.quote(invocation.workdir))}'
        ' --images PICTURES')


def _draw_curves(workdir: str) -> None:
  # Matplotlib takes half a second to import, and no step waits for a picture.
  from alexnet_jax.figures import curves
  curves.draw_workdir(workdir)
