"""Both lists of pins name the same packages, and newer ones are no older."""

import os
import re

import program


def pins(name):
  with open(os.path.join(program.ROOT, name), encoding='utf-8') as file:
    return dict(re.findall(r'^([\w.-]+)==([\d.]+)', file.read(), re.MULTILINE))


def test_the_latest_requirements_are_the_same_packages_in_newer_versions():
  oldest, latest = pins('requirements.txt'), pins('requirements-latest.txt')
  assert list(oldest) == list(latest)
  numbers = lambda version: [int(part) for part in version.split('.')]
  for package, version in oldest.items():
    assert numbers(latest[package]) >= numbers(version), package
  assert numbers(latest['jax']) > numbers(oldest['jax'])


def test_wheels_that_are_carried_to_a_gpu_are_the_latest_requirements():
  latest = pins('requirements-latest.txt')
  carried = pins('benchmarks/wheels.txt')
  assert {name: carried[name] for name in latest if name in carried} == {
      name: latest[name] for name in latest if name in carried}
  assert set(carried) - set(latest) == {'portpicker'}  # for grain
