"""Columns that read some of the others, as on four GPUs of the program."""

import jax
import jax.numpy as jnp
import nets
import numpy as np
import pytest

from alexnet_jax.analysis import projection
from alexnet_jax.errors import InputError
from alexnet_jax.export import operations
from alexnet_jax.network import describe
from configs import four_gpus

SMALL = {'num_columns': 4, 'kernels': (4,) * 5, 'neurons': (8, 8)}
PAIRS = SMALL | {
    'partners': ((0, 1), (0, 1), (2, 3), (2, 3)), 'partner_layers': ('conv3',),
    'crossings': ('fc8',)}
THREE = SMALL | {
    'partners': four_gpus.PARTNERS, 'partner_layers': ('conv3', 'fc6', 'fc7'),
    'crossings': ('fc8',)}


@pytest.mark.slow
def test_two_and_four_devices_give_the_same_numbers(solve_on, close):
  close(solve_on('alexnet', (1, 2), **THREE),
        solve_on('alexnet', (1, 4), **THREE))


@pytest.mark.slow
@pytest.mark.parametrize('mesh', [(2, 2), (4, 1)], ids=str)
def test_divided_full_layers_give_the_same_numbers(solve_on, close, mesh):
  close(solve_on('alexnet', mesh, 'model', **THREE),
        solve_on('alexnet', (1, 2), **THREE))


@pytest.mark.parametrize('fields, readers', [
    (PAIRS, {0: (0, 1), 2: (2, 3), 3: (2, 3)}),
    (THREE | {'partner_layers': ('conv3',)},
     {0: (0, 1, 2), 1: (0, 1, 3), 2: (0, 2, 3), 3: (1, 2, 3)})],
    ids=['pairs', 'three'])
def test_a_column_reads_its_partners_and_no_other(
    net, problem, fields, readers):
  params, patches, *_ = problem('alexnet', **fields)
  apply = jax.jit(net('alexnet', **fields).apply)
  before = np.split(apply(params, patches)[1], 4, axis=1)
  for column, read_by in readers.items():
    conv1 = jax.tree.map(lambda leaf, column=column: leaf.at[column].add(0.5),
                         params['columns']['conv1'])
    layers = params['columns'] | {'conv1': conv1}
    after = np.split(
        apply(params | {'columns': layers}, patches)[1], 4, axis=1)
    changed = [k for k in range(4) if not np.array_equal(before[k], after[k])]
    assert tuple(changed) == read_by


@pytest.mark.slow
def test_partners_are_a_crossing_whose_other_kernels_are_zero(
    net, problem, close):
  params, patches, *_ = problem('alexnet', **THREE)
  every = SMALL | {'crossings': ('conv3', 'fc6', 'fc7', 'fc8')}
  dense, *_ = problem('alexnet', **every)
  layers = dict(params['columns'])
  for name in THREE['partner_layers']:
    # The maps are the last axis but one; fc6 reads [H, W, maps] in a row.
    narrow = params['columns'][name]['kernel']
    wide = jnp.zeros_like(dense['columns'][name]['kernel'])
    maps = 8 if name == 'fc7' else 4
    narrow = narrow.reshape(*narrow.shape[:-2], -1, 3, maps, narrow.shape[-1])
    shape, wide = wide.shape, wide.reshape(
        *wide.shape[:-2], -1, 4, maps, wide.shape[-1])
    for column, row in enumerate(four_gpus.PARTNERS):
      for place, other in enumerate(row):
        wide = wide.at[column, ..., other, :, :].set(
            narrow[column, ..., place, :, :])
    layers[name] = layers[name] | {'kernel': wide.reshape(shape)}
  # On two devices, and on one.
  some, all_ = net('alexnet', (1, 2), **THREE), net('alexnet', **every)
  close(jax.jit(some.apply)(params, patches),
        jax.jit(all_.apply)(params | {'columns': layers}, patches))
  close(projection.activations(
      some.layers, params['columns'], patches, ['conv3']),
        projection.activations(all_.layers, layers, patches, ['conv3']))


def test_columns_that_read_partners_exchange_all_maps(net):
  rows = {
      partly: {row.layer: row for row in describe.layer_rows(
          net('alexnet', **(SMALL | fields)), 10)}
      for partly, fields in ((True, THREE), (False, {
          'crossings': ('conv3', 'fc6', 'fc7', 'fc8')}))}
  for name in THREE['partner_layers']:
    some, every = rows[True][name], rows[False][name]
    assert some.exchanged_bytes == every.exchanged_bytes > 0
    assert 4 * some.reads[-1] == 3 * every.reads[-1]


def test_files_of_other_programs_have_no_such_layers(net, problem):
  params, *_ = problem('alexnet', **PAIRS)
  with pytest.raises(
      InputError, match='conv3 has columns that read some of the others,'):
    operations.operations(net('alexnet', **PAIRS), params)


@pytest.mark.parametrize('form, parameters', [
    ('153', 116_262_856), ('183', 118_260_936), ('184', 102_695_880)])
def test_the_networks_of_the_program_have_its_numbers_of_parameters(
    mesh_of, form, parameters):
  config = four_gpus.get_config(form).model.to_dict()
  name = config.pop('name')
  model = nets.build(name, mesh_of(1, 1, 4), 10_184, 224, **config)
  shapes = jax.eval_shape(model.init, jax.random.key(0))
  assert sum(leaf.size for leaf in jax.tree.leaves(shapes)) == parameters


def test_an_unknown_network_of_the_program_is_refused():
  with pytest.raises(ValueError, match="no form '170': give 153, 183 or 184"):
    four_gpus.get_config('170')
