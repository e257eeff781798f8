"""The flags that every task has, and which flags take paths."""

from absl import flags

# The flags that take a path, or several: `~` is expanded, URLs are refused.
PATHS = ('workdir', 'against', 'checkpoint', 'compare', 'data', 'features',
         'figure', 'images', 'init_from', 'kernels', 'mean', 'out',
         'predictions', 'runs', 'trace', 'weights', 'words')
PROCESSES = ('distributed', 'coordinator', 'num_processes', 'process',
             'start_timeout', 'peer_timeout')
COMMON = ('task', 'config', 'workdir', *PROCESSES)


def define_common(values: flags.FlagValues) -> None:
  """Defines the flags that every task has."""
  flags.DEFINE_string('task', 'train', 'What to do.', flag_values=values)
  flags.DEFINE_string(
      'workdir', '', 'The folder of the run; runs/NAME_OF_CONFIG unless given.',
      flag_values=values)
  flags.DEFINE_string(
      'coordinator', '', 'HOST:PORT of the first of several processes.',
      flag_values=values)
  flags.DEFINE_integer(
      'num_processes', 1, 'How many processes there are.', flag_values=values,
      lower_bound=1, upper_bound=2**16)
  flags.DEFINE_integer(
      'process', 0, 'The number of this process.', flag_values=values,
      lower_bound=0, upper_bound=2**16)
  flags.DEFINE_bool(
      'distributed', False, 'Find the other processes on a TPU pod, Slurm, Open'
      ' MPI or Kubernetes.', flag_values=values)
  flags.DEFINE_integer(
      'start_timeout', 60, 'Seconds to wait for the other processes at the'
      ' start.', flag_values=values, lower_bound=1, upper_bound=10**6)
  flags.DEFINE_integer(
      'peer_timeout', 100, 'Seconds without a sign of life after which another'
      ' process is given up.', flag_values=values, lower_bound=1,
      upper_bound=10**6)
