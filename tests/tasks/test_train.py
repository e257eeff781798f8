"""What --task=train needs before its first step."""

import subprocess
import sys

import program

LOADED = 'import sys, launch, alexnet_jax.tasks.{}; print(*sys.modules)'


def loaded(task):
  """The modules that are imported before a task begins."""
  done = subprocess.run(
      [sys.executable, '-c', LOADED.format(task)], cwd=program.ROOT, text=True,
      capture_output=True, check=True)
  return set(done.stdout.split())


def test_a_run_begins_without_what_draws_and_shows_it():
  modules = loaded('train')
  assert {'jax', 'orbax.checkpoint', 'alexnet_jax.run.training'} <= modules
  assert not {'matplotlib', 'tensorflow', 'tensorflow_datasets', 'torch',
              'sklearn', 'pandas', 'IPython'} & modules
  assert not any(name.startswith(('alexnet_jax.figures', 'alexnet_jax.pages',
                                  'alexnet_jax.analysis'))
                 for name in modules)


def test_the_command_line_is_read_without_jax():
  modules = set(subprocess.run(
      [sys.executable, '-c', 'import sys, launch; print(*sys.modules)'],
      cwd=program.ROOT, text=True, capture_output=True, check=True
  ).stdout.split())
  assert 'alexnet_jax.command_line' in modules
  assert not {'jax', 'flax', 'optax', 'orbax', 'grain', 'cv2'} & modules
