"""Chips by name, and the least time that a data sheet allows."""

import importlib.util

import pytest
import tiny

from alexnet_jax.bench import (
  chip_text,
  chips,
  compiled_for,
  measurements,
  text,
)
from alexnet_jax.errors import InputError
from alexnet_jax.run import experiment, typed_config


@pytest.mark.parametrize('text, name, topology', [
    ('v5e', 'v5e', '2x2'), ('v5e:', 'v5e', '2x2'), ('v5e:4x8', 'v5e', '4x8'),
    ('v6e', 'v6e', '2x2'), ('v5p', 'v5p', '2x2x1'),
    ('v5p:2x2x2', 'v5p', '2x2x2'), ('h100', 'h100', ''),
    ('h100x2', 'h100', '2'), ('h200', 'h200', '')])
def test_chips_are_named(text, name, topology):
  assert chips.parse(text) == chips.Target(name, topology)


@pytest.mark.parametrize('text', [
    'v4', 'v5e:2', 'v5e:2x2x1', 'v5e:0x2', 'v5p:2x2', 'h100:2', 'h100x9',
    'h100x', 'H100', 'v5ex2', '\x1b[31m', 'h100x2\n'])
def test_another_name_is_refused(text):
  with pytest.raises(InputError, match='give one of v5e, v5p, v6e, h100'):
    chips.parse(text)


@pytest.mark.parametrize('chip, line', [
    ('v5e', 'pip install "jax\\[tpu\\]=='),
    ('h100', 'pip install "jax\\[cuda12')])
def test_without_its_compiler_a_chip_is_refused(chip, line, monkeypatch):
  monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
  with pytest.raises(InputError, match=line):
    chips.devices(chips.parse(chip))


@pytest.mark.parametrize('flops, moved, received, bound, seconds', [
    (197e12, 819e9 / 2, 0, 'arithmetic', 1.0),
    (1e12, 2 * 819e9, 1e9, 'memory', 2.0),
    (1e12, 1e9, 3 * 45e9, 'links', 3.0)])
def test_the_longest_time_is_the_bound(flops, moved, received, bound, seconds):
  found = compiled_for.roofline(
      chips.CHIPS['v5e'], 'bfloat16', flops, moved, received)
  assert found['bound_by'] == bound
  assert found['least_seconds'] == pytest.approx(seconds)


@pytest.mark.parametrize('data, form, words', [
    (1, 'data', 'mesh 1 x 1'), (2, 'model', 'mesh 2 x 1, full layers divided')])
def test_one_data_shard_has_no_divided_full_layers(data, form, words):
  config = tiny.config({'mesh.data': data, 'mesh.full_layers': 'model'})
  built = experiment.build(typed_config.read(config), 12, 64)
  found = measurements.describe_mesh(built)
  assert found == {'mesh': {'data': data, 'column': 1}, 'full_layers': form}
  assert text.devices(found) == words


def test_people_read_what_bounds_a_step():
  collective = {'kind': 'all-gather', 'layer': 'fc6', 'backward': True,
                'runs': 10, 'received_bytes': 2e6, 'asynchronous': True,
                'meanwhile_instructions': 3, 'meanwhile_bytes': 5e6}
  program = {
      'compile_seconds': 9.0, 'compile_processor_seconds': 17.0,
      'hbm_bytes': 819e9, 'flops': 197e9,
      'scopes': {'conv1': {'forward': 1e9, 'backward': 2e9},
                 'fc6': {'forward': 0, 'backward': 0}},
      'xla_bytes_accessed': 4e9, 'xla_flops': 5e9,
      'argument_bytes': 2**30, 'temporary_bytes': 2**34,
      'collectives': [collective],
      'roofline': compiled_for.roofline(
          chips.CHIPS['v5e'], 'bfloat16', 197e9, 819e9, 20e6)}
  printed = chip_text.as_text({
      'chip': 'v5e', 'data_sheet': chips.CHIPS['v5e']._asdict(), 'jax': '1',
      'network': 'alexnet', 'precision': 'bfloat16', 'batch_size': 128,
      'mesh': {'data': 4, 'column': 2}, 'full_layers': 'model',
      'programs': {'a step': program}})
  for part in ('mesh 4 x 2, full layers divided, jax 1; nothing was run.',
               'Bound by the memory. Compiled in 9 s, 17 s of the processor.',
               '1000.00 ms',
               'does not fit into 16 GiB', 'XLA counts 4.00 GB', '20.0 MB',
               'fc6, backward'):
    assert part in printed
  assert '\nfc6 ' not in printed  # a layer that moves nothing
