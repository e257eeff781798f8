"""`alexnet_jax.load` and `alexnet_jax.build`."""

import os
import pathlib
import subprocess
import sys

import jax
import numpy as np
import pytest
import tiny

import alexnet_jax
from alexnet_jax.errors import InputError
from alexnet_jax.run import experiment, typed_config, weights
from alexnet_jax.tasks import export
from configs import tiny_imagenet_small

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(__file__)))


@pytest.mark.parametrize('path, step', [('', 6), ('@latest', 6), ('@4', 4)])
def test_a_checkpoint_is_chosen_behind_the_at_sign(path, step, trained):
  assert alexnet_jax.load(trained[1] + path).trained.step == step


def test_the_best_checkpoint_can_be_loaded(trained):
  best = alexnet_jax.load(pathlib.Path(trained[1] + '@best'))
  assert best.trained.step in (4, 6)


@pytest.mark.parametrize('kind', ['npz', 'safetensors'])
def test_an_exported_file_gives_the_same_digits(
    kind, net, photos, tmp_path, capsys):
  path = export.export(net.trained.workdir, out=str(tmp_path / f'a.{kind}'))
  read = alexnet_jax.load(path)
  assert read.predict(photos) == net.predict(photos)
  np.testing.assert_array_equal(read.features(photos), net.features(photos))
  assert read.config == net.config and read.trained.step == 6
  assert f'alexnet_jax.load({path!r}) reads it' in capsys.readouterr().out


def test_a_new_network_has_the_parameters_that_a_run_begins_with(net):
  built = alexnet_jax.build(tiny.config())
  assert built.class_names == net.class_names
  begun = experiment.build(typed_config.read(tiny.config()), 12, 64)
  jax.tree.map(np.testing.assert_array_equal, built.params,
               begun.new_state(built.trained.input_stats).params)


@pytest.mark.slow
def test_classes_are_given_or_a_thousand_if_there_are_no_data(tmp_path):
  nowhere = tiny.config({'data.name': 'folder', 'data.path': str(tmp_path)})
  assert alexnet_jax.build(nowhere).class_names[997:] == (
      'class 997', 'class 998', 'class 999')
  pets = alexnet_jax.build(nowhere, ['cat', 'dog'])
  assert pets.class_names == ('cat', 'dog')
  assert pets.logits(np.zeros((3, 64, 64, 3), np.uint8)).shape == (3, 2)


def test_a_config_file_is_found_from_another_folder(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  before = list(sys.path)
  built = alexnet_jax.build(os.path.join(ROOT, 'configs/quickstart.py'), 2)
  assert built.class_names == ('class 0', 'class 1')
  assert built.config.model.kernels == (16, 32, 48, 48, 32)
  assert sys.path == before


def test_importing_prints_nothing_starts_nothing_and_leaves_jax_for_later():
  code = ('import os, sys; pid = os.getpid(); before = dict(os.environ);'
          ' import alexnet_jax; assert os.getpid() == pid;'
          ' assert dict(os.environ) == before;'
          ' assert not {"jax", "numpy", "absl", "orbax"} & set(sys.modules)')
  done = subprocess.run([sys.executable, '-c', code], cwd=ROOT, text=True,
                        capture_output=True)
  assert (done.returncode, done.stdout, done.stderr) == (0, '', '')


def test_loading_prints_nothing(trained, capfd):
  alexnet_jax.load(trained[1]).logits(np.zeros((1, 64, 64, 3), np.uint8))
  assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('call, sentence', [
    (lambda net: alexnet_jax.load('nowhere'), 'there is no nowhere: give the'
     ' workdir of a run'),
    (lambda net: alexnet_jax.load('nowhere@best'), 'there is no nowhere'),
    (lambda net: alexnet_jax.load('tests'), 'tests holds no checkpoint'),
    (lambda net: alexnet_jax.load(net.trained.workdir + '@7'), '7 is not in'),
    (lambda net: alexnet_jax.load('README.md'), 'README.md cannot be read as'
     ' weights'),
    (lambda net: alexnet_jax.build('nowhere.py'), 'there is no config'),
    (lambda net: alexnet_jax.build('README.md'), '^README.md cannot be used: '
     'README.md, line 3: SyntaxError'),
    (lambda net: alexnet_jax.build('configs/ablations.py:no_nrm'), 'no_nrm'),
    (lambda net: alexnet_jax.build(tiny.config({'augment.crop': 80})),
     'config.augment.crop=80'),
    (lambda net: alexnet_jax.build('configs/codes.py'), 'the config is not'
     ' complete'),
    (lambda net: alexnet_jax.build(tiny.config(), 0), 'classes=0 is no number'),
])
def test_what_cannot_work_is_said_in_one_sentence(
    call, sentence, net, monkeypatch):
  monkeypatch.chdir(ROOT)
  with pytest.raises(InputError, match=sentence) as error:
    call(net)
  assert '\n' not in str(error.value)


def test_a_network_of_the_package_is_loaded_by_its_name():
  net = alexnet_jax.load('tiny_imagenet_small')
  again = typed_config.read(tiny_imagenet_small.get_config())
  assert net.trained.settings.model == again.model
  assert len(net.class_names) == 100
  assert os.path.getsize(weights.shipped('tiny_imagenet_small')) < 8e6
  patch = np.random.default_rng(0).integers(0, 256, (1, 96, 96, 3), np.uint8)
  logits = np.asarray(net.logits(patch))
  assert logits.shape == (1, 100) and logits.std() > 1


@pytest.mark.parametrize('name', ['', 'nothing', '../weights/tiny', 'a/b'])
def test_other_names_are_of_no_network_of_the_package(name):
  assert not weights.shipped(name)
