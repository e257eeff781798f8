"""State dicts of PyTorch, in and out, for the networks before and after."""

import pathlib

import jax
import nets
import network_forms
import numpy as np
import pytest

from alexnet_jax.errors import InputError
from alexnet_jax.export import operations, torch_file
from alexnet_jax.network import placement
from alexnet_jax.run import foreign, torch_layout, torchvision_forms, weights
from configs.history import googlenet, resnet, vgg16, vgg19

# Written by: for every module of torchvision.models.NAME() that has arrays, its
# name, which it has, and the shape of its weight.
SHAPES = pathlib.Path(__file__).parent / 'torchvision_shapes.txt'
KINDS = {'norm': ('weight', 'bias', 'running_mean', 'running_var'),
         'weight': ('weight',), 'weight+bias': ('weight', 'bias')}
CONFIGS = {
    'resnet18': resnet.get_config('18,torchvision'),
    'resnet50': resnet.get_config('50,torchvision'),
    'googlenet': googlenet.get_config('torchvision'),
    'vgg16': vgg16.get_config('torchvision')}
ROUND_TRIPS = ('lenet', 'simplified lenet', 'vgg', 'resnet', 'plain',
               "torchvision's resnet", 'googlenet', "torchvision's googlenet")


def model_of(config):
  fields = config.model.to_dict()
  return nets.build(fields.pop('name'), placement.make_mesh(1, 1, 1), 1000, 224,
                    **fields)


def of_torchvision(network):
  """{name: shape} without side classifiers, which torchvision has otherwise."""
  shapes = {}
  for line in SHAPES.read_text().splitlines()[2:]:
    name, module, kinds, *sides = line.split()
    if name == network and not module.startswith('aux'):
      shape = tuple(map(int, sides))
      for kind in KINDS[kinds]:
        shapes[f'{module}.{kind}'] = (
            shape if kind == 'weight' else shape[:1])
  return shapes


def state_dict(form):
  """(model, variables, arrays) of a form as --task=export writes it."""
  model, variables = network_forms.network(form)
  mean = np.full((model.patch, model.patch, 3), 120.0)
  return model, variables, torch_file.state_dict(
      operations.operations(model, variables), mean)


def write(folder, arrays):
  np.savez(folder / 'net.npz', **arrays)
  return str(folder / 'net.npz')


def taken(path, model, order='rgb'):
  """(layers, Foreign) with a file's arrays in the place of zeros."""
  zeros = jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype),
                       jax.eval_shape(model.init, jax.random.key(0)))
  source = foreign.open_file(path, model)
  return source.into(weights.to_layers(model, zeros), order, True), source


def refusal(folder, arrays, model):
  path = write(folder, arrays)
  with pytest.raises(InputError) as refused:
    foreign.open_file(path, model)
  assert '\n' not in str(refused.value) and path in str(refused.value)
  return str(refused.value)


# --- torchvision's names ------------------------------------------------------


@pytest.mark.parametrize('network', CONFIGS)
def test_names_and_shapes_are_those_of_torchvision(network):
  model = model_of(CONFIGS[network])
  ours = {name: place.shape
          for name, place in torch_layout.places_of_arrays(model).items()}
  assert ours == of_torchvision(network)
  assert torchvision_forms.name(model) == network
  assert not torchvision_forms.differences(model)


def test_the_forms_of_the_papers_are_not_those_of_torchvision():
  wired = ['centered_pooling=False', 'pixel_stddevs=()']
  for config, differing in (
      (resnet.get_config('34'), wired),
      (resnet.get_config('50'), ['stride_in_3x3=False', *wired]),
      (vgg19.get_config(), ['inverted_dropout=False', wired[1]]),
      (googlenet.get_config(), [
          'norm=response', 'norm_epsilon=1e-05', 'large_kernel=5',
          'last_pooling=3', wired[1]])):
    model = model_of(config)
    assert torchvision_forms.differences(model) == differing
    assert not torchvision_forms.name(model)


def test_other_forms_than_torchvision_s_are_refused():
  for module, form in ((resnet, '50,other'), (resnet, 'plain34,torchvision'),
                       (googlenet, 'other'), (vgg19, 'other')):
    with pytest.raises(ValueError, match=f'there is no form .{form}.: give'):
      module.get_config(form)


# --- There and back -----------------------------------------------------------


@pytest.mark.parametrize('form', ROUND_TRIPS)
def test_what_is_exported_comes_back_to_the_last_bit(form, tmp_path):
  model, variables, arrays = state_dict(form)
  made, source = taken(write(tmp_path, arrays), model)
  expected = weights.to_layers(model, variables)
  for name in made.taken:
    for leaf, array in expected[name].items():
      assert made.layers[name][leaf].tobytes() == array.tobytes(), (name, leaf)
  sides = [name for name in expected if name.startswith('side')]
  assert list(made.new) == sides and source.classes == network_forms.CLASSES
  assert source.program == 'PyTorch' and not source.notes
  assert (source.mean == 120).all()


def test_the_counts_of_batches_and_the_names_of_data_parallel_are_no_layers(
    tmp_path):
  model, _, arrays = state_dict("torchvision's resnet")
  del arrays['mean']
  parallel = {f'module.{name}': array for name, array in arrays.items()}
  made, source = taken(write(tmp_path, parallel | {
      'module.bn1.num_batches_tracked': np.int64(7)}), model)
  assert not made.new and source.program == 'torchvision'
  assert source.mean is None


def test_side_classifiers_of_torchvision_are_left_out_and_said(tmp_path):
  model, _, arrays = state_dict("torchvision's googlenet")
  made, source = taken(write(tmp_path, arrays | {
      'aux1.fc2.bias': np.zeros(5, 'f'), 'aux2.conv.conv.weight': np.zeros(
          (128, 528, 1, 1), 'f')}), model)
  assert not made.new and source.notes == (
      ' Left out aux1, aux2: side classifiers of torchvision average other'
      ' units.')


def test_full_layers_may_be_missing(tmp_path):
  model, _, arrays = state_dict('vgg')
  made, source = taken(write(tmp_path, {
      name: array for name, array in arrays.items()
      if not name.startswith('classifier')}), model)
  assert made.new == ('fc6', 'fc7', 'fc8') and source.classes == 0


def test_blue_may_be_the_first_color(tmp_path):
  model, variables, arrays = state_dict('vgg')
  made, _ = taken(write(tmp_path, arrays), model, 'bgr')
  np.testing.assert_array_equal(
      made.layers['conv1_1']['kernel'],
      variables['columns']['conv1_1']['kernel'][:, :, :, ::-1])


def test_torchvision_s_weights_in_another_form_are_taken_and_it_is_said(
    tmp_path):
  model, _, arrays = state_dict('resnet')
  del arrays['mean']
  _, source = taken(write(tmp_path, arrays), model)
  assert source.notes.startswith(
      " config.model is not torchvision's (shortcut=C, centered_pooling=False,")


# --- Refused ------------------------------------------------------------------


def test_a_resnet_of_other_blocks_is_refused_with_both_shapes(tmp_path):
  _, _, arrays = state_dict("torchvision's resnet")  # with bottlenecks
  model, _ = network_forms.network('plain')
  said = refusal(tmp_path, arrays, model)
  assert ('another network than config.model (array in the file | in'
          ' config.model): conv1.weight [4, 3, 7, 7] | [4, 3, 3, 3];'
          ' layer1.0.conv1.weight [4, 4, 1, 1] | [4, 4, 3, 3]; ') in said
  assert ' more: give the --config of that network' in said


def test_further_and_missing_layers_are_refused(tmp_path):
  model, _, arrays = state_dict('resnet')
  assert 'layer9.conv.weight [2, 3] | missing' in refusal(
      tmp_path, arrays | {'layer9.conv.weight': np.zeros((2, 3), 'f')}, model)
  assert 'fc.bias [4] | [5]' in refusal(
      tmp_path, arrays | {'fc.bias': np.zeros(4, 'f')}, model)
  del arrays['layer2.0.conv1.weight']
  assert 'layer2.0.conv1.weight missing | [6, 4, 3, 3]' in refusal(
      tmp_path, arrays, model)


def test_a_network_of_several_columns_is_refused(tmp_path):
  form = vgg16.get_config('torchvision').model
  form.num_columns = 2
  fields = form.to_dict()
  del fields['name']
  model = nets.build('vgg', placement.make_mesh(1, 1, 2), 1000, 224, **fields)
  assert not torchvision_forms.name(model)
  _, _, arrays = state_dict('vgg')
  said = refusal(tmp_path, arrays, model)
  assert 'config.model.num_columns=2 does not suit' in said
  assert ' one column: give 1, or --init_from a file' in said


def test_missing_running_averages_are_refused(tmp_path):
  model, _, arrays = state_dict('resnet')
  assert 'no running averages, such as bn1.running_mean' in refusal(tmp_path, {
      name: array for name, array in arrays.items()
      if 'running' not in name}, model)


def test_a_file_of_another_kind_of_network_is_refused(tmp_path):
  _, _, arrays = state_dict('vgg')
  model, _ = network_forms.network('resnet')
  said = refusal(tmp_path, arrays, model)
  assert "none of the layers of torchvision's resnet, such as" in said
  assert 'features.0.weight [3, 3, 3, 3]' in said
  model, _ = network_forms.network('lenet')
  assert 'none of the layers of LeNet-5 as --task=export' in refusal(
      tmp_path, arrays, model)


@pytest.mark.parametrize('value', [np.nan, np.inf, -0.1])
def test_impossible_numbers_are_refused(value, tmp_path):
  model, _, arrays = state_dict('resnet')
  arrays['bn1.running_var'] = np.full_like(arrays['bn1.running_var'], value)
  assert 'bn1.running_var [4] of' in refusal(tmp_path, arrays, model)


def test_weights_outside_of_the_table_of_lenet_are_refused(tmp_path):
  model, _, arrays = state_dict('lenet')
  arrays['c3.weight'] = arrays['c3.weight'] + 1
  assert 'lenet5.py:simplified' in refusal(tmp_path, arrays, model)
