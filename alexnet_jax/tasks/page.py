"""--task=page: one page to look at, report.html, of a run.

It has the errors, the curves, the kernels of conv1, what is mixed up, pictures,
the config and the commands, and needs no other file. A run that --task=train
finishes has it already.
"""

from absl import flags

from alexnet_jax.command_line.invocation import Invocation
from alexnet_jax.errors import InputError, printable
from alexnet_jax.pages import run_page

CONFIG = 'unused'


def define_flags(values: flags.FlagValues) -> None:
  """Defines the flags of this task."""
  flags.DEFINE_string(
      'out', '', 'The page; report.html in the workdir unless given.',
      flag_values=values)
  flags.DEFINE_integer(
      'examples', run_page.EXAMPLES, 'The most validation pictures that the'
      ' network looks at.', flag_values=values, lower_bound=1,
      upper_bound=10**9)
  flags.DEFINE_string(
      'words', '', 'A file with a line "CLASS its, words" for each class.',
      flag_values=values)


def run(invocation: Invocation) -> None:
  """Writes the page."""
  workdir = invocation.require_workdir()
  values = invocation.flags
  out = values.out
  if out and not out.endswith('.html'):
    raise InputError(f'--out={out} is no page: give a name that ends in .html.')
  page = run_page.make(workdir, out, values.examples, values.words)
  print(f'Written: {printable(page)}')
