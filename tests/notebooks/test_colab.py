"""What the first cell of a notebook does to Colab's machines, and to others."""

import os
import sys
import types

import program
import pytest

from notebooks import colab

GPU = 'GPU 0: Tesla T4 (UUID: GPU-0)\n'


@pytest.fixture
def machine(tmp_path, monkeypatch):
  """A function that makes this machine look like one of Colab's."""
  monkeypatch.chdir(program.ROOT)
  monkeypatch.setenv('PATH', str(tmp_path))
  monkeypatch.setattr(sys, 'stderr', sys.stderr)  # restored after `prepare`
  for name in ('COLAB_RELEASE_TAG', 'COLAB_TPU_1VM', 'TPU_ACCELERATOR_TYPE',
               'JAX_PLATFORMS', 'JAX_NUM_CPU_DEVICES'):
    monkeypatch.delenv(name, raising=False)

  def make(gpus='', colab=True, **environment):
    if colab:
      environment = {'COLAB_RELEASE_TAG': 'release-colab', **environment}
    for name, value in environment.items():
      monkeypatch.setenv(name, value)
    if gpus is not None:  # there is a driver
      script = tmp_path / 'nvidia-smi'
      script.write_text(f'#!/bin/sh\nprintf "{gpus}"\n')
      script.chmod(0o755)

  return make


@pytest.fixture
def pip(monkeypatch):
  """The arguments of all calls of pip, which does nothing."""
  calls, run = [], colab.subprocess.run

  def stand_in(command, **kwargs):
    if command[:3] != [sys.executable, '-m', 'pip']:
      return run(command, **kwargs)
    calls.append(command[3:])
    return types.SimpleNamespace(
        returncode=pip.code, stderr='ERROR: no matching distribution')

  pip = types.SimpleNamespace(calls=calls, code=0)
  monkeypatch.setattr(colab.subprocess, 'run', stand_in)
  return pip


@pytest.mark.parametrize('gpus, environment, found', [
    (None, {}, ('', 0)),
    ('', {}, ('', 0)),
    ('No devices were found\n', {'COLAB_TPU_1VM': ''}, ('', 0)),
    (GPU, {}, ('cuda12', 1)),
    (GPU + GPU, {'COLAB_TPU_1VM': ''}, ('cuda12', 2)),
    (None, {'COLAB_TPU_1VM': '1', 'TPU_ACCELERATOR_TYPE': 'v5e-1'}, ('tpu', 1)),
    (None, {'TPU_ACCELERATOR_TYPE': 'v2-8'}, ('tpu', 8)),
    (None, {'COLAB_TPU_1VM': '1'}, ('tpu', 1))])
def test_the_accelerator_is_found_without_jax(machine, gpus, environment,
                                              found):
  machine(gpus, **environment)
  assert colab.find_accelerator() == found


@pytest.mark.parametrize('gpus, environment, extra', [
    (None, {}, ''), (GPU, {}, 'cuda12'),
    (None, {'TPU_ACCELERATOR_TYPE': 'v5e-1'}, 'tpu')])
def test_colab_gets_the_jax_of_the_requirements_with_its_extra(
    machine, pip, capsys, gpus, environment, extra):
  machine(gpus, **environment)
  colab.prepare()
  version = colab.read_pins('requirements.txt')['jax']
  last = pip.calls[-1]
  assert last[:4] == ['install', '--quiet', '-r', 'requirements.txt']
  assert last[4:] == ([f'jax[{extra}]=={version}'] if extra else [])
  assert version in capsys.readouterr().out


def test_elsewhere_nothing_is_installed(machine, pip, capsys):
  machine(GPU, colab=False)
  colab.prepare()
  assert not pip.calls
  assert 'nothing is installed' in capsys.readouterr().out


@pytest.mark.parametrize('extra, removed', [
    ('cuda12', ['jax-cuda13-pjrt']), ('tpu', ['jax-cuda12-plugin',
                                              'jax-cuda13-pjrt']),
    ('', ['jax-cuda12-plugin', 'jax-cuda13-pjrt'])])
def test_plugins_that_the_new_jax_does_not_update_are_removed(extra, removed):
  first, second = colab.pip_commands(extra, '0.10.2', {
      'jax': '0.7.2', 'jax-cuda12-plugin': '0.7.2', 'jax-cuda13-pjrt': '0.7.2',
      'numpy': '2.0.2'})
  assert first == ['uninstall', '--yes', *removed]
  assert second[0] == 'install'


def test_what_pip_cannot_install_is_said_with_a_cure(machine, pip):
  machine()
  pip.code = 1
  with pytest.raises(RuntimeError, match='(?s)no matching.*delete runtime'):
    colab.prepare()


def test_a_session_with_older_packages_in_memory_is_to_be_restarted(
    machine, pip, monkeypatch):
  machine()
  versions = iter([{'numpy': '2.0.2', 'pillow': '11.3.0', 'pip': '24'},
                   {'numpy': '2.4.6', 'pillow': '11.3.0', 'pip': '25'}])
  monkeypatch.setattr(colab, '_versions', lambda: next(versions))
  with pytest.raises(RuntimeError, match='of numpy: restart it'):
    colab.prepare()


@pytest.mark.parametrize('gpus, devices', [('', '2'), (GPU, '2'),
                                           (GPU + GPU, None)])
def test_too_few_accelerators_are_pretended_on_the_cpu(machine, gpus, devices):
  machine(gpus)
  colab.pretend_devices(2)
  assert os.environ.get('JAX_NUM_CPU_DEVICES') == devices
  assert os.environ.get('JAX_PLATFORMS') == (devices and 'cpu')
