"""What the machine is told before JAX starts."""

import importlib.metadata
import os
import platform
import subprocess
import sys
import time

import program
import pytest

from alexnet_jax import machine

FLAG = '--xla_some_flag=-some_value'
SECOND = '--xla_some_second=7'


@pytest.fixture(autouse=True)
def jaxlib(monkeypatch):
  """A jaxlib 1.2.3, whose flags are known."""
  monkeypatch.setattr(importlib.metadata, 'version',
                      lambda package: {'jaxlib': '1.2.3'}[package])
  monkeypatch.setattr(machine, 'FLAGS', {'1.2.3': (FLAG, SECOND)})
  monkeypatch.setenv('XLA_FLAGS', '')  # what is set here is undone
  monkeypatch.delenv('XLA_FLAGS')


def test_a_python_without_the_packages_is_told_apart_in_one_sentence():
  ran = subprocess.run(
      [sys.executable, '-S', 'launch.py', '--help'], cwd=program.ROOT,
      text=True, capture_output=True, check=False)
  assert (ran.returncode, ran.stdout) == (2, '')
  assert ran.stderr == (
      f'launch.py: {sys.executable} has no {", ".join(machine.PACKAGES)}: run'
      ' pip install -r requirements.txt, or activate the environment that has'
      ' them.\n')


def test_the_flags_are_set():
  machine.set_flags()
  assert os.environ['XLA_FLAGS'].split() == [FLAG, SECOND]


def test_what_the_user_set_is_kept(monkeypatch):
  monkeypatch.setenv('XLA_FLAGS', '--xla_other=3')
  machine.set_flags()
  assert os.environ['XLA_FLAGS'].split() == [
      '--xla_other=3', FLAG, SECOND]


def test_the_user_can_decide_otherwise(monkeypatch):
  monkeypatch.setenv('XLA_FLAGS', '--xla_some_flag=mine')
  machine.set_flags()
  assert os.environ['XLA_FLAGS'].split() == ['--xla_some_flag=mine', SECOND]


def test_a_jaxlib_that_was_not_measured_gets_no_flag(monkeypatch):
  monkeypatch.setattr(machine, 'FLAGS', {'1.2.4': (FLAG,)})
  machine.set_flags()
  assert 'XLA_FLAGS' not in os.environ


@pytest.fixture
def restarts(monkeypatch):
  """The commands by which this process would have been replaced."""
  seen = []
  monkeypatch.setattr(os, 'execv', lambda *command: seen.append(command))
  monkeypatch.setattr(sys, 'platform', 'linux')
  monkeypatch.setattr(sys, 'orig_argv', ['python', '-u', 'launch.py', '--x=1'])
  monkeypatch.setenv('GLIBC_TUNABLES', '')
  monkeypatch.delenv('GLIBC_TUNABLES')
  return seen


def test_the_program_starts_over_with_huge_pages(restarts):
  machine.use_huge_pages()
  assert restarts == [
      (sys.executable, [sys.executable, '-u', 'launch.py', '--x=1'])]
  assert os.environ['GLIBC_TUNABLES'] == 'glibc.malloc.hugetlb=1'


def test_the_program_starts_over_once(restarts):
  machine.use_huge_pages()
  machine.use_huge_pages()
  assert len(restarts) == 1


def test_tunables_of_the_user_stay(restarts, monkeypatch):
  monkeypatch.setenv('GLIBC_TUNABLES', 'glibc.malloc.hugetlb=0')
  machine.use_huge_pages()
  assert not restarts
  assert os.environ['GLIBC_TUNABLES'] == 'glibc.malloc.hugetlb=0'


def test_other_systems_are_left_alone(restarts, monkeypatch):
  monkeypatch.setattr(sys, 'platform', 'darwin')
  machine.use_huge_pages()
  assert not restarts and 'GLIBC_TUNABLES' not in os.environ


@pytest.fixture
def cache(monkeypatch, tmp_path):
  """Where caches go; what is set here is undone."""
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', '')
  monkeypatch.delenv('JAX_COMPILATION_CACHE_DIR')
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
  return tmp_path


def test_what_is_compiled_is_kept(cache):
  machine.keep_compiled()
  first = os.environ.pop('JAX_COMPILATION_CACHE_DIR')
  assert first.startswith(str(cache / 'alexnet_jax' / 'compiled-'))
  machine.keep_compiled()
  assert os.environ['JAX_COMPILATION_CACHE_DIR'] == first


def test_another_processor_has_another_folder(cache, monkeypatch):
  machine.keep_compiled()
  first = os.environ.pop('JAX_COMPILATION_CACHE_DIR')
  monkeypatch.setattr(platform, 'machine', lambda: 'another')
  machine.keep_compiled()
  assert os.environ['JAX_COMPILATION_CACHE_DIR'] != first


@pytest.mark.parametrize('given', ['', '/somewhere/else'])
def test_the_user_decides_where_or_that_it_is_not_wanted(
    cache, monkeypatch, given):
  monkeypatch.setenv('JAX_COMPILATION_CACHE_DIR', given)
  machine.keep_compiled()
  assert os.environ['JAX_COMPILATION_CACHE_DIR'] == given


def test_a_process_ends_with_a_parent_that_is_killed():
  child = ('import time; from alexnet_jax import machine;'
           'machine.end_with_parent(); print("ready", flush=True);'
           'time.sleep(60)')
  parent = subprocess.Popen(
      [sys.executable, '-c', f"""
import subprocess, sys, time
print(subprocess.Popen([sys.executable, '-c', {child!r}]).pid, flush=True)
time.sleep(60)
"""], cwd=program.ROOT, text=True, stdout=subprocess.PIPE)
  process = int(parent.stdout.readline())
  assert parent.stdout.readline() == 'ready\n'
  parent.kill()
  parent.wait()
  for _ in range(50):
    try:
      os.kill(process, 0)
    except ProcessLookupError:
      return
    time.sleep(0.1)
  os.kill(process, 9)
  raise AssertionError('it is still there after 5 seconds')


def test_the_memory_is_that_of_the_smallest_limit(tmp_path, monkeypatch):
  (tmp_path / 'limit').write_text('1000000\n')
  (tmp_path / 'none').write_text('max\n')
  limits = [str(tmp_path / name) for name in ('none', 'missing', 'limit')]
  monkeypatch.setattr(machine, 'MEMORY_LIMITS', limits[:2])
  assert machine.memory() > 1e8
  monkeypatch.setattr(machine, 'MEMORY_LIMITS', limits)
  assert machine.memory() == 1_000_000
